"""Polygons as pixels: exactly those whose centres lie inside."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import Polygon

__all__ = ["Raster", "fill_polygon"]


class Raster:
    """Where pixels of an image lie on a slide.

    Parameters
    ----------
    corner
        (x, y) of the image's top left, level-0 pixels.
    pixel
        Width and height of a pixel, level-0 pixels.
    shape
        (rows, columns).
    """

    def __init__(self, corner: tuple[float, float], pixel: tuple[float, float], shape: tuple[int, int]) -> None:
        self.corner = corner
        self.pixel = pixel
        self.shape = shape

    def window(self, bounds: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
        """Rows and columns (top, bottom, left, right) that a box in level-0 pixels may touch."""
        left, right = self._span(bounds[0], bounds[2], 0)
        top, bottom = self._span(bounds[1], bounds[3], 1)
        return top, bottom, left, right

    def _span(self, low: float, high: float, axis: int) -> tuple[int, int]:
        length = self.shape[1 - axis]
        first = math.floor((low - self.corner[axis]) / self.pixel[axis])
        last = math.ceil((high - self.corner[axis]) / self.pixel[axis])
        return min(max(first, 0), length), min(max(last, 0), length)


def fill_polygon(polygon: Polygon, raster: Raster) -> Iterator[tuple[slice, slice, NDArray[np.bool_]]]:
    """Fill a polygon by the even-odd rule: a pixel is in it if its centre is, wherever its outline runs.

    OpenCV's `fillPoly` also sets every pixel that the outline passes, which makes regions larger by half a pixel all
    around; small ones notably.

    Parameters
    ----------
    polygon
        Valid; level-0 pixels. What its holes take away is not in it.
    raster
        The image.

    Yields
    ------
    (rows, columns, inside)
        The part of the image that the polygon may touch, once; nothing if there is none.
    """
    top, bottom, left, right = raster.window(polygon.bounds)
    if top >= bottom or left >= right:
        return
    starts, ends = _edges(polygon, raster)
    rows, crossings = _cross(starts, ends, top, bottom)
    # The first pixel whose centre is at or beyond the crossing; what lies left of the part counts for all of it.
    columns = np.clip(np.ceil(crossings - 0.5), left, right).astype(np.int64) - left
    toggles = np.zeros((bottom - top, right - left + 1), np.uint8)
    np.add.at(toggles.reshape(-1), (rows - top) * toggles.shape[1] + columns, np.uint8(1))
    inside = np.bitwise_xor.accumulate(toggles[:, :-1] & 1, axis=1).astype(np.bool_)
    yield slice(top, bottom), slice(left, right), inside


def _edges(polygon: Polygon, raster: Raster) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of all edges, in pixels of the image."""
    starts, ends = [], []
    for ring in (polygon.exterior, *polygon.interiors):
        points = (np.asarray(ring.coords, dtype=np.float64)[:, :2] - raster.corner) / raster.pixel
        starts.append(points[:-1])
        ends.append(points[1:])
    return np.concatenate(starts), np.concatenate(ends)


def _cross(
    starts: NDArray[np.float64], ends: NDArray[np.float64], top: int, bottom: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Where edges cross the middles of rows: rows, and x in pixels.

    An edge crosses middles at or above its lower end, not at its upper: where two edges meet, one of them counts.
    """
    falling = starts[:, 1] > ends[:, 1]
    upper, lower = np.where(falling[:, None], ends, starts), np.where(falling[:, None], starts, ends)
    first = np.clip(np.ceil(upper[:, 1] - 0.5), top, bottom).astype(np.int64)
    last = np.clip(np.ceil(lower[:, 1] - 0.5), top, bottom).astype(np.int64)
    counts = last - first
    edge = np.repeat(np.arange(len(counts)), counts)
    rows = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    slope = (lower[edge, 0] - upper[edge, 0]) / (lower[edge, 1] - upper[edge, 1])
    return rows.astype(np.int64), upper[edge, 0] + (rows + 0.5 - upper[edge, 1]) * slope
