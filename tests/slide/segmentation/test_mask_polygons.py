"""Outlines of masks and scores: what is inside, where edges are, and what is left out."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from slidekit.errors import SpecError
from slidekit.slide.roi.fill import Raster, fill_polygon
from slidekit.slide.segmentation.mask_polygons import Frame, TidyRules, class_margins, score_polygons, tidy_polygons

SHAPES = npst.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)
SCORES = npst.arrays(np.float32, SHAPES, elements=st.sampled_from([0, 0.25, 0.5, 0.75, 1]) | st.floats(0, 1, width=32))


def painted(polygons: list[shapely.Polygon], shape: tuple[int, int]) -> np.ndarray:
    """How many polygons each pixel's centre is in."""
    counts = np.zeros(shape, np.int64)
    for polygon in polygons:
        for rows, columns, inside in fill_polygon(polygon, Raster((0.0, 0.0), (1.0, 1.0), shape)):
            counts[rows, columns] += inside
    return counts


@settings(deadline=None, max_examples=60)
@given(SCORES, st.sampled_from([0.25, 0.5, 0.7]))
def test_a_pixel_is_inside_one_outline_exactly_if_its_score_reaches_the_threshold(scores, threshold) -> None:
    # Act
    polygons = score_polygons(scores, threshold)
    # Assert
    assert np.array_equal(painted(polygons, scores.shape), scores >= threshold)
    assert all(polygon.is_valid for polygon in polygons)


@settings(deadline=None, max_examples=25)
@given(SCORES, st.floats(0, 1.5))
def test_tidy_regions_are_valid_apart_and_on_the_slide(scores, simplify_um) -> None:
    # Arrange: pixels of the map are 8 µm, those of the slide 0.5 by 0.4 µm
    rows, columns = scores.shape
    frame = Frame((rows, columns), (columns * 16, rows * 20), (0.5, 0.4))
    polygons = score_polygons(scores, 0.5)
    # Act
    regions = tidy_polygons(polygons, frame, TidyRules(0, 0, simplify_um))
    # Assert
    assert all(region.is_valid for region in regions)
    assert sum(region.area for region in regions) == pytest.approx(shapely.union_all(regions).area, rel=1e-9)
    assert all(shapely.box(-1e-6, -1e-6, columns * 16 + 1e-6, rows * 20 + 1e-6).covers(region) for region in regions)
    places = shapely.get_coordinates(regions)
    assert np.array_equal(places, np.round(places, 2))
    # No vertex that is left out is farther than that from what stays.
    before = sum(polygon.area for polygon in polygons) * 320
    around = sum(polygon.length for polygon in polygons) * 20
    assert abs(sum(region.area for region in regions) - before) <= around * (simplify_um / 0.4 + 0.01) + 1e-6


def test_edges_are_where_the_score_crosses() -> None:
    # Arrange: a disk whose score falls by 1 over four pixels
    y, x = np.mgrid[:80, :100] + 0.5
    scores = np.clip(0.5 + (25.3 - np.hypot(x - 50.2, y - 40.4)) / 4, 0, 1).astype(np.float32)
    # Act
    (polygon,) = score_polygons(scores, 0.5)
    # Assert
    away = np.hypot(*(np.array(polygon.exterior.coords) - (50.2, 40.4)).T)
    assert np.abs(away - 25.3).max() < 0.02
    assert polygon.area == pytest.approx(np.pi * 25.3**2, rel=0.002)


def test_holes_below_a_size_are_filled_and_specks_left_out() -> None:
    # Arrange: µm and pixels are the same; squares of 40, 30 and 6, holes of 12 and 4
    mask = np.zeros((60, 100), np.float32)
    mask[10:50, 5:45], mask[10:40, 60:90], mask[50:56, 70:76] = 1, 1, 1
    mask[15:27, 10:22], mask[35:39, 30:34] = 0, 0
    frame = Frame((60, 100), (100, 60), (1.0, 1.0))
    # Act
    regions = tidy_polygons(score_polygons(mask, 0.5), frame, TidyRules(100e-6, 50e-6, 0))
    # Assert
    assert [len(region.interiors) for region in regions] == [1, 0]
    assert [region.area for region in regions] == pytest.approx([1600 - 144, 900], abs=2)


def test_classes_meet_halfway_and_a_tie_is_of_the_first() -> None:
    # Arrange: two classes that give way to each other from left to right
    ramp = np.tile(np.linspace(0, 1, 11, dtype=np.float32), (4, 1))
    scores = np.stack([np.zeros_like(ramp), 1 - ramp, ramp], axis=-1)
    # Act
    margins = class_margins(scores)
    (left,), (right,) = score_polygons(margins[..., 1], 0), score_polygons(margins[..., 2], 0)
    # Assert: the middle pixel is a tie
    assert left.intersection(right).area < 0.1
    assert left.bounds[2] == pytest.approx(5.5, abs=0.05)
    assert left.area + right.area == pytest.approx(44, abs=0.5)
    assert np.array_equal(painted([left], ramp.shape), np.argmax(scores, axis=-1) == 1)


@pytest.mark.parametrize("rules", [{"min_area_mm2": -1}, {"simplify_um": float("nan")}])
def test_sizes_that_are_none_are_refused(rules) -> None:
    with pytest.raises(SpecError, match="is not a size"):
        TidyRules(**rules)


@pytest.mark.long
def test_a_large_map_takes_seconds() -> None:
    # Arrange: 8 000 × 8 000 px, outlines of more than 100 000 px
    noise = np.random.default_rng(0).normal(size=(40, 40)).astype(np.float32)
    scores = cv2.resize(noise, (8000, 8000), interpolation=cv2.INTER_CUBIC)
    started = time.perf_counter()
    # Act
    polygons = score_polygons(scores, 0.0)
    regions = tidy_polygons(polygons, Frame((8000, 8000), (320_000, 320_000), (0.25, 0.25)), TidyRules())
    # Assert
    assert sum(shapely.get_num_coordinates(polygon) for polygon in polygons) > 100_000
    assert all(region.is_valid for region in regions)
    assert time.perf_counter() - started < 30
