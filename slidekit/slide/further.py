"""Concentric tiles: around the centre of each cell, tiles of further sizes, read at their own µm/px."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from slidekit.errors import SlideReadError
from slidekit.pixels.image import RGBImage
from slidekit.pixels.readers.base import SlideReader
from slidekit.pixels.resize import MOST_LEAD, SHORT_LEAD
from slidekit.pixels.strips import read_resampled, tiles_per_strip
from slidekit.slide.grid import TOLERANCE, CellGrid
from slidekit.slide.plan import FurtherPlan

__all__ = ["FurtherReader"]

_MOST_DRIFT = 0.01
"""Output pixels that the last tile of a strip may lie off its place, where their distance is no whole number."""

Cell = tuple[int, int]


class FurtherReader:
    """Reads tiles of a further size around the centres of cells.

    A tile's centre is that of its cell exactly, a real number of level-0 pixels. What lies beyond the slide is white.

    Parameters
    ----------
    reader
        The open slide.
    grid
        Geometry of the cells.
    plan
        The size of the tiles, and where their pixels come from.
    """

    def __init__(self, reader: SlideReader, grid: CellGrid, plan: FurtherPlan) -> None:
        self._reader = reader
        self._grid = grid
        self._plan = plan
        # From a cell to the next in its row, in output pixels of this size.
        pitch = grid.pitch_px * grid.tile_width / plan.tile_width
        self._pitch = round(pitch)
        off = abs(pitch - self._pitch)
        self._most = 1
        if self._pitch:
            lasting = 1 + int(_MOST_DRIFT / off) if off else 1 << 30
            self._most = min(tiles_per_strip(plan.source, grid.tile_px, self._pitch), lasting)

    @property
    def name(self) -> str:
        """The size, as it stands in the names of features."""
        return self._plan.name

    def corner(self, i: int, j: int) -> tuple[float, float]:
        """Exact top-left corner of the tile around cell (i, j), level-0 pixels; may lie outside the slide."""
        grid, plan = self._grid, self._plan
        x, y = grid.corner(i, j)
        return x + (grid.tile_width - plan.tile_width) / 2, y + (grid.tile_height - plan.tile_height) / 2

    def is_edge(self, i: int, j: int) -> bool:
        """Whether the tile around cell (i, j) reaches over an edge of the slide, where it is padded white."""
        x, y = self.corner(i, j)
        width, height = self._reader.dimensions
        right, bottom = x + self._plan.tile_width, y + self._plan.tile_height
        return min(x, y) < -TOLERANCE or right > width + TOLERANCE or bottom > height + TOLERANCE

    def read(self, cells: Sequence[Cell]) -> Iterator[RGBImage | SlideReadError]:
        """Read the tiles around some cells of one row.

        Parameters
        ----------
        cells
            (i, j) with one j, i rising.

        Yields
        ------
        ndarray (tile_px, tile_px, 3) or SlideReadError
            The pixels, uint8 RGB, or why there are none; a tile for each cell, in their order. What lies together is
            read and resampled together; where that cannot be read, tile by tile.
        """
        for run in self._runs(cells):
            try:
                image = self._read(run[0], len(run))
            except SlideReadError:
                for cell in run:
                    yield self._read_alone(cell)
                continue
            tile_px = self._grid.tile_px
            for k in range(len(run)):
                left = k * self._pitch
                yield np.ascontiguousarray(image[:, left : left + tile_px])

    def _runs(self, cells: Sequence[Cell]) -> Iterator[Sequence[Cell]]:
        """Cells that follow one another, as many as are read together."""
        first = 0
        for k in range(1, len(cells) + 1):
            if k == len(cells) or cells[k][0] != cells[k - 1][0] + 1 or k - first == self._most:
                yield cells[first:k]
                first = k

    def _read(self, cell: Cell, count: int, most_lead: int = MOST_LEAD) -> RGBImage:
        tile_px = self._grid.tile_px
        width = tile_px + (count - 1) * self._pitch
        return read_resampled(self._reader, self._plan.source, *self.corner(*cell), width, tile_px, most_lead=most_lead)

    def _read_alone(self, cell: Cell) -> RGBImage | SlideReadError:
        try:
            return self._read(cell, 1, SHORT_LEAD)
        except SlideReadError as error:
            return error
