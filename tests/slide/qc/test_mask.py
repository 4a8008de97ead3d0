"""Masks under tiles, and blur burden, against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from slidekit.slide.qc import QCMask, blur_burden

masks = hnp.arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9)))
numbers = st.floats(-3, 14, allow_nan=False)


def covered_by_hand(mask: np.ndarray, box: tuple[float, ...], size: tuple[int, int]) -> tuple[float, float]:
    """Masked area and area of a box inside the slide, pixel by pixel of the mask."""
    rows, columns = mask.shape
    width, height = size[0] / columns, size[1] / rows
    masked = total = 0.0
    for row in range(rows):
        for column in range(columns):
            across = min(box[2], (column + 1) * width) - max(box[0], column * width)
            down = min(box[3], (row + 1) * height) - max(box[1], row * height)
            area = max(0.0, across) * max(0.0, down)
            total += area
            masked += area * bool(mask[row, column])
    return masked, total


@given(masks, st.tuples(numbers, numbers, numbers, numbers), st.tuples(st.integers(1, 12), st.integers(1, 12)))
@settings(deadline=None, max_examples=300)
def test_the_share_under_a_box_is_exact(mask, corners, size) -> None:
    x0, x1 = sorted(corners[:2])
    y0, y1 = sorted(corners[2:])

    share = QCMask(mask, "any", "any").share_under(np.array([[x0, y0, x1, y1]]), size)

    masked, total = covered_by_hand(mask, (x0, y0, x1, y1), size)
    if total > 1e-6:
        assert share[0] == pytest.approx(masked / total, abs=1e-6)
    assert 0 <= share[0] <= 1


def test_a_box_outside_the_slide_has_nothing_under_it() -> None:
    mask = QCMask(np.ones((4, 4), np.bool_), "any", "any")
    assert mask.share_under(np.array([[50.0, 0, 60, 10], [-9, -9, -1, -1]]), (40, 40)).tolist() == [0, 0]


def test_half_a_box_over_the_edge_counts_its_inner_half() -> None:
    mask = QCMask(np.ones((4, 4), np.bool_), "any", "any")
    assert mask.share_under(np.array([[35.0, 0, 45, 10]]), (40, 40)).tolist() == [1]


@pytest.mark.parametrize(("masked", "dropped"), [(5, False), (6, False), (7, True)])
def test_a_tile_is_dropped_above_the_threshold_and_not_at_it(masked: int, dropped: bool) -> None:
    under = np.zeros((1, 30), np.bool_)
    under[0, 10 : 10 + masked] = True
    mask = QCMask(under, "any", "any", 0.6)
    # The same tile in other units of level 0: sums of binary fractions must not make 0.6 more than 0.6.
    for width in (30, 100, 7, 11, 13, 22, 35, 12345):
        box = np.array([[width / 3, 0, 2 * width / 3, 1]])
        assert mask.drops(box, (width, 1)).tolist() == [dropped]


def test_a_threshold_of_1_drops_nothing() -> None:
    mask = QCMask(np.ones((3, 3), np.bool_), "any", "any", 1.0)
    assert not mask.drops(np.array([[0.0, 0, 3, 3]]), (3, 3)).any()


@pytest.mark.parametrize("blur_factor", [1, 2, 3])
@pytest.mark.parametrize("background_factor", [1, 2, 5])
def test_blur_burden_is_the_blurred_share_of_tissue_at_any_two_resolutions(blur_factor, background_factor) -> None:
    # Arrange: 30 of 100 cells are glass, 21 of the 70 of tissue are blurred; all glass is "blurred" too
    blur, background = np.zeros((10, 10), np.bool_), np.zeros((10, 10), np.bool_)
    background[:3] = True
    blur[:3] = True
    blur[3:, :3] = True

    # Act
    burden = blur_burden(
        np.kron(blur, np.ones((blur_factor,) * 2)).astype(np.bool_),
        np.kron(background, np.ones((background_factor,) * 2)).astype(np.bool_),
    )

    # Assert
    exact = np.lcm(blur_factor, background_factor) in (blur_factor, background_factor)
    assert burden == pytest.approx(0.3, abs=1e-12 if exact else 0.03)


def test_without_tissue_there_is_no_burden() -> None:
    assert blur_burden(np.ones((2, 2), np.bool_), np.ones((3, 3), np.bool_)) is None


def test_resizing_keeps_each_pixel_where_it_is() -> None:
    mask = QCMask(np.array([[True, False], [False, True]]), "any", "any")
    assert np.array_equal(mask.resized(4, 6), np.kron(mask.mask, np.ones((3, 2))).astype(np.bool_))
    assert mask.share == 0.5
