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
    assert np.abs(result.image - expected)[inside].max() <= 1


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
