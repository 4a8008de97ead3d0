"""Tile filters against their rule in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from slidekit.slide.fate import Fate
from slidekit.slide.filters import TileStatistics, filter_tile, tile_statistics
from slidekit.slide.spec import ExtractionSpec


def by_the_rule(image: np.ndarray, gray_threshold: float, white_threshold: float) -> TileStatistics:
    pixels = image.reshape(-1, 3).astype(np.float64)
    highest, lowest = pixels.max(axis=1), pixels.min(axis=1)
    saturation = np.divide(highest - lowest, highest, out=np.zeros_like(highest), where=highest > 0)
    return TileStatistics(
        float((saturation < gray_threshold).mean()), float((pixels.sum(axis=1) / 3 > white_threshold).mean())
    )


@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))),
    st.one_of(st.floats(0, 1), st.integers(0, 1000).map(lambda k: k / 1000)),
    st.one_of(st.floats(0, 255), st.integers(0, 765).map(lambda k: k / 3)),
)
@example(np.array([[[200, 185, 190]]], np.uint8), 0.075, 230.0)
@settings(deadline=None)
def test_shares_are_those_of_the_rule(image: np.ndarray, gray: float, white: float) -> None:
    measured = tile_statistics(image, grayspace_threshold=gray, whitespace_threshold=white)
    assert measured == by_the_rule(image, gray, white)


def test_a_saturation_equal_to_the_threshold_is_never_gray() -> None:
    # As float32 products, 7/13, 15/19 and 3/21 came out as less than themselves.
    for highest in (1, 13, 19, 21, 97, 200, 255):
        for spread in range(highest + 1):
            pixel = np.array([[[highest, highest - spread, highest]]], np.uint8)
            assert tile_statistics(pixel, grayspace_threshold=spread / highest).gray_fraction == 0


@pytest.mark.parametrize(("threshold", "gray"), [(0.0, 0.0), (1e-9, 1.0), (0.05, 1.0), (1.0, 1.0)])
def test_black_has_no_saturation(threshold: float, gray: float) -> None:
    black = np.zeros((4, 4, 3), np.uint8)
    assert tile_statistics(black, grayspace_threshold=threshold) == (gray, 0.0)


def test_thresholds_at_the_ends() -> None:
    pixels = np.array([[[255, 255, 255], [255, 0, 0], [0, 0, 0], [10, 10, 11]]], np.uint8)
    assert tile_statistics(pixels, grayspace_threshold=0).gray_fraction == 0
    assert tile_statistics(pixels, grayspace_threshold=1).gray_fraction == 0.75
    assert tile_statistics(pixels, whitespace_threshold=0).white_fraction == 0.75
    assert tile_statistics(pixels, whitespace_threshold=255).white_fraction == 0


@pytest.mark.parametrize(
    ("statistics", "options", "fate"),
    [
        ((0.6, 0.0), {}, Fate.KEPT),
        ((0.6000001, 0.0), {}, Fate.GRAYSPACE),
        ((1.0, 1.0), {"grayspace_fraction": 1}, Fate.KEPT),
        ((0.0, 0.5), {"whitespace_fraction": 0.5}, Fate.KEPT),
        ((0.0, 0.51), {"whitespace_fraction": 0.5}, Fate.WHITESPACE),
        ((0.9, 0.9), {"whitespace_fraction": 0.5}, Fate.GRAYSPACE),
        ((0.01, 0.0), {"grayspace_fraction": 0}, Fate.GRAYSPACE),
        ((0.0, 0.0), {"grayspace_fraction": 0, "whitespace_fraction": 0}, Fate.KEPT),
    ],
)
def test_a_tile_is_dropped_if_more_than_the_fraction_is_gray_or_white(statistics, options, fate) -> None:
    spec = ExtractionSpec.create(tile_px=8, tile_um=8, **options)
    assert filter_tile(TileStatistics(*statistics), spec) is fate
