"""Shapes, joining, tidying: what is done to labelled regions."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.cells.methods.joining import join_islands, join_pieces
from slidekit.cells.methods.pieces import fill_holes, largest_pieces, open_regions, ring_around
from slidekit.cells.methods.shapes import relabel, shapes_of


def ellipses(*drawn: tuple[tuple[float, float], tuple[float, float], float]) -> np.ndarray:
    """Labels of ellipses: centre (x, y), half axes, angle."""
    y, x = np.mgrid[:60, :80].astype(np.float64)
    labels = np.zeros((60, 80), np.int32)
    for label, (center, axes, angle) in enumerate(drawn, 1):
        u = (x - center[0]) * np.cos(angle) + (y - center[1]) * np.sin(angle)
        v = (y - center[1]) * np.cos(angle) - (x - center[0]) * np.sin(angle)
        labels[(u / axes[0]) ** 2 + (v / axes[1]) ** 2 <= 1] = label
    return labels


@settings(deadline=None, max_examples=8)
@given(long=st.floats(6, 18), share=st.floats(0.3, 1), angle=st.floats(0, np.pi))
def test_axes_are_those_of_skimage(long: float, share: float, angle: float) -> None:
    from skimage.measure import regionprops

    labels = ellipses(((40, 30), (long, long * share), angle), ((8, 8), (4, 3), 0))

    shapes = shapes_of(labels)

    longer, shorter = shapes.axes()
    for region in regionprops(labels):
        assert shapes.area[region.label] == region.area
        # Pixels are points to skimage and squares here: 1/12 more of variance, and axes are 4 standard deviations.
        assert longer[region.label] == pytest.approx(np.sqrt(region.axis_major_length**2 + 16 / 12))
        assert shorter[region.label] == pytest.approx(np.sqrt(region.axis_minor_length**2 + 16 / 12))


def test_an_ellipse_fills_its_own_and_two_disks_do_not() -> None:
    labels = ellipses(((20, 30), (14, 7), 0.4), ((50, 30), (8, 8), 0), ((66, 30), (8, 8), 0))
    pair = np.where(labels == 3, 2, labels).astype(np.int32)

    filled = shapes_of(pair).filled()

    assert filled[1] == pytest.approx(1, abs=0.02)
    # Of two disks, from the moments of a disk: 1 / (2 √(5/16)).
    assert filled[2] == pytest.approx(0.894, abs=0.02)


def test_shapes_do_not_depend_on_the_place() -> None:
    labels = ellipses(((20, 30), (14, 7), 0.4))
    far = np.zeros((2060, 3080), np.int32)
    far[2000:, 3000:] = labels

    assert np.array_equal(shapes_of(labels).axes()[0], shapes_of(far).axes()[0])


USUAL = np.array([0, 1.0, 1.0])
"""Darkness of regions, in the usual contrast."""


def halves(labels: np.ndarray, column: int) -> np.ndarray:
    columns = np.arange(labels.shape[1])
    return np.where((labels > 0) & (columns >= column), 2, labels).astype(np.int32)


def test_two_halves_of_an_ellipse_are_joined_and_two_disks_are_not() -> None:
    ellipse = halves(ellipses(((40, 30), (13, 8), 0)), 40)
    disks = ellipses(((32, 30), (7, 7), 0), ((45.5, 30), (7, 7), 0))
    heights = np.array([0, 1000, 1000])

    shallow, deep = np.full((60, 80), 950, np.int16), np.full((60, 80), 450, np.int16)

    assert join_pieces(ellipse, shallow, heights, USUAL, usual_px=16, longest_px=40).max() == 1
    assert join_pieces(disks, deep, heights, USUAL, usual_px=16, longest_px=40).max() == 2


def test_pale_halves_are_one_nucleus_sooner_than_dark_ones() -> None:
    touching = ellipses(((33.5, 30), (9, 8), 0), ((46.5, 30), (9, 8), 0))
    heights, valley = np.array([0, 1000, 1000]), np.full((60, 80), 800, np.int16)

    joined = [
        join_pieces(touching, valley, heights, np.array([0, dark, dark]), usual_px=16, longest_px=40).max()
        for dark in (0.2, 0.6, 1.0, 1.4, 1.8)
    ]

    assert joined == sorted(joined)
    assert (joined[0], joined[-1]) == (1, 2)


def test_an_island_that_is_an_ellipse_is_one_nucleus_however_often_it_was_cut() -> None:
    labels = ellipses(((20, 30), (9, 7), 0.3), ((46, 30), (7, 7), 0), ((59.5, 30), (7, 7), 0))
    rows, columns = np.indices(labels.shape)
    cut = np.where(labels == 1, 10 + (rows > 31) + 2 * (columns > 22), labels).astype(np.int32)

    joined = join_islands(cut, longest_px=30)

    (one,) = np.unique(joined[labels == 1])
    # It is called by its largest piece.
    assert one == np.argmax(np.bincount(cut[labels == 1]))
    assert np.array_equal(joined[labels > 1], labels[labels > 1])
    assert np.array_equal(join_islands(cut, longest_px=12), cut)


def test_nothing_longer_than_the_longest_is_joined() -> None:
    ellipse = halves(ellipses(((40, 30), (13, 8), 0)), 40)
    level = np.full((60, 80), 950, np.int16)

    assert join_pieces(ellipse, level, np.array([0, 1000, 1000]), USUAL, usual_px=16, longest_px=20).max() == 2


def test_no_regions_are_joined_to_none() -> None:
    empty = np.zeros((5, 5), np.int32)

    joined = join_pieces(empty, np.zeros((5, 5), np.int16), np.array([0]), np.zeros(1), usual_px=16, longest_px=40)

    assert not joined.any()


def test_threads_are_taken_off_and_narrow_regions_stay() -> None:
    labels = ellipses(((25, 30), (9, 9), 0))
    labels[30, 30:60] = 1
    labels[5:8, 40:70] = 2

    opened = open_regions(labels)

    assert not opened[30, 40:60].any()
    assert (opened[6, 42:68] == 2).all()
    assert (opened == 1).sum() > 0.9 * np.pi * 81


def test_of_every_region_the_largest_piece_stays_also_where_regions_touch() -> None:
    labels = np.zeros((20, 30), np.int32)
    labels[2:10, 2:10], labels[2:10, 10:20] = 1, 2
    labels[15:18, 2:5], labels[15:17, 20:22] = 1, 2

    kept = largest_pieces(labels)

    wanted = labels.copy()
    wanted[12:] = 0
    assert np.array_equal(kept, wanted)


@pytest.mark.parametrize(("largest", "filled"), [(3, False), (4, True)])
def test_holes_up_to_a_size_are_filled(largest: int, filled: bool) -> None:
    labels = ellipses(((25, 30), (9, 9), 0))
    labels[29:31, 24:26] = 0

    assert (fill_holes(labels, largest)[29:31, 24:26] == filled).all()


def test_a_hole_between_two_regions_is_no_hole() -> None:
    labels = np.zeros((12, 12), np.int32)
    labels[2:10, 2:6], labels[2:10, 6:10] = 1, 2
    labels[5:7, 5:7] = 0

    assert np.array_equal(fill_holes(labels, 10), labels)


def test_a_ring_lies_around_its_region() -> None:
    labels = ellipses(((25, 30), (9, 9), 0))

    ring = ring_around(labels, 3)

    distance = cv2.distanceTransform((labels == 0).astype(np.uint8), cv2.DIST_L2, 5)
    assert not ring[labels > 0].any()
    assert distance[ring > 0].max() < 4
    assert ring[(distance > 0) & (distance < 2.5)].all()


def test_labels_that_are_left_are_numbered_anew() -> None:
    labels = np.array([[0, 1, 2], [3, 3, 4]], np.int32)

    left = relabel(labels, np.array([True, False, True, False, True]))

    assert left.tolist() == [[0, 0, 1], [0, 0, 2]]
