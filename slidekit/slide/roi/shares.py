"""Exact shares of cells that polygons cover, for many cells and large polygons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon, STRtree

__all__ = ["intersection_areas", "subdivide"]

MAX_VERTICES = 256
"""Larger polygons are cut before cells are intersected with them: an intersection looks at every vertex."""


def subdivide(
    polygons: Sequence[Polygon] | NDArray[np.object_],
) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Cut large polygons into pieces of few vertices: halve their boxes until the pieces are small.

    Parameters
    ----------
    polygons
        Valid polygons (or multipolygons).

    Returns
    -------
    pieces : ndarray of Polygon
        Together the same areas, without overlap within one polygon.
    owner : ndarray, int64
        Index of the polygon that each piece is of.
    """
    parts, owner = shapely.get_parts(np.asarray(polygons, dtype=object), return_index=True)
    owner = owner.astype(np.int64)
    done: list[NDArray[np.object_]] = []
    owners: list[NDArray[np.int64]] = []
    # Each round halves the boxes, so 32 rounds reach any size; vertices in one point cannot be told apart by
    # halving.
    for _ in range(32):
        small = shapely.get_num_coordinates(parts) <= MAX_VERTICES
        done.append(parts[small])
        owners.append(owner[small])
        parts, owner = parts[~small], owner[~small]
        if not len(parts):
            break
        parts, owner = _halve(parts, owner)
    done.append(parts)
    owners.append(owner)
    return np.concatenate(done), np.concatenate(owners)


def _halve(parts: NDArray[np.object_], owner: NDArray[np.int64]) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Cut each polygon in the middle of the longer side of its box."""
    x0, y0, x1, y1 = shapely.bounds(parts).T
    wide = x1 - x0 >= y1 - y0
    x_end, y_end = np.where(wide, (x0 + x1) / 2, x1), np.where(wide, y1, (y0 + y1) / 2)
    x_start, y_start = np.where(wide, x_end, x0), np.where(wide, y0, y_end)
    low = shapely.intersection(parts, shapely.box(x0, y0, x_end, y_end))
    high = shapely.intersection(parts, shapely.box(x_start, y_start, x1, y1))
    halves, index = shapely.get_parts(np.concatenate([low, high]), return_index=True)
    # A collection (a polygon and the line where it touches the cut) has its polygons one step deeper.
    halves, inner = shapely.get_parts(halves, return_index=True)
    keep = shapely.area(halves) > 0
    return halves[keep], np.concatenate([owner, owner])[index[inner]][keep]


def intersection_areas(
    pieces: NDArray[np.object_],
    owner: NDArray[np.int64],
    cells: NDArray[np.object_],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Area of each cell that each polygon covers.

    Parameters
    ----------
    pieces, owner
        Polygons as `subdivide` gives them.
    cells
        Boxes.

    Returns
    -------
    cell, polygon : ndarray, int64
        Pairs that share an area, sorted by cell and polygon.
    area : ndarray, float64
        Their common area, in square pixels.
    """
    none = np.empty(0, np.int64)
    if not len(cells) or not len(pieces):
        return none, none, np.empty(0)
    piece, cell = STRtree(cells).query(pieces, predicate="intersects")
    area = shapely.area(shapely.intersection(cells[cell], pieces[piece]))
    count = int(owner.max()) + 1
    pairs, position = np.unique(cell.astype(np.int64) * count + owner[piece], return_inverse=True)
    summed: NDArray[np.float64] = np.zeros(len(pairs))
    np.add.at(summed, position, area)
    keep = summed > 0
    pairs, summed = pairs[keep].astype(np.int64), summed[keep]
    return pairs // count, pairs % count, summed
