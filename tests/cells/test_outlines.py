from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage.measure import label, regionprops

from slidekit.cells.labels import in_pieces
from slidekit.cells.outlines import paint_outlines, trace_outlines
from slidekit.slide.roi.fill import Raster

IMAGES = hnp.arrays(np.uint8, st.tuples(st.integers(1, 14), st.integers(1, 14)), elements=st.integers(0, 3))


def split(vertices: np.ndarray, counts: np.ndarray) -> list[np.ndarray]:
    return [part / 2 for part in np.split(vertices, np.cumsum(counts)[:-1])] if len(counts) else []


@settings(deadline=None, max_examples=50)
@given(image=IMAGES)
def test_outlines_hold_exactly_the_cells_pixels(image: np.ndarray) -> None:
    # Connected pixels of one value, corners included, as scikit-image tells them apart.
    labels = label(image, connectivity=2).astype(np.uint32)

    vertices, counts = trace_outlines(labels)

    outlines = split(vertices, counts)
    assert len(outlines) == labels.max()
    y, x = np.indices(labels.shape) + 0.5
    for cell, outline in zip(regionprops(labels), outlines, strict=True):
        polygon = shapely.Polygon(outline)
        assert polygon.is_valid
        assert polygon.exterior.is_ccw  # y goes down: clockwise as seen
        # Holes whose pixels touch the outside only at corners are holes: the cell's pixels are connected there.
        filled = ndimage.binary_fill_holes(cell.image)
        assert polygon.area == filled.sum() - 0.5
        whole = np.zeros(labels.shape, bool)
        whole[cell.slice] = filled
        assert np.array_equal(shapely.contains_xy(polygon, x, y), whole)
        # No place on a straight line between its neighbours.
        assert len(shapely.get_coordinates(shapely.simplify(polygon, 0))) == len(outline) + 1


@settings(deadline=None, max_examples=40)
@given(image=IMAGES)
def test_painted_outlines_are_the_labels_again(image: np.ndarray) -> None:
    labels = label(image, connectivity=2)
    solid = [cell.label for cell in regionprops(labels) if ndimage.binary_fill_holes(cell.image).sum() == cell.area]
    kept = np.where(np.isin(labels, solid), labels, 0)
    kept = (np.cumsum(np.bincount(kept.reshape(-1), minlength=labels.max() + 1) > 0) - 1)[kept].astype(np.uint32)
    kept = kept if (kept == 0).any() else kept + 1

    outlines = split(*trace_outlines(kept))
    painted = np.zeros(kept.shape, np.uint32)
    paint_outlines(painted, Raster((0, 0), (1, 1), kept.shape), outlines, np.arange(1, len(outlines) + 1))

    assert np.array_equal(painted, kept)


def test_of_a_cell_in_pieces_the_largest_is_outlined() -> None:
    labels = np.zeros((8, 12), np.uint32)
    labels[1, 1] = labels[2:6, 5:9] = labels[7, 11] = 1

    (outline,) = split(*trace_outlines(labels))

    assert shapely.Polygon(outline).bounds == (5, 2, 9, 6)


def test_nothing_has_no_outlines() -> None:
    vertices, counts = trace_outlines(np.zeros((5, 5), np.uint32))

    assert vertices.shape == (0, 2)
    assert counts.shape == (0,)


@settings(deadline=None, max_examples=80)
@given(image=IMAGES)
def test_pieces_are_told_as_scipy_tells_them(image: np.ndarray) -> None:
    expected = [value for value in (1, 2, 3) if ndimage.label(image == value, structure=np.ones((3, 3)))[1] > 1]

    assert in_pieces(image.astype(np.uint32)).tolist() == expected


def test_a_place_that_paints_nothing_is_passed_over() -> None:
    image = np.zeros((4, 4), np.uint32)

    paint_outlines(image, Raster((0, 0), (1, 1), image.shape), [np.zeros((2, 2)), np.full((3, 2), 99.0)], np.arange(2))

    assert not image.any()


@pytest.mark.long
def test_a_thousand_outlines_take_less_than_a_tenth_of_a_second() -> None:
    import time

    y, x = np.indices((1152, 1152))
    labels = ((np.hypot(y % 30 - 15, x % 30 - 15) < 8) * (1 + y // 30 * 39 + x // 30)).astype(np.int64)
    labels = np.unique(labels, return_inverse=True)[1].reshape(y.shape).astype(np.uint32)

    start = time.process_time()
    _, counts = trace_outlines(labels)
    took = time.process_time() - start

    assert len(counts) > 1400
    assert took / len(counts) < 1e-4
