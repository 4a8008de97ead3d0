"""Macenko against the paper in float64, written again with plain numpy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from slidekit import norm
from slidekit.norm.stains import find_stains

FAST = {"macenko": False, "macenko_fast": True}
# Where the brightness step cuts off, the last bit of the percentile may decide about a whole level.
MOST = {True: 1, False: 2}


def paper_stains(image: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Stain matrix (3, 2) and concentrations (2, n) of an image."""
    density = -np.log((image.reshape(-1, 3).astype(np.float64) + 1) / 255)
    stained = density[(density >= 0.15).all(axis=1)]
    _, vectors = np.linalg.eigh(np.cov(stained, rowvar=False))
    plane = vectors[:, [2, 1]]
    plane = plane * np.where(stained.mean(axis=0) @ plane < 0, -1, 1)
    on_plane = stained @ plane
    low, high = np.percentile(np.arctan2(on_plane[:, 1], on_plane[:, 0]), [1, 99])
    stains = [plane @ np.array([np.cos(angle), np.sin(angle)]) for angle in (low, high)]
    matrix = np.array(sorted(stains, key=lambda stain: -stain[0])).T
    return matrix, np.linalg.lstsq(matrix, density.T, rcond=None)[0]


def paper(image: NDArray[np.uint8], fit: dict[str, NDArray[np.float64]], fast: bool) -> NDArray[np.float64]:
    if not fast:
        image = np.clip(image * 255.0 / np.percentile(image, 90), 0, 255).astype(np.uint8)
    _, concentrations = paper_stains(image)
    concentrations *= (fit["target_concentrations"] / np.percentile(concentrations, 99, axis=1))[:, None]
    normalised = 255 * np.exp(-fit["stain_matrix_target"] @ concentrations)
    return np.clip(normalised, 0, 255).T.reshape(image.shape)


def columns_apart(a: NDArray[np.float64], b: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Angles in degrees between the columns of two matrices."""
    other = np.asarray(b) / np.linalg.norm(b, axis=0)
    return np.degrees(np.arccos(np.clip((a / np.linalg.norm(a, axis=0) * other).sum(axis=0), -1, 1)))


@pytest.mark.parametrize("method", FAST)
@given(
    seed=st.integers(0, 10_000),
    haematoxylin=st.floats(0.25, 0.9),
    eosin=st.floats(0.25, 0.9),
    size=st.integers(24, 80),
    preset=st.sampled_from(["v1", "v2", "v3"]),
)
@settings(deadline=None, max_examples=60)
def test_equals_the_paper(method, he_tile, seed, haematoxylin, eosin, size, preset):
    tile = he_tile(seed, size, (haematoxylin, eosin))
    normalizer = norm.autoselect(method, preset)

    result = normalizer.normalize(tile)

    difference = np.abs(result.image - paper(tile, normalizer.get_fit(), FAST[method]))
    assert result.changed
    # Half a grey level is the rounding of the output: nothing else is left.
    assert difference.mean() <= 0.3
    assert difference.max() <= MOST[FAST[method]]


@pytest.mark.parametrize("seed", range(3))
def test_fit_is_the_papers(he_tile, seed):
    tile = he_tile(seed)
    matrix, concentrations = paper_stains(tile)

    fit = norm.autoselect("macenko_fast", tile).get_fit()

    np.testing.assert_allclose(fit["stain_matrix_target"], matrix, atol=1e-6)
    np.testing.assert_allclose(fit["target_concentrations"], np.percentile(concentrations, 99, axis=1), atol=1e-5)


def test_finds_the_stains_that_the_tile_was_made_of(he_tile):
    tile = he_tile(0, 256)

    fit = norm.autoselect("macenko_fast", tile).get_fit()

    # Noise, and the 1 % tails of it, leave the extreme angles a few degrees off.
    assert columns_apart(fit["stain_matrix_target"], [[0.65, 0.07], [0.70, 0.99], [0.29, 0.11]]).max() < 8


def test_haematoxylin_comes_first(he_tile):
    for seed in range(5):
        matrix = norm.autoselect("macenko", he_tile(seed)).get_fit()["stain_matrix_target"]
        assert matrix[0, 0] > matrix[0, 1]


class TestSignsOfEigenvectors:
    """LAPACK may give an eigenvector or its opposite; neither may be seen in the result."""

    @pytest.mark.parametrize("signs", [(-1, 1, 1), (1, -1, 1), (1, 1, -1), (-1, -1, -1)])
    @pytest.mark.parametrize("method", FAST)
    def test_do_not_matter(self, method, signs, he_tile, monkeypatch):
        tile = he_tile(2)
        expected = norm.autoselect(method).transform(tile)
        eigh = np.linalg.eigh

        def other_lapack(matrix):
            values, vectors = eigh(matrix)
            return values, vectors * np.array(signs)

        monkeypatch.setattr(np.linalg, "eigh", other_lapack)

        assert np.array_equal(norm.autoselect(method).transform(tile), expected)


class TestFindStains:
    def test_unmix_is_the_least_squares_inverse(self, he_tile):
        density = -np.log((he_tile(1).astype(np.float32) + 1) / 255)
        stained = (density >= 0.15).all(axis=2).astype(np.uint8) * 255

        stains = find_stains(density, stained)

        assert stains is not None
        np.testing.assert_allclose(stains.unmix, np.linalg.pinv(stains.matrix), atol=1e-9)

    def test_angles_beyond_a_right_angle_from_the_mean(self):
        # Densities all round the plane red–green, a few behind the mean, where the tangent repeats itself.
        turn = np.random.default_rng(0).uniform(-1.2, 1.2, (40, 40))
        turn[0, :5] = 2.0
        density = np.stack([np.cos(turn), np.sin(turn), np.full_like(turn, 0.3)], axis=2).astype(np.float32)

        stains = find_stains(density, np.full(turn.shape, 255, np.uint8))

        assert stains is not None
        angles = np.sort(np.arctan2(stains.matrix[1], stains.matrix[0]))
        np.testing.assert_allclose(angles, np.percentile(turn, [1, 99]), atol=1e-5)


class TestContext:
    """A slide's 99th percentiles in the place of the tile's; the stains stay the tile's."""

    @pytest.mark.parametrize("method", FAST)
    def test_of_the_tile_itself_changes_nothing(self, method, he_tile):
        tile = he_tile(3)
        peaks = norm.autoselect(method, tile).get_fit()["target_concentrations"]
        normalizer = norm.autoselect(method)
        expected = normalizer.transform(tile)

        normalizer.set_context_values(concentrations=peaks)

        assert np.array_equal(normalizer.transform(tile), expected)

    def test_equals_the_paper_with_these_percentiles(self, he_tile):
        tile, peaks = he_tile(4, 40), np.array([2.2, 1.1])
        normalizer = norm.autoselect("macenko_fast").set_context_values(concentrations=peaks)
        fit = normalizer.get_fit()
        _, concentrations = paper_stains(tile)
        amounts = concentrations * (fit["target_concentrations"] / peaks)[:, None]
        expected = np.clip(255 * np.exp(-fit["stain_matrix_target"] @ amounts), 0, 255).T.reshape(tile.shape)

        result = normalizer.normalize(tile)

        assert result.changed
        assert np.abs(result.image - expected).max() <= 1

    def test_tile_with_hardly_any_of_one_stain_is_normalised(self, he_tile):
        """Its own percentile of eosin says nothing; the slide's does."""
        density = -np.log((he_tile(5).astype(np.float32) + 1) / 255)
        stained = (density >= 0.15).all(axis=2).astype(np.uint8) * 255
        # Of 9216 pixels, 94 keep their stain: the 99th percentile falls between those and the others.
        stained.reshape(-1)[np.flatnonzero(stained)[94:]] = 0
        density[stained == 0] = 0

        assert find_stains(density, stained) is None
        found = find_stains(density, stained, peaks=np.array([1.5, 1.0]))

        assert found is not None
        assert found.peaks.tolist() == [1.5, 1.0]
