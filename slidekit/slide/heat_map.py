"""Predictions of the tiles of a slide as one picture of it, and as regions that QuPath shows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import shapely

from slidekit.errors import SpecError
from slidekit.slide.grid import Grid
from slidekit.slide.pixel_outlines import pixel_outlines
from slidekit.slide.roi.region import ROI

__all__ = ["GridAssembler", "HeatMap", "assemble_grid", "heat_map_regions"]

_FINEST_STRIDE = 16
"""Map pixels of a tile's edge, at most, that a stride is expressed in where predictions are single values."""


@dataclass(frozen=True)
class HeatMap:
    """Values over a part of a slide.

    Attributes
    ----------
    values
        (rows, columns) or (rows, columns, classes), float32; NaN where nothing was predicted.
    origin
        (x, y) of the top-left corner, level-0 pixels.
    pixel
        Size of a pixel of the map along x and y, level-0 pixels.
    mpp
        µm/px of level 0 along x and y.
    """

    values: npt.NDArray[np.float32]
    origin: tuple[float, float]
    pixel: tuple[float, float]
    mpp: tuple[float, float]

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """(left, right, bottom, top) in level-0 pixels, as matplotlib's ``imshow`` takes it."""
        rows, columns = self.values.shape[:2]
        x, y = self.origin
        return x, x + columns * self.pixel[0], y + rows * self.pixel[1], y

    def channel(self, index: int) -> HeatMap:
        """The map of one class."""
        return HeatMap(self.values[..., index], self.origin, self.pixel, self.mpp)


class GridAssembler:
    """Collects predictions of the cells of a grid, batch by batch; memory is that of the map.

    Where tiles overlap a pixel is the mean of what they say. Of maps, a border may be cut off, where a network sees too
    little around: there the pixel is taken from tiles that have it in their middle, and from borders only where no tile
    has.

    Parameters
    ----------
    grid
        The slide's grid.
    map_px
        Edge of a tile's map, map pixels; None where each tile has one value: as many then as make the stride whole.
    classes
        Values of a pixel; None for a map without that axis.
    remove_border
        Map pixels to cut off each side of a tile's map. Where the stride is no whole number of them, maps lie at the
        nearest one.

    Raises
    ------
    SpecError
        If a border leaves nothing of a tile.
    """

    def __init__(
        self, grid: Grid, *, map_px: int | None = None, classes: int | None = None, remove_border: int = 0
    ) -> None:
        if not isinstance(grid, Grid):
            raise SpecError("A heat map needs a grid, and these tiles lie at given coordinates.", mend="Use a grid.")
        stride = Fraction(grid.stride_div).limit_denominator(_FINEST_STRIDE)
        self._grid = grid
        self._map_px = stride.numerator if map_px is None else map_px
        if not 0 <= 2 * remove_border < self._map_px:
            raise SpecError(
                f"remove_border={remove_border} leaves nothing of maps of {self._map_px} px.",
                mend="Give less than half of their edge.",
            )
        self._border = remove_border
        self._is_value = map_px is None
        self._stride = self._map_px / grid.stride_div
        columns, rows = (self._start(max(count - 1, 0)) + self._map_px for count in grid.shape)
        self._shape = (rows, columns) if classes is None else (rows, columns, classes)
        # Of the middles of tiles, and of their borders.
        self._sums = [np.zeros(self._shape, np.float32) for _ in range(1 + (remove_border > 0))]
        self._counts = [np.zeros((rows, columns), np.uint16) for _ in self._sums]

    def _start(self, number: int) -> int:
        # Whole where the stride is; else the nearest pixel.
        return round(number * self._stride)

    def add(self, predictions: npt.ArrayLike, cells: npt.ArrayLike) -> None:
        """Take in predictions of some cells.

        Parameters
        ----------
        predictions
            (n,) or (n, classes) values, or (n, map_px, map_px[, classes]) maps; a tile that has NaN says nothing there.
        cells
            (n, 2) of (i, j).

        Raises
        ------
        SpecError
            If shapes do not fit, or there is no such cell.
        """
        values = np.asarray(predictions, np.float32)
        given = np.asarray(cells, np.float64).reshape(-1, 2)
        places = given.astype(np.int64)
        if not np.array_equal(places, given):
            raise SpecError("Cells are not whole numbers.", mend="Give (i, j): column, row of the grid.")
        one = self._shape[2:] if self._is_value else (self._map_px, self._map_px, *self._shape[2:])
        if values.shape != (len(places), *one):
            raise SpecError(
                f"Predictions have shape {values.shape}, expected is {(len(places), *one)}.",
                mend="Give one prediction a cell, of the shape that the first had.",
            )
        if len(places) and not (places.min() >= 0 and (places.max(axis=0) < self._grid.shape).all()):
            raise SpecError(f"Cells lie outside the grid of {self._grid.shape}.", mend="Give (i, j): column, row.")
        if self._is_value:
            self._spread(values, places)
            return
        inner, size = self._border, self._map_px
        for value, (i, j) in zip(values, places.tolist(), strict=True):
            x, y = self._start(i), self._start(j)
            if inner:
                self._take(1, value, x, y)
                value = value[inner : size - inner, inner : size - inner]
            self._take(0, value, x + inner, y + inner)

    def _spread(self, values: npt.NDArray[np.float32], cells: npt.NDArray[np.int64]) -> None:
        """Add single values to all map pixels of their tiles."""
        known = ~np.isnan(values if values.ndim == 1 else values.sum(axis=1))
        x, y = (np.array([self._start(k) for k in axis.tolist()], np.int64) for axis in cells[known].T)
        for down in range(self._map_px):
            for across in range(self._map_px):
                np.add.at(self._sums[0], (y + down, x + across), values[known])
                np.add.at(self._counts[0], (y + down, x + across), 1)

    def _take(self, layer: int, value: npt.NDArray[np.float32], x: int, y: int) -> None:
        """Add a map, or its middle, to the map pixels under it."""
        known = ~np.isnan(value if value.ndim == 2 else value.sum(axis=2))
        under = np.s_[y : y + len(value), x : x + len(value)]
        self._sums[layer][under] += np.where(known if value.ndim == 2 else known[..., np.newaxis], value, 0)
        self._counts[layer][under] += known.astype(np.uint16)

    def finish(self) -> HeatMap:
        """The map of what was taken in so far."""
        values = np.full(self._shape, np.nan, np.float32)
        for total, count in zip(reversed(self._sums), reversed(self._counts), strict=True):
            seen = count > 0
            number = count[seen].astype(np.float32)
            values[seen] = total[seen] / (number if values.ndim == 2 else number[:, np.newaxis])
        grid = self._grid
        pixel = grid.tile_width / self._map_px, grid.tile_height / self._map_px
        return HeatMap(values, (grid.origin_x, grid.origin_y), pixel, (grid.mpp_x, grid.mpp_y))


def assemble_grid(predictions: npt.ArrayLike, cells: npt.ArrayLike, grid: Grid, *, remove_border: int = 0) -> HeatMap:
    """Stitch predictions of the cells of a slide's grid to a heat map.

    Parameters
    ----------
    predictions
        One a tile: (n,) values, (n, classes), (n, h, h) maps such as those of a segmentation network, or
        (n, h, h, classes); a tile that has NaN says nothing there.
    cells
        (n, 2) of (i, j), as ``grid_x`` and ``grid_y`` of `WSI.get_tile_dataframe`.
    grid
        `WSI.grid`.
    remove_border
        Map pixels to cut off each side of a tile's map, where another tile has them in its middle.

    Returns
    -------
    HeatMap
        Of the whole grid; the mean where tiles overlap. Single values are spread over their tile.

    Raises
    ------
    SpecError
        If shapes do not fit, or there is no such cell.
    """
    values = np.asarray(predictions, np.float32)
    if values.ndim not in (1, 2, 3, 4) or (values.ndim > 2 and values.shape[1] != values.shape[2]):
        message = f"Predictions of shape {values.shape} cannot be stitched."
        raise SpecError(message, mend="Give (n,), (n, classes), (n, h, h) or (n, h, h, classes).")
    map_px = values.shape[1] if values.ndim > 2 else None
    classes = values.shape[-1] if values.ndim in (2, 4) else None
    assembler = GridAssembler(grid, map_px=map_px, classes=classes, remove_border=remove_border)
    assembler.add(values, cells)
    return assembler.finish()


def heat_map_regions(
    heat_map: HeatMap,
    threshold: float,
    *,
    label: str | None = None,
    min_area_um2: float = 0.0,
    simplify_um: float = 0.0,
) -> tuple[ROI, ...]:
    """Outline where a heat map is at a threshold or above it.

    Parameters
    ----------
    heat_map
        Without classes; see `HeatMap.channel`.
    threshold
        The least value that is inside; where nothing was predicted is outside.
    label
        Class of the regions; their names are ``{label}_1``, ``region_1`` without.
    min_area_um2
        Regions, and holes in them, of less than this are left out and filled, µm².
    simplify_um
        How far a simplified outline may be from the exact one, which goes along the map's pixels, µm (Douglas &
        Peucker, Cartographica 10, 1973; topology is kept).

    Returns
    -------
    tuple of ROI
        Level-0 pixels, with holes, the largest first; `write_roi_geojson` makes a file of them that QuPath opens.

    Raises
    ------
    SpecError
        If the map has classes, or a number makes no sense.
    """
    for name, value in (("simplify_um", simplify_um), ("min_area_um2", min_area_um2)):
        if not 0 <= value < math.inf:
            raise SpecError(f"{name}={value!r} makes no sense.", mend="Give 0 or more.")
    if heat_map.values.ndim != 2:
        raise SpecError("The heat map has several classes.", mend="Take one: heat_map.channel(1).")
    pixel_um = heat_map.pixel[0] * heat_map.mpp[0], heat_map.pixel[1] * heat_map.mpp[1]
    polygons = []
    # NaN is never at the threshold.
    for outline in pixel_outlines(heat_map.values >= threshold):
        in_um = shapely.transform(outline, lambda points: points * pixel_um)
        if in_um.area < min_area_um2:
            continue
        holes = [ring for ring in in_um.interiors if shapely.Polygon(ring).area >= min_area_um2]
        filled = shapely.simplify(shapely.Polygon(in_um.exterior, holes), simplify_um)
        if filled.area > 0:
            polygons.append(filled)
    polygons.sort(key=lambda polygon: (-polygon.area, polygon.bounds))
    to_level_0 = 1 / np.array(heat_map.mpp)
    placed = [shapely.transform(one, lambda points: points * to_level_0 + heat_map.origin) for one in polygons]
    # Outlines that touch themselves within a rounding error may cross there in another unit.
    whole = [part for one in placed for part in _polygons(one)]
    return tuple(ROI(f"{label or 'region'}_{number}", label, one) for number, one in enumerate(whole, 1))


def _polygons(polygon: shapely.Polygon) -> list[shapely.Polygon]:
    """The polygon as it is, or what of it is valid."""
    if polygon.is_valid:
        return [polygon]
    parts = shapely.get_parts(shapely.make_valid(polygon))
    return [part for one in parts for part in shapely.get_parts(one) if isinstance(part, shapely.Polygon)]
