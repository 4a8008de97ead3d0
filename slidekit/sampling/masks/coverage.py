"""How much of each cell of an image a polygon covers, exactly."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon

from slidekit.slide.roi.fill import Raster

__all__ = ["cover"]


def cover(shape: Polygon | MultiPolygon, raster: Raster) -> NDArray[np.float32]:
    """Share of the area of each cell that lies in a polygon.

    Parameters
    ----------
    shape
        Valid; level-0 pixels; it lies within the image.
    raster
        The image.

    Returns
    -------
    ndarray (rows, columns), float32
        0 to 1, but for rounding.

    Notes
    -----
    Green's theorem cell by cell: outlines are cut where they cross from cell to cell; each piece adds its height to
    all cells to its right, and to its own the part that lies right of it.
    """
    rows, columns = raster.shape
    starts, ends = _edges(shape, raster)
    sorted_edges, places = _cuts(starts, ends)
    same = sorted_edges[1:] == sorted_edges[:-1]
    edge, first, last = sorted_edges[1:][same], places[:-1][same], places[1:][same]
    middles = starts[edge] + ((first + last) / 2)[:, None] * (ends - starts)[edge]
    heights = (last - first) * (ends - starts)[edge, 1]
    column = np.clip(np.floor(middles[:, 0]), 0, columns - 1).astype(np.int64)
    row = np.clip(np.floor(middles[:, 1]), 0, rows - 1).astype(np.int64)
    beside = heights * (middles[:, 0] - column)
    cells = row * (columns + 1) + column
    sums = np.bincount(cells, heights - beside, rows * (columns + 1))
    sums += np.bincount(cells + 1, beside, rows * (columns + 1))
    shares = np.abs(np.cumsum(sums.reshape(rows, columns + 1), axis=1)[:, :-1])
    return np.clip(shares, 0, 1).astype(np.float32)


def _edges(shape: Polygon | MultiPolygon, raster: Raster) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of all edges, in cells; holes run the other way round than what they are in."""
    rings = shapely.get_rings(shapely.get_parts(shapely.orient_polygons(shape)))
    points, ring = shapely.get_coordinates(rings, return_index=True)
    points = (points - raster.corner) / raster.pixel
    joined = ring[1:] == ring[:-1]
    starts, ends = points[:-1][joined], points[1:][joined]
    rising = starts[:, 1] != ends[:, 1]
    return starts[rising], ends[rising]


def _cuts(starts: NDArray[np.float64], ends: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Where edges begin, cross lines between cells, and end: numbers of edges, and places 0–1 along them, in order."""
    numbers = np.arange(len(starts))
    edges, places = [numbers, numbers], [np.zeros(len(starts)), np.ones(len(starts))]
    for axis in (0, 1):
        low, high = np.minimum(starts[:, axis], ends[:, axis]), np.maximum(starts[:, axis], ends[:, axis])
        first = np.floor(low).astype(np.int64) + 1
        counts = np.maximum(np.ceil(high).astype(np.int64) - first, 0)
        edge = np.repeat(numbers, counts)
        lines = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
        edges.append(edge)
        places.append((lines - starts[edge, axis]) / (ends[edge, axis] - starts[edge, axis]))
    listed, along = np.concatenate(edges), np.concatenate(places)
    order = np.lexsort((along, listed))
    return listed[order], along[order]
