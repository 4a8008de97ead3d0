"""Areas under boxes, against the mask enlarged and averaged in double precision."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from slidekit.sampling.masks.packed import PackedMask
from slidekit.sampling.places.areas import box_sums, integral_sums, sums_about_centres

FINE = 8


def by_enlarging(mask: np.ndarray, box: np.ndarray) -> float:
    """Count of 1/8 pixels; exact for boxes whose corners are eighths."""
    x0, y0, x1, y1 = np.rint(box * FINE).astype(int)
    large = np.kron(mask, np.ones((FINE, FINE)))
    return large[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)].sum() / FINE**2


@hypothesis_settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 20), st.integers(1, 30), st.sampled_from([1, 60]))
def test_sums_are_those_of_the_enlarged_mask(seed: int, rows: int, columns: int, count: int) -> None:
    # Arrange: one box is added up by pixels where the mask is large, many by an integral image
    rng = np.random.default_rng(seed)
    mask = rng.random((rows, columns)) < 0.5
    corners = rng.integers(-3 * FINE, 33 * FINE, (count, 2, 2)) / FINE
    boxes = np.hstack([corners.min(axis=1), corners.max(axis=1)])
    # Act
    sums = box_sums(PackedMask(mask), boxes)
    # Assert
    assert sums == pytest.approx([by_enlarging(mask, box) for box in boxes], abs=1e-9)


def test_both_ways_agree() -> None:
    rng = np.random.default_rng(0)
    mask = PackedMask(rng.random((300, 400)) < 0.3)
    corners = rng.random((40, 2)) * 450 - 25
    boxes = np.hstack([corners, corners + rng.random((40, 1)) * 9])
    one_by_one = np.concatenate([box_sums(mask, boxes[[row]]) for row in range(40)])
    together = box_sums(mask, np.repeat(boxes, 50, axis=0))[::50]
    assert one_by_one == pytest.approx(together, abs=1e-9)
    assert box_sums(mask, boxes[:0]).shape == (0,)


@pytest.mark.parametrize("size", [(0.4, 0.7), (1.0, 1.0), (3.0, 2.5), (7.25, 40.0), (500.0, 500.0)])
def test_sums_about_centres_are_those_of_boxes(size) -> None:
    mask = np.random.default_rng(1).random((23, 31)) < 0.6
    rows, columns = np.indices(mask.shape).reshape(2, -1) + 0.5
    boxes = np.column_stack([columns - size[0] / 2, rows - size[1] / 2, columns + size[0] / 2, rows + size[1] / 2])
    sums = sums_about_centres(mask.astype(np.uint8), size)
    assert sums.ravel() == pytest.approx(box_sums(PackedMask(mask), boxes), rel=1e-5, abs=1e-5)


def test_sums_of_boxes_in_rows_and_columns() -> None:
    # Arrange
    rng = np.random.default_rng(2)
    mask = rng.random((13, 19)) < 0.5
    x, y = np.sort(rng.integers(0, 20, (2, 5)), axis=0), np.sort(rng.integers(0, 14, (2, 4)), axis=0)
    integral = np.pad(mask, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1).astype(np.float64)
    # Act
    sums = integral_sums(integral, (x[0], x[1]), (y[0], y[1]))
    # Assert
    boxes = np.array([(x[0, i], y[0, j], x[1, i], y[1, j]) for j in range(4) for i in range(5)], np.float64)
    assert sums.ravel() == pytest.approx(box_sums(PackedMask(mask), boxes), abs=1e-9)
