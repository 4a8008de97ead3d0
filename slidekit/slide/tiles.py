"""Pixels of the cells of a grid: neighbours in a row are read and resampled together, then cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slidekit.errors import SlideReadError
from slidekit.pixels.image import RGBImage
from slidekit.pixels.readers.base import SlideReader
from slidekit.pixels.resize import MOST_LEAD, SHORT_LEAD
from slidekit.pixels.source import Source
from slidekit.pixels.strips import read_resampled, tiles_per_strip
from slidekit.slide.grid import CellGrid

__all__ = ["Strip", "TileReader"]


@dataclass(frozen=True)
class Strip:
    """Cells of one row that are read together.

    Attributes
    ----------
    row
        j of all cells.
    first, count
        i of the first cell, and how many follow one another.
    """

    row: int
    first: int
    count: int

    def cells(self) -> Iterator[tuple[int, int]]:
        """(i, j) of each cell, from left to right."""
        return ((self.first + k, self.row) for k in range(self.count))


class TileReader:
    """Reads the cells of a grid.

    Parameters
    ----------
    reader
        The open slide.
    grid
        Geometry of the cells.
    source
        Where their pixels come from.
    """

    def __init__(self, reader: SlideReader, grid: CellGrid, source: Source) -> None:
        self._reader = reader
        self._grid = grid
        self._source = source
        self._pitch = grid.pitch_px
        self._most = tiles_per_strip(source, grid.tile_px, self._pitch) if self._pitch else 1

    def read(self, i: int, j: int) -> RGBImage:
        """Pixels of cell (i, j), an array (tile_px, tile_px, 3).

        Raises
        ------
        SlideReadError
            If they cannot be decoded.
        """
        return self._read(Strip(j, i, 1))

    def _read(self, strip: Strip, most_lead: int = MOST_LEAD) -> RGBImage:
        x, y = self._grid.corner(strip.first, strip.row)
        tile_px = self._grid.tile_px
        width = tile_px + (strip.count - 1) * self._pitch
        return read_resampled(self._reader, self._source, x, y, width, tile_px, most_lead=most_lead)

    def _read_alone(self, i: int, j: int) -> RGBImage | SlideReadError:
        """One tile of a strip that cannot be read, from as few pixels around it as can be; or why not."""
        try:
            return self._read(Strip(j, i, 1), SHORT_LEAD)
        except SlideReadError as error:
            return error

    def strips(self, cells: Iterable[tuple[int, int]] | npt.NDArray[np.int64]) -> Iterator[Strip]:
        """Group cells in raster order into strips within the budget of memory.

        Parameters
        ----------
        cells
            (i, j) in raster order, each once.
        """
        first, row, count = 0, -1, 0
        for i, j in cells:
            if count and j == row and i == first + count and count < self._most:
                count += 1
                continue
            if count:
                yield Strip(row, first, count)
            first, row, count = int(i), int(j), 1
        if count:
            yield Strip(row, first, count)

    def cut(self, strip: Strip) -> Iterator[tuple[int, int, RGBImage | SlideReadError]]:
        """Read a strip and cut it.

        Where the strip cannot be read its tiles are read one by one, so that a damaged place costs only the tiles
        that it lies under.

        Yields
        ------
        (int, int, ndarray or SlideReadError)
            i, j, and the pixels (tile_px, tile_px, 3) or why there are none.
        """
        try:
            image = self._read(strip)
        except SlideReadError:
            for i, j in strip.cells():
                yield i, j, self._read_alone(i, j)
            return
        tile_px = self._grid.tile_px
        for k, (i, j) in enumerate(strip.cells()):
            left = k * self._pitch
            yield i, j, np.ascontiguousarray(image[:, left : left + tile_px])
