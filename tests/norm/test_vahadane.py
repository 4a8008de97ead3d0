"""Vahadane against the paper in float64, written again with scikit-image and scipy."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls
from skimage.color import rgb2lab

from slidekit import norm
from slidekit.errors import NormalizerError
from slidekit.norm.dictionary import learn_dictionary

# Half a level of the output, and one where the last bit of the percentile decides how the stretch cuts off.
ROUNDING = 2

# Optical density of haematoxylin and eosin (Ruifrok and Johnston 2001), rows of length 1.
STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
STAINS = STAINS / np.linalg.norm(STAINS, axis=1, keepdims=True)


def stretched(image):
    return np.clip(image * 255.0 / np.percentile(image, 90), 0, 255).astype(np.uint8)


def concentrations(image, matrix):
    """Non-negative least squares (n, 2) of every pixel."""
    density = -np.log(np.maximum(stretched(image).reshape(-1, 3), 1) / 255)
    return np.array([nnls(matrix.T, pixel)[0] for pixel in density])


def paper(image, matrix, target, peaks=None):
    amounts = concentrations(image, matrix)
    if peaks is not None:
        amounts *= peaks / np.percentile(amounts, 99, axis=0)
    return np.clip(255 * np.exp(-amounts @ target), 0, 255).reshape(image.shape)


@given(seed=st.integers(0, 10_000), size=st.integers(24, 40), scaled=st.booleans())
@settings(deadline=None, max_examples=15)
def test_equals_the_paper(he_tile, seed, size, scaled):
    tile = he_tile(seed, size)
    own = norm.autoselect("vahadane", tile).get_fit()["stain_matrix_target"]
    normalizer = norm.autoselect("vahadane", "v1")
    peaks = np.array([1.7, 0.8]) if scaled else None
    target = normalizer.get_fit()["stain_matrix_target"]
    if scaled:
        normalizer.set_fit(stain_matrix_target=target, target_concentrations=peaks)

    result = normalizer.normalize(tile)

    difference = np.abs(result.image - paper(tile, own, target, peaks))
    assert result.changed
    assert difference.mean() <= 0.3
    assert difference.max() <= ROUNDING


@pytest.mark.parametrize("seed", range(3))
def test_fit_is_that_of_every_pixel(he_tile, seed):
    """Colours to 6 bits in the place of pixels move a stain by less than a degree."""
    tile = he_tile(seed, 128)
    image = stretched(tile)
    tissue = rgb2lab(image / 255.0)[..., 0] < 80
    density = -np.log(np.maximum(image[tissue], 1) / 255)
    expected = learn_dictionary(density.T, np.full(len(density), 1 / len(density)), 0.1)
    expected = expected[np.argsort(-expected[:, 0])]

    fit = norm.autoselect("vahadane", tile).get_fit()

    cosines = (fit["stain_matrix_target"] * expected).sum(axis=1)
    assert np.degrees(np.arccos(np.clip(cosines, -1, 1))).max() < 1
    peaks = np.percentile(concentrations(tile, fit["stain_matrix_target"]), 99, axis=0)
    np.testing.assert_allclose(fit["target_concentrations"], peaks, rtol=1e-4)


def test_finds_the_stains_that_the_tile_was_made_of(he_tile):
    found = norm.autoselect("vahadane", he_tile(0, 256)).get_fit()["stain_matrix_target"]

    # Sparsity draws the stains together: that is the method.
    assert np.degrees(np.arccos((found * STAINS).sum(axis=1))).max() < 12
    assert found[0, 0] > found[1, 0]


def test_fitted_to_a_tile_nearly_leaves_it_as_it_is(he_tile):
    tile = he_tile(2, 128)

    result = norm.autoselect("vahadane", tile).transform(tile)

    # What is off the plane of the two stains is noise, and is lost.
    assert np.abs(result.astype(float) - stretched(tile)).mean() < 4


class TestFitWithoutConcentrations:
    """As the presets are, and as all fits of Slideflow are."""

    def test_leaves_the_amounts_of_the_stains_alone(self, he_tile):
        tile = he_tile(3)
        own = norm.autoselect("vahadane", tile).get_fit()
        normalizer = norm.autoselect("vahadane").set_fit(stain_matrix_target=own["stain_matrix_target"])
        scaled = norm.autoselect("vahadane").set_fit(**own)

        assert normalizer.get_fit()["target_concentrations"].tolist() == [0, 0]
        assert np.array_equal(normalizer.transform(tile), scaled.transform(tile))

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"stain_matrix_target": np.eye(3)[:2], "target_concentrations": [1, -1]}, "0 or more"),
            ({"target_concentrations": [1, 1]}, "stain_matrix_target"),
            ({"stain_matrix_target": np.eye(3)[:, :2]}, r"shape \(2, 3\)"),
        ],
    )
    def test_nonsense_is_an_error_and_changes_nothing(self, values, message):
        normalizer = norm.autoselect("vahadane")

        with pytest.raises(NormalizerError, match=message):
            normalizer.set_fit(**values)

        assert normalizer.get_fit(as_list=True) == norm.autoselect("vahadane").get_fit(as_list=True)


class TestContext:
    """Stains that are held for all tiles of a slide."""

    def test_of_the_tile_itself_changes_nothing(self, he_tile):
        tile = he_tile(5)
        normalizer = norm.autoselect("vahadane", he_tile(6))
        expected = normalizer.transform(tile)

        with normalizer.context(tile):
            assert np.array_equal(normalizer.transform(tile), expected)

    def test_is_used_instead_of_the_tiles_own(self, he_tile):
        slide, tile = he_tile(5), he_tile(7, strength=(0.3, 0.6))[:20, :20]
        held = norm.autoselect("vahadane", slide).get_fit()
        normalizer = norm.autoselect("vahadane", he_tile(6))
        target = normalizer.get_fit()

        result = normalizer.set_context(slide).transform(tile)

        gain = target["target_concentrations"] / held["target_concentrations"]
        expected = 255 * np.exp(
            -(concentrations(tile, held["stain_matrix_target"]) * gain) @ target["stain_matrix_target"]
        )
        assert np.abs(result - expected.reshape(tile.shape)).max() <= ROUNDING

    def test_length_of_the_stains_does_not_matter(self, he_tile):
        tile, held = he_tile(5), norm.autoselect("vahadane", he_tile(8)).get_fit()
        matrix, peaks = held["stain_matrix_target"], held["target_concentrations"]
        normalizer = norm.autoselect("vahadane", he_tile(6))

        results = [
            normalizer.set_context_values(stain_matrix=matrix * length, concentrations=peaks / length).transform(tile)
            for length in (1, 2)
        ]

        assert np.abs(np.subtract(*results, dtype=int)).max() <= 1

    @pytest.mark.parametrize("matrix", [np.zeros((2, 3)), np.ones((2, 3)), [[1, 0, 0], [0, 0, 0]]])
    def test_of_one_stain_leaves_tiles_as_they_are(self, he_tile, matrix):
        normalizer = norm.autoselect("vahadane").set_context_values(stain_matrix=matrix, concentrations=[1, 1])

        assert not normalizer.normalize(he_tile(5)).changed

    @pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1), (2, 2), (3, 5)])
    def test_few_pixels(self, he_tile, shape):
        tile = he_tile(7)[: shape[0], : shape[1]]
        normalizer = norm.autoselect("vahadane").set_context_values(stain_matrix=STAINS, concentrations=[1, 1])

        result = normalizer.transform(tile)

        expected = paper(tile, STAINS, normalizer.get_fit()["stain_matrix_target"])
        assert np.abs(result - expected).max() <= ROUNDING

    def test_negative_stains_make_no_light(self, he_tile):
        normalizer = norm.autoselect("vahadane").set_fit(stain_matrix_target=np.full((2, 3), -500.0))

        assert (normalizer.transform(he_tile(7)) == 255).all()

    def test_tile_of_one_colour_is_normalised(self, he_tile):
        tile = np.full((16, 16, 3), (190, 120, 180), np.uint8)
        tile[:2] = 255
        normalizer = norm.autoselect("vahadane").set_context(he_tile(5))

        assert normalizer.normalize(tile).changed

    def test_is_many_times_faster(self, he_tile):
        tile = he_tile(5, 256)
        normalizer = norm.autoselect("vahadane")
        held = norm.autoselect("vahadane").set_context(tile)

        def seconds(one):
            times = []
            for _ in range(3):
                begin = time.perf_counter()
                one.transform(tile)
                times.append(time.perf_counter() - begin)
            return min(times)

        # Twenty times is what the benchmark shows; a busy machine has to pass here, too.
        assert seconds(normalizer) > 4 * seconds(held)
