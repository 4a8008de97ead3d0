"""Tile filters: what share of a tile is gray, and what share is white."""

from __future__ import annotations

import math
import threading
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from slidekit.slide.fate import Fate
from slidekit.slide.spec import ExtractionSpec

__all__ = ["TileStatistics", "filter_tile", "tile_statistics"]


class TileStatistics(NamedTuple):
    """Statistics of a tile at its final size, before normalisation.

    Attributes
    ----------
    gray_fraction
        Share of pixels whose HSV saturation is below the threshold, 0–1.
    white_fraction
        Share of pixels whose mean of R, G and B is above the threshold, 0–1.
    """

    gray_fraction: float
    white_fraction: float


def tile_statistics(
    image: npt.NDArray[np.uint8], *, grayspace_threshold: float = 0.05, whitespace_threshold: float = 230.0
) -> TileStatistics:
    """Measure a tile, every pixel of it.

    Parameters
    ----------
    image
        (rows, columns, 3) uint8 RGB.
    grayspace_threshold
        Saturation, 0–1; strictly below is gray. Saturation is (max − min) / max, and 0 for black.
    whitespace_threshold
        Brightness, 0–255; strictly above is white.
    """
    rows, columns, _ = image.shape
    # In arrays that are there already: to fetch memory takes as long as to count.
    inverse, (red, green, blue, lowest, highest) = _WORK_SPACE.of(rows, columns)
    # Of the inverse image: where a tile is bright, sums fit into 8 bits there.
    cv2.split(cv2.bitwise_not(image, inverse), (red, green, blue))
    cv2.min(cv2.min(red, green, lowest), blue, lowest)
    cv2.max(cv2.max(red, green, highest), blue, highest)
    spread = cv2.subtract(highest, lowest, highest)
    least_coloured = _least_coloured(lowest, grayspace_threshold)
    gray = cv2.countNonZero(cv2.compare(spread, least_coloured, cv2.CMP_LT, spread))
    darkest_white = 3 * 255 - (math.floor(3 * whitespace_threshold) + 1)
    if darkest_white < 255:
        darkness = cv2.add(cv2.add(red, green, red), blue, red)  # ends at 255, too dark in any case
    else:
        darkness = red.astype(np.uint16) + green + blue
    white = cv2.countNonZero(cv2.inRange(darkness, 0.0, float(darkest_white)))
    return TileStatistics(gray / (rows * columns), white / (rows * columns))


class _WorkSpace(threading.local):
    """Arrays that a thread computes in, kept from one tile to the next."""

    def __init__(self) -> None:
        self._image = np.empty((0, 0, 3), np.uint8)
        self._planes: tuple[npt.NDArray[np.uint8], ...] = ()

    def of(self, rows: int, columns: int) -> tuple[npt.NDArray[np.uint8], tuple[npt.NDArray[np.uint8], ...]]:
        """An image (rows, columns, 3) and five planes (rows, columns)."""
        if self._image.shape[:2] != (rows, columns):
            self._image = np.empty((rows, columns, 3), np.uint8)
            self._planes = tuple(np.empty((rows, columns), np.uint8) for _ in range(5))
        return self._image, self._planes


_WORK_SPACE = _WorkSpace()


def _least_coloured(lowest: npt.NDArray[np.uint8], threshold: float) -> npt.NDArray[np.uint8]:
    """For each 255 − max of R, G, B the least max − min that is not gray, in place."""
    table, line = _saturation_table(threshold)
    if line is None:
        return cv2.LUT(lowest, table, lowest).astype(np.uint8, copy=False)
    scaled = cv2.convertScaleAbs(lowest, lowest, *line).astype(np.uint8, copy=False)
    return np.maximum(scaled, _OF_BLACK, out=scaled)


_OF_BLACK = np.uint8(1)


@lru_cache(maxsize=8)
def _saturation_table(threshold: float) -> tuple[npt.NDArray[np.uint8], tuple[float, float] | None]:
    """The table (256,) of `_least_coloured`, and the line that gives the same, rounded, if there is one.

    There are only 256 × 256 saturations: looked up, each is compared in float64, where k/n is never "less" than
    the threshold k/n by rounding. OpenCV is four times faster along a line than by a table.
    """
    highest = np.arange(256)
    saturation = highest[np.newaxis, :] / np.maximum(highest, 1)[:, np.newaxis]
    least = np.minimum(np.count_nonzero(saturation < threshold, axis=1), 255)
    table = np.ascontiguousarray(least[::-1], dtype=np.uint8)
    # threshold · max, rounded up.
    line = (-threshold, 255 * threshold + 0.499)
    along = np.maximum(cv2.convertScaleAbs(highest.astype(np.uint8), None, *line).reshape(-1), _OF_BLACK)
    return table, line if np.array_equal(along, table) else None


def filter_tile(statistics: TileStatistics, spec: ExtractionSpec) -> Fate:
    """The tile's fate by its statistics: grayspace, whitespace, or kept.

    Parameters
    ----------
    statistics
        As measured with the spec's thresholds.
    spec
        A fraction of 1 switches its filter off.
    """
    if spec.grayspace_fraction < 1 and statistics.gray_fraction > spec.grayspace_fraction:
        return Fate.GRAYSPACE
    if spec.whitespace_fraction < 1 and statistics.white_fraction > spec.whitespace_fraction:
        return Fate.WHITESPACE
    return Fate.KEPT
