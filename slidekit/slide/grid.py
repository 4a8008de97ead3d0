"""The grid of candidate tiles of a slide: squares of one physical size, exact in microns.

Cell (i, j) spans ``[i·stride, i·stride + tile)`` from the origin, along x by i and along y by j. Edges are real
numbers of level-0 pixels; nothing is rounded until pixels are read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from slidekit.errors import SpecError

__all__ = ["TOLERANCE", "CellGrid", "Grid", "floor_centres", "make_grid"]

TOLERANCE = 1e-6
"""Level-0 pixels by which a cell may seem to reach over the edge because numbers are binary."""


class CellGrid(Protocol):
    """Cells of one size on a slide, whatever settles where they lie: a `Grid`, or a `PlaceGrid` of given coordinates.

    A cell is (i, j). Cells of equal j that follow one another in i lie `pitch_px` output pixels apart in one row.
    """

    @property
    def tile_px(self) -> int:
        """Edge of a tile in output pixels."""

    @property
    def tile_width(self) -> float:
        """Edge of a tile along x, level-0 pixels."""

    @property
    def tile_height(self) -> float:
        """Edge of a tile along y, level-0 pixels."""

    @property
    def mpp_x(self) -> float:
        """µm/px of level 0 along x."""

    @property
    def mpp_y(self) -> float:
        """µm/px of level 0 along y."""

    @property
    def tile_um(self) -> tuple[float, float]:
        """Edge of a tile along x and y, microns."""

    @property
    def shape(self) -> tuple[int, int]:
        """Two numbers whose product is the number of cells; (columns, rows) of a grid."""

    @property
    def pitch_px(self) -> int:
        """From a cell to the next in its row, output pixels; 0 where that is no whole number."""

    def __len__(self) -> int: ...
    def corner(self, i: int, j: int) -> tuple[float, float]:
        """Exact top-left corner of a cell, level-0 pixels."""

    def location(self, i: int, j: int) -> tuple[int, int]:
        """The cell's centre, level-0 pixels, rounded down."""

    def is_edge(self, i: int, j: int) -> bool:
        """Whether a cell reaches over the slide's edge."""

    def cells(self) -> npt.NDArray[np.int64]:
        """(n, 2) of (i, j): all cells in the order in which they are read."""

    def boxes(self) -> npt.NDArray[np.float64]:
        """(n, 4) of x0, y0, x1, y1 of all cells, level-0 pixels."""

    def locations(self) -> npt.NDArray[np.int64]:
        """(n, 2): `location` of all cells."""

    def index(self, i: int, j: int) -> int:
        """Place of a cell among all; IndexError if there is no such cell."""


@dataclass(frozen=True)
class Grid:
    """Geometry of the candidate tiles of one slide.

    Attributes
    ----------
    tile_px
        Edge of a tile in output pixels.
    tile_width, tile_height
        Edge of a tile in level-0 pixels; they differ where µm/px does.
    stride_div
        A tile's edge over the stride.
    origin_x, origin_y
        Where cell (0, 0) begins, level-0 pixels.
    columns, rows
        Number of cells along x and y.
    mpp_x, mpp_y
        µm/px of level 0.
    width, height
        Size of the slide, level-0 pixels.
    """

    tile_px: int
    tile_width: float
    tile_height: float
    stride_div: float
    origin_x: float
    origin_y: float
    columns: int
    rows: int
    mpp_x: float
    mpp_y: float
    width: int
    height: int

    @property
    def tile_um(self) -> tuple[float, float]:
        """Edge of a tile along x and y, microns."""
        return self.tile_width * self.mpp_x, self.tile_height * self.mpp_y

    @property
    def stride_x(self) -> float:
        """From one cell to the next along x, level-0 pixels."""
        return self.tile_width / self.stride_div

    @property
    def stride_y(self) -> float:
        """From one cell to the next along y, level-0 pixels."""
        return self.tile_height / self.stride_div

    @property
    def pitch_px(self) -> int:
        """From one cell to the next, output pixels; 0 where that is no whole number."""
        pitch = self.tile_px / self.stride_div
        # Cells whose distance is not a whole number of output pixels do not lie on one pixel grid.
        return round(pitch) if abs(pitch - round(pitch)) < 1e-9 and pitch >= 1 else 0

    @property
    def shape(self) -> tuple[int, int]:
        """(columns, rows), as Slideflow's ``WSI.shape`` counts: x first."""
        return self.columns, self.rows

    def __len__(self) -> int:
        return self.columns * self.rows

    def corner(self, i: int, j: int) -> tuple[float, float]:
        """Exact top-left corner of cell (i, j), level-0 pixels."""
        return self.origin_x + i * self.stride_x, self.origin_y + j * self.stride_y

    def location(self, i: int, j: int) -> tuple[int, int]:
        """The cell's centre as it stands in records: level-0 pixels, rounded down."""
        x, y = self.corner(i, j)
        return _floor(x + self.tile_width / 2), _floor(y + self.tile_height / 2)

    def is_edge(self, i: int, j: int) -> bool:
        """Whether cell (i, j) reaches over the slide's right or lower edge, where it is padded white."""
        x, y = self.corner(i, j)
        return x + self.tile_width > self.width + TOLERANCE or y + self.tile_height > self.height + TOLERANCE

    def cells(self) -> npt.NDArray[np.int64]:
        """All cells in raster order (row by row), an array (n, 2) of (i, j)."""
        j, i = np.divmod(np.arange(len(self), dtype=np.int64), max(self.columns, 1))
        return np.stack([i, j], axis=1)

    def boxes(self) -> npt.NDArray[np.float64]:
        """Exact boxes of all cells in raster order, an array (n, 4) of x0, y0, x1, y1 in level-0 pixels."""
        cells = self.cells()
        x = self.origin_x + cells[:, 0] * self.stride_x
        y = self.origin_y + cells[:, 1] * self.stride_y
        return np.stack([x, y, x + self.tile_width, y + self.tile_height], axis=1)

    def locations(self) -> npt.NDArray[np.int64]:
        """`location` of all cells in raster order, an array (n, 2)."""
        boxes = self.boxes()
        centres = np.stack([boxes[:, 0] + self.tile_width / 2, boxes[:, 1] + self.tile_height / 2], axis=1)
        return floor_centres(centres)

    def index(self, i: int, j: int) -> int:
        """Place of cell (i, j) in raster order.

        Raises
        ------
        IndexError
            If there is no such cell.
        """
        if not (0 <= i < self.columns and 0 <= j < self.rows):
            raise IndexError(f"cell ({i}, {j}) is outside the grid of {self.columns} × {self.rows} cells")
        return j * self.columns + i


_SNAP = 1e-9
"""Keeps 128.0 − 1 ulp from becoming 127: a centre on a whole pixel stays there."""


def floor_centres(centres: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Centres as they stand in records: level-0 pixels, rounded down."""
    return np.floor(centres + _SNAP).astype(np.int64)


def _floor(value: float) -> int:
    return math.floor(value + _SNAP)


def make_grid(
    dimensions: tuple[int, int],
    mpp: tuple[float, float],
    *,
    tile_px: int,
    tile_size: tuple[float, float],
    stride_div: float = 1.0,
    origin: tuple[float, float] = (0.0, 0.0),
    use_edge_tiles: bool = False,
) -> Grid:
    """Lay the grid over a slide.

    Parameters
    ----------
    dimensions
        Width and height of level 0, pixels.
    mpp
        µm/px of level 0 along x and y.
    tile_px
        Edge of a tile in output pixels.
    tile_size
        Edges of a tile along x and y in level-0 pixels.
    stride_div
        A tile's edge over the stride.
    origin
        Where cell (0, 0) begins, level-0 pixels.
    use_edge_tiles
        Whether cells that reach over the right and lower edge exist.

    Raises
    ------
    SpecError
        If the origin is left of the slide or above it, where cells would begin outside.
    """
    if not all(math.isfinite(start) and start >= 0 for start in origin):
        raise SpecError(
            f"origin={origin} is not a place on a slide.", mend="Give x and y in level-0 pixels, from 0 on."
        )
    counts = [
        _count(dimensions[axis] - origin[axis], tile_size[axis], tile_size[axis] / stride_div, use_edge_tiles)
        for axis in (0, 1)
    ]
    columns, rows = counts if all(counts) else (0, 0)
    return Grid(tile_px, *tile_size, stride_div, *origin, columns, rows, *mpp, *dimensions)


def _count(extent: float, tile: float, stride: float, use_edge_tiles: bool) -> int:
    if use_edge_tiles:
        return max(0, math.ceil((extent - TOLERANCE) / stride))
    return max(0, math.floor((extent - tile + TOLERANCE) / stride) + 1)
