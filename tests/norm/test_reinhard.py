"""Reinhard against CIELAB in float64 by scikit-image."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.color import lab2rgb, rgb2lab

from slidekit import norm

FAST = {"reinhard": False, "reinhard_fast": True}
# Where the brightness step cuts off, the last bit of the percentile may decide about a whole level.
MOST = {True: 1, False: 2}
MASKED = {"reinhard_mask": "reinhard", "reinhard_fast_mask": "reinhard_fast"}


def stretched(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.clip(image * 255.0 / np.percentile(image, 90), 0, 255).astype(np.uint8)


def paper(image: NDArray[np.uint8], fit: dict[str, NDArray[np.float64]], fast: bool) -> NDArray[np.float64]:
    lab = rgb2lab((image if fast else stretched(image)) / 255.0)
    moved = (lab - lab.mean(axis=(0, 1))) * (fit["target_stds"] / lab.std(axis=(0, 1))) + fit["target_means"]
    with warnings.catch_warnings():
        # scikit-image warns of colours outside sRGB, which clipping is for.
        warnings.simplefilter("ignore", UserWarning)
        return np.clip(255 * lab2rgb(moved), 0, 255)


@pytest.mark.parametrize("method", FAST)
@given(
    seed=st.integers(0, 10_000),
    haematoxylin=st.floats(0.25, 0.9),
    eosin=st.floats(0.25, 0.9),
    size=st.integers(24, 80),
    preset=st.sampled_from(["v1", "v2", "v3"]),
)
@settings(deadline=None, max_examples=60)
def test_equals_the_paper_in_cielab(method, he_tile, seed, haematoxylin, eosin, size, preset):
    tile = he_tile(seed, size, (haematoxylin, eosin))
    normalizer = norm.autoselect(method, preset)

    result = normalizer.normalize(tile)

    expected = paper(tile, normalizer.get_fit(), FAST[method])
    assert result.changed
    assert np.abs(result.image - expected).mean() <= 0.5
    # Outside sRGB, near black, the two libraries continue CIELAB's inverse differently; elsewhere they agree.
    inside = (expected > 0).all(axis=2) & (expected < 255).all(axis=2)
    assert np.abs(result.image - expected)[inside].max() <= MOST[FAST[method]]


@pytest.mark.parametrize("method", FAST)
def test_fit_is_the_mean_and_spread_of_cielab(method, he_tile):
    tile = he_tile(1)
    lab = rgb2lab((tile if FAST[method] else stretched(tile)) / 255.0)

    fit = norm.autoselect(method, tile).get_fit()

    np.testing.assert_allclose(fit["target_means"], lab.mean(axis=(0, 1)), atol=0.02)
    np.testing.assert_allclose(fit["target_stds"], lab.std(axis=(0, 1)), atol=0.02)


def test_fitted_to_a_tile_leaves_the_tile_as_it_is(he_tile):
    tile = he_tile(2)

    result = norm.autoselect("reinhard_fast", tile).normalize(tile)

    assert result.changed
    assert np.abs(result.image.astype(int) - tile).max() <= 1


class TestMasked:
    @pytest.mark.parametrize("method", MASKED)
    @pytest.mark.parametrize("preset", ["v1", "v2", "v3"])
    def test_is_the_unmasked_up_to_lightness_93_and_the_input_above(self, method, preset, he_tile):
        tile = he_tile(4)
        given = tile if FAST[MASKED[method]] else stretched(tile)
        lightness = rgb2lab(given / 255.0)[..., 0]
        # Where float32 and float64 could disagree about the side, nothing is asked.
        tissue, glass = lightness < 93 - 1e-3, lightness > 93 + 1e-3

        result = norm.autoselect(method, preset).normalize(tile)

        assert result.changed
        assert 50 < glass.sum() < tissue.sum()
        unmasked = norm.autoselect(MASKED[method], preset).transform(tile)
        assert np.array_equal(result.image[tissue], unmasked[tissue])
        assert np.array_equal(result.image[glass], given[glass])
        assert not np.array_equal(unmasked[glass], given[glass])

    @pytest.mark.parametrize("method", MASKED)
    def test_fit_is_that_of_the_unmasked(self, method, he_tile):
        fit = norm.autoselect(method, he_tile(5)).get_fit(as_list=True)

        assert fit == norm.autoselect(MASKED[method], he_tile(5)).get_fit(as_list=True)


class TestContext:
    """A slide's means and standard deviations in the place of the tile's."""

    @pytest.mark.parametrize("method", [*FAST, *MASKED])
    def test_of_the_tile_itself_changes_nothing(self, method, he_tile):
        tile = he_tile(6)
        own = norm.autoselect(method, tile).get_fit()
        normalizer = norm.autoselect(method)
        expected = normalizer.transform(tile)

        normalizer.set_context_values(means=own["target_means"], stds=own["target_stds"])

        assert np.array_equal(normalizer.transform(tile), expected)

    @given(seed=st.integers(0, 1000), size=st.integers(8, 40))
    @settings(deadline=None, max_examples=20)
    def test_equals_the_formula(self, he_tile, seed, size):
        tile, means, stds = he_tile(seed, size), np.array([60.0, 20, -12]), np.array([18.0, 9, 7])
        normalizer = norm.autoselect("reinhard_fast").set_context_values(means=means, stds=stds)

        result = normalizer.normalize(tile)

        fit = normalizer.get_fit()
        moved = (rgb2lab(tile / 255.0) - means) * (fit["target_stds"] / stds) + fit["target_means"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            expected = np.clip(255 * lab2rgb(moved), 0, 255)
        assert result.changed
        assert np.abs(result.image - expected).mean() <= 0.5

    def test_tile_of_one_colour_is_normalised_with_a_context(self):
        tile = np.full((32, 32, 3), (200, 150, 190), np.uint8)
        normalizer = norm.autoselect("reinhard_fast").set_context_values(means=[60, 20, -12], stds=[18, 9, 7])

        result = normalizer.normalize(tile)

        assert result.changed
        assert len(np.unique(result.image.reshape(-1, 3), axis=0)) == 1

    def test_black_tile_is_not(self):
        normalizer = norm.autoselect("reinhard").set_context_values(means=[60, 20, -12], stds=[18, 9, 7])

        assert not normalizer.normalize(np.zeros((8, 8, 3), np.uint8)).changed
