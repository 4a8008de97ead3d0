"""Overlapping windows of a slide: cores that tile it without gaps, each read with a margin of its neighbours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from slidekit.errors import SpecError

__all__ = ["LEAST_WINDOW", "CellFrame", "CellWindow", "PixelBox", "WindowGrid"]

LEAST_WINDOW = 16
"""Shortest edge of a window's core that may be asked for, pixels."""


@dataclass(frozen=True)
class PixelBox:
    """A rectangle of pixels, half open: ``left <= x < right``, ``top <= y < bottom``."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top


@dataclass(frozen=True)
class CellFrame:
    """The pixels that cells are found in: an overview grid over the whole slide.

    Attributes
    ----------
    columns, rows
        Size of the grid.
    dimensions
        Width and height of level 0, pixels.
    slide_mpp
        µm/px of level 0 along x and y.
    """

    columns: int
    rows: int
    dimensions: tuple[int, int]
    slide_mpp: tuple[float, float]

    @classmethod
    def at(cls, mpp: float, dimensions: tuple[int, int], slide_mpp: tuple[float, float]) -> CellFrame:
        """The grid whose pixels come nearest to `mpp`: whole numbers of them cover the slide."""
        columns, rows = (max(1, round(side * um / mpp)) for side, um in zip(dimensions, slide_mpp, strict=True))
        return cls(columns, rows, dimensions, slide_mpp)

    @property
    def pixel(self) -> tuple[float, float]:
        """Size of a pixel along x and y, level-0 pixels."""
        return self.dimensions[0] / self.columns, self.dimensions[1] / self.rows

    @property
    def mpp(self) -> tuple[float, float]:
        """µm per pixel along x and y."""
        return self.pixel[0] * self.slide_mpp[0], self.pixel[1] * self.slide_mpp[1]


@dataclass(frozen=True)
class CellWindow:
    """One window.

    Attributes
    ----------
    column, row
        Its place among the windows.
    core
        The pixels that are its own: a cell whose centroid lies there belongs to it.
    outer
        The pixels that are read for it: the core and a margin, as far as the slide goes.
    """

    column: int
    row: int
    core: PixelBox
    outer: PixelBox


class WindowGrid:
    """Windows over all pixels of a frame.

    Cores are made equal in size to a pixel, so that none is a sliver at the slide's edge.

    Parameters
    ----------
    columns, rows
        Size of the frame, pixels.
    window_px
        Longest edge of a core.
    margin_px
        Pixels beyond the core on each side.

    Raises
    ------
    SpecError
        If `window_px` is less than 16, or the margin negative.
    """

    def __init__(self, columns: int, rows: int, window_px: int, margin_px: int) -> None:
        if isinstance(window_px, bool) or not isinstance(window_px, int) or window_px < LEAST_WINDOW:
            raise SpecError(
                f"window_px={window_px!r} is not the edge of a window.",
                mend=f"Give a whole number from {LEAST_WINDOW} on, such as 1024.",
            )
        if margin_px < 0:
            raise SpecError(f"A margin of {margin_px} px makes no sense.", mend="Give 0 or more.")
        self._limits = columns, rows
        self._margin = margin_px
        self._across = _edges(columns, window_px)
        self._down = _edges(rows, window_px)

    @property
    def shape(self) -> tuple[int, int]:
        """Windows along x and y."""
        return len(self._across) - 1, len(self._down) - 1

    def __len__(self) -> int:
        return math.prod(self.shape)

    def __iter__(self) -> Iterator[CellWindow]:
        """Windows in raster order."""
        columns, rows = self.shape
        return (self.window(column, row) for row in range(rows) for column in range(columns))

    def window(self, column: int, row: int) -> CellWindow:
        """The window at a place."""
        core = PixelBox(self._across[column], self._down[row], self._across[column + 1], self._down[row + 1])
        outer = PixelBox(
            max(0, core.left - self._margin),
            max(0, core.top - self._margin),
            min(self._limits[0], core.right + self._margin),
            min(self._limits[1], core.bottom + self._margin),
        )
        return CellWindow(column, row, core, outer)

    def untouched(self, boxes: Iterable[PixelBox], following: CellWindow | None) -> list[PixelBox]:
        """Those of some rectangles that no window reaches, from `following` on in raster order; all for None."""
        if following is None:
            return list(boxes)
        left, top = following.outer.left, following.outer.top
        last = following.row + 1 >= self.shape[1]
        below = self._limits[1] if last else self._down[following.row + 1] - self._margin
        return [box for box in boxes if box.bottom <= top or (box.right <= left and box.bottom <= below)]


def _edges(length: int, most: int) -> list[int]:
    count = max(1, -(-length // most))
    return [length * number // count for number in range(count + 1)]
