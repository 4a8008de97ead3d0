from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.cells.windows import CellFrame, PixelBox, WindowGrid
from slidekit.errors import SpecError


@settings(deadline=None, max_examples=30)
@given(columns=st.integers(1, 300), rows=st.integers(1, 200), window_px=st.integers(16, 90), margin=st.integers(0, 50))
def test_cores_cover_every_pixel_once(columns: int, rows: int, window_px: int, margin: int) -> None:
    grid = WindowGrid(columns, rows, window_px, margin)

    covered = np.zeros((rows, columns), int)
    for window in grid:
        core, outer = window.core, window.outer
        covered[core.top : core.bottom, core.left : core.right] += 1
        assert 0 < core.width <= window_px
        assert 0 < core.height <= window_px
        assert outer.left == max(0, core.left - margin)
        assert outer.bottom == min(rows, core.bottom + margin)

    assert (covered == 1).all()
    assert len(grid) == len(list(grid))


@settings(deadline=None, max_examples=30)
@given(
    columns=st.integers(1, 200),
    rows=st.integers(1, 200),
    window_px=st.integers(16, 60),
    margin=st.integers(0, 70),
    edge=st.integers(5, 80),
    skipped=st.integers(1, 4),
)
def test_what_is_untouched_is_not_reached_again(
    columns: int, rows: int, window_px: int, margin: int, edge: int, skipped: int
) -> None:
    grid = WindowGrid(columns, rows, window_px, margin)
    windows = list(grid)[::skipped]
    boxes = [
        PixelBox(x, y, min(x + edge, columns), min(y + edge, rows))
        for y in range(0, rows, edge)
        for x in range(0, columns, edge)
    ]

    for number, window in enumerate(windows):
        for box in grid.untouched(boxes, window):
            for later in windows[number:]:
                outer = later.outer
                assert (
                    box.right <= outer.left
                    or outer.right <= box.left
                    or box.bottom <= outer.top
                    or outer.bottom <= box.top
                )

    assert grid.untouched(boxes, None) == boxes


def test_what_lies_behind_is_let_go_early() -> None:
    grid = WindowGrid(400, 200, 100, 20)
    boxes = [PixelBox(x, 0, x + 50, 50) for x in range(0, 400, 50)]

    # What the row below will reach begins at 80.
    assert grid.untouched(boxes, grid.window(2, 0)) == boxes[:3]
    assert grid.untouched(boxes, grid.window(0, 1)) == boxes
    below = [PixelBox(x, 0, x + 100, 100) for x in range(0, 400, 100)]
    assert grid.untouched(below, grid.window(3, 0)) == []
    assert grid.untouched(below, grid.window(2, 1)) == below[:1]


def test_a_frame_covers_the_slide_with_whole_pixels() -> None:
    frame = CellFrame.at(0.5, (1001, 700), (0.2528, 0.25))

    assert (frame.columns, frame.rows) == (506, 350)
    assert frame.pixel == pytest.approx((1001 / 506, 2.0))
    assert frame.mpp == pytest.approx((0.2528 * 1001 / 506, 0.5))


@pytest.mark.parametrize(("window_px", "margin"), [(15, 0), (True, 0), (32.0, 0), (32, -1)])
def test_windows_that_make_no_sense(window_px: int, margin: int) -> None:
    with pytest.raises(SpecError):
        WindowGrid(100, 100, window_px, margin)
