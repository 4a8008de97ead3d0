"""Large windows of a slide's overview, for networks; what cannot be decoded is white."""

from __future__ import annotations

import math
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

_SMALLEST_BLOCK = 16
"""Edge of the blocks, in pixels, by which what cannot be decoded is given up."""

_MOST_BLOCKS = 1 << 16
"""Blocks of a slide; a larger one has larger blocks: one that is damaged all over must be told soon."""


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
        self._block = _SMALLEST_BLOCK
        while grid[0] * grid[1] > _MOST_BLOCKS * self._block**2:
            self._block *= 2
        self._lost: set[tuple[int, int]] = set()
        self._lost_pixels = 0
        self._last = SlideReadError("")

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
                corner, far = (x, y), (across[last_column] + size, down[last_row] + size)
                image = self._whole(corner, (far[0] - x, far[1] - y))
                for first in range(0, len(found), batch):
                    places = [(int(row), int(column)) for row, column in found[first : first + batch]]
                    corners = [(across[column], down[row]) for row, column in places]
                    if image is None:
                        # Each by itself: what a window holds must not depend on those that are read with it.
                        yield places, np.stack([self.read(one, (size, size)) for one in corners])
                    else:
                        yield places, np.stack([image[j - y : j - y + size, i - x : i - x + size] for i, j in corners])

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
            White beyond the slide, and in blocks of 16 px or more any of which cannot be decoded; blocks lie on a
            lattice of the slide's own, so that they are the same however windows lie.

        Raises
        ------
        SlideReadError
            If by now more than 5 % of the slide could not be decoded.
        """
        image = self._whole(corner, size)
        if image is not None:
            return image
        (x, y), (width, height), block = corner, size, self._block
        # One damaged native tile must not cost a whole window: halve, between blocks, until what is lost is small.
        columns, rows = (
            (start // block, (start + length - 1) // block) for start, length in zip(corner, size, strict=True)
        )
        if columns[0] == columns[1] and rows[0] == rows[1]:
            whole = self._read_block(columns[0], rows[0])
            i, j = x - columns[0] * block, y - rows[0] * block
            return whole[j : j + height, i : i + width]
        if columns[1] - columns[0] >= rows[1] - rows[0]:
            half = (columns[0] + columns[1] + 1) // 2 * block - x
            left = self.read(corner, (half, height))
            return np.hstack([left, self.read((x + half, y), (width - half, height))])
        half = (rows[0] + rows[1] + 1) // 2 * block - y
        top = self.read(corner, (width, half))
        return np.vstack([top, self.read((x, y + half), (width, height - half))])

    def _whole(self, corner: tuple[int, int], size: tuple[int, int]) -> RGBImage | None:
        """A window, or None if any of it cannot be decoded."""
        try:
            return self._slide.overview_window(*self._grid, corner=corner, size=size)
        except SlideReadError as error:
            self._last = error
            return None

    def _read_block(self, column: int, row: int) -> RGBImage:
        """A block, white if any of it cannot be decoded; then it is counted, once however often it is read."""
        edge = self._block
        image = None if (column, row) in self._lost else self._whole((column * edge, row * edge), (edge, edge))
        if image is not None:
            return image
        if (column, row) not in self._lost:
            self._lost.add((column, row))
            lengths = (
                max(0, min((place + 1) * edge, length) - max(place * edge, 0))
                for place, length in zip((column, row), self._grid, strict=True)
            )
            self._lost_pixels += math.prod(lengths)
        if self._lost_pixels > _MOST_LOST * math.prod(self._grid):
            raise SlideReadError(
                f"More than {_MOST_LOST:.0%} of slide {self._slide.name} cannot be decoded ({self._last.message}).",
                mend="Copy the file again from its source, or leave the slide out.",
                path=self._last.path,
            ) from self._last
        return np.full((edge, edge, 3), WHITE, np.uint8)
