"""Large windows of a slide's overview, for networks; what cannot be decoded is white."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from slidekit.errors import SlideReadError
from slidekit.pixels.image import WHITE, RGBImage

if TYPE_CHECKING:
    from slidekit.slide.qc.base import SlideView

__all__ = ["WindowReader"]

_MOST_LOST = 0.05
"""Share of what is read that may be undecodable, as for a slide's overview."""

_SMALLEST_PART = 16
"""Pixels below which a part that cannot be decoded is given up, at first."""

_PARTS = 1000
"""Parts after which twice as large ones are given up: a slide that is damaged all over must be told soon."""


class WindowReader:
    """Reads windows of an overview grid, and counts what is lost.

    Parameters
    ----------
    slide
        The slide.
    grid
        Columns and rows of the overview.
    """

    def __init__(self, slide: SlideView, grid: tuple[int, int]) -> None:
        self._slide = slide
        self._grid = grid
        self._most = _MOST_LOST * grid[0] * grid[1]
        self._parts = 0

    def batches(
        self,
        starts: tuple[Sequence[int], Sequence[int]],
        size: int,
        wanted: npt.NDArray[np.bool_],
        *,
        batch: int,
        buffer: int,
    ) -> Iterator[tuple[list[tuple[int, int]], npt.NDArray[np.uint8]]]:
        """Windows in batches; pixels are read once for a square of windows.

        Parameters
        ----------
        starts
            Columns and rows at which windows begin.
        size
            Edge of a window, pixels.
        wanted
            (windows down, windows across): those to be read.
        batch
            Most windows of a batch.
        buffer
            Windows on a side of the square.

        Yields
        ------
        (list of (int, int), ndarray (n, size, size, 3))
            Each window's row and column, and its pixels, uint8 RGB.
        """
        across, down = starts
        for top in range(0, len(down), buffer):
            for left in range(0, len(across), buffer):
                found = np.argwhere(wanted[top : top + buffer, left : left + buffer]) + np.array((top, left))
                if not len(found):
                    continue
                (row, column), (last_row, last_column) = found.min(axis=0), found.max(axis=0)
                x, y = across[column], down[row]
                image = self.read((x, y), (across[last_column] + size - x, down[last_row] + size - y))
                for first in range(0, len(found), batch):
                    places = [(int(row), int(column)) for row, column in found[first : first + batch]]
                    corners = [(down[row] - y, across[column] - x) for row, column in places]
                    yield places, np.stack([image[j : j + size, i : i + size] for j, i in corners])

    def read(self, corner: tuple[int, int], size: tuple[int, int]) -> RGBImage:
        """A window of the grid.

        Parameters
        ----------
        corner
            (x, y) of its top-left pixel; may lie outside.
        size
            Width and height, pixels.

        Returns
        -------
        ndarray (height, width, 3), uint8, RGB
            White beyond the slide, and where it cannot be decoded.

        Raises
        ------
        SlideReadError
            If by now more than 5 % of the slide could not be decoded.
        """
        try:
            return self._slide.overview_window(*self._grid, corner=corner, size=size)
        except SlideReadError as error:
            width, height = size
            if max(size) <= _SMALLEST_PART << (self._parts // _PARTS):
                self._parts += 1
                self._most -= width * height
                if self._most < 0:
                    raise SlideReadError(
                        f"More than {_MOST_LOST:.0%} of slide {self._slide.name} cannot be decoded ({error.message}).",
                        mend="Copy the file again from its source, or leave the slide out.",
                        path=error.path,
                    ) from error
                return np.full((height, width, 3), WHITE, np.uint8)
        # One damaged native tile must not cost a whole window: halve until what is lost is small.
        if width >= height:
            half = width // 2
            left = self.read(corner, (half, height))
            return np.hstack([left, self.read((corner[0] + half, corner[1]), (width - half, height))])
        half = height // 2
        top = self.read(corner, (width, half))
        return np.vstack([top, self.read((corner[0], corner[1] + half), (width, height - half))])
