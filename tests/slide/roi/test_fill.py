"""Filling of polygons, against shapely's answer for each pixel's centre."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from slidekit.slide.roi.fill import Raster, fill_polygon


def fill(polygon: shapely.Polygon, raster: Raster) -> np.ndarray:
    mask = np.zeros(raster.shape, np.bool_)
    for rows, columns, inside in fill_polygon(polygon, raster):
        mask[rows, columns] = inside
    return mask


def by_shapely(polygon: shapely.Polygon, raster: Raster) -> np.ndarray:
    rows, columns = np.indices(raster.shape) + 0.5
    x, y = raster.corner[0] + columns * raster.pixel[0], raster.corner[1] + rows * raster.pixel[1]
    return shapely.contains_xy(polygon, x, y)


# Of 1e-167 shapely's own distance divides by zero.
PLACES = st.floats(-40, 60).map(lambda place: round(place, 6))


@hypothesis_settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(PLACES, PLACES), min_size=4, max_size=12),
    st.tuples(st.floats(0.3, 4), st.floats(0.3, 4)),
    st.tuples(st.floats(-20, 20), st.floats(-20, 20)),
)
def test_pixels_are_those_whose_centres_lie_inside(points, pixel, corner) -> None:
    # Arrange: a hull with a hole, so that holes and slants are among the cases
    hull = shapely.MultiPoint(points).convex_hull
    polygon = hull.difference(hull.centroid.buffer(3)) if hull.area > 1 else hull
    if not isinstance(polygon, shapely.Polygon) or polygon.area < 1e-6:
        return
    raster = Raster(corner, pixel, (24, 31))
    # Act
    mask = fill(polygon, raster)
    # Assert: centres on the outline itself may be either
    rows, columns = np.indices(raster.shape) + 0.5
    centres = shapely.points(corner[0] + columns * pixel[0], corner[1] + rows * pixel[1])
    clear = shapely.distance(polygon.boundary, centres) > 1e-9
    assert np.array_equal(mask[clear], by_shapely(polygon, raster)[clear])


def test_neighbours_share_no_pixel_and_leave_no_gap() -> None:
    # Arrange: a square cut along a line that runs through centres of pixels
    raster = Raster((0.0, 0.0), (1.0, 1.0), (10, 10))
    left = shapely.Polygon([(0, 0), (5.5, 0), (5.5, 10), (0, 10)])
    right = shapely.Polygon([(5.5, 0), (10, 0), (10, 10), (5.5, 10)])
    # Act, Assert
    assert np.array_equal(fill(left, raster) ^ fill(right, raster), np.ones((10, 10), np.bool_))


@pytest.mark.parametrize("far", [(100, 100), (-50, 3), (3, 60)])
def test_what_lies_elsewhere_fills_nothing(far) -> None:
    polygon = shapely.box(far[0], far[1], far[0] + 5, far[1] + 5)
    assert not list(fill_polygon(polygon, Raster((0.0, 0.0), (1.0, 1.0), (20, 20))))
