"""Watershed by steepest ascent, and the neighbours of its basins."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["Basins", "find_basins"]

Ints = npt.NDArray[np.int64]


class Basins(NamedTuple):
    """Basins of a landscape.

    Attributes
    ----------
    labels
        int32 (rows, columns), 0 outside the mask, 1 … n the basins in the raster order of their peaks.
    peaks
        int64 (n,): flat place of each basin's peak in `labels`.
    """

    labels: npt.NDArray[np.int32]
    peaks: Ints


def find_basins(landscape: npt.NDArray[np.int16], mask: npt.NDArray[np.uint8]) -> Basins:
    """Give every pixel of a mask to the peak that the steepest way up leads to.

    The watershed of the turned-over landscape by following drops of water (J. Fairfield's toboggan, Toboggan
    contrast enhancement for contrast segmentation, ICPR 1990). In contrast to flooding, a pixel's basin depends on
    nothing but the slope up to its peak, so that windows agree; and no queue is needed.

    Parameters
    ----------
    landscape
        int16 (rows, columns); of equal neighbours the one earlier in raster order counts as higher.
    mask
        uint8 (rows, columns), not 0 where pixels take part.

    Returns
    -------
    Basins
    """
    height, width = landscape.shape
    lowest = np.iinfo(np.int16).min
    walled = np.full((height + 2, width + 2), lowest, np.int16)
    inner = walled[1:-1, 1:-1]
    np.copyto(inner, landscape, where=mask > 0)
    pixels = np.flatnonzero(walled.ravel() > lowest).astype(np.int32)
    ways = _steepest(walled, pixels)
    # Doubling the steps: as many rounds as the longest way has binary digits.
    while True:
        further = ways[ways]
        if np.array_equal(further, ways):
            break
        ways = further
    peaks = np.flatnonzero(ways == np.arange(len(ways), dtype=np.int32))
    basin = np.zeros(len(pixels), np.int32)
    basin[peaks] = np.arange(1, len(peaks) + 1, dtype=np.int32)
    labels = np.zeros(walled.size, np.int32)
    labels[pixels] = basin[ways]
    rows, columns = np.divmod(pixels[peaks].astype(np.int64), width + 2)
    return Basins(np.ascontiguousarray(labels.reshape(walled.shape)[1:-1, 1:-1]), (rows - 1) * width + columns - 1)


def _steepest(walled: npt.NDArray[np.int16], pixels: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Place in `pixels` of the neighbour that each pixel goes up to, its own where it is a peak."""
    flat, step = walled.ravel(), walled.shape[1]
    highest = cv2.dilate(walled, np.ones((3, 3), np.uint8)).ravel()[pixels]
    number = np.zeros(flat.size, np.int32)
    number[pixels] = np.arange(len(pixels), dtype=np.int32)
    ways = np.arange(len(pixels), dtype=np.int32)
    left = ways.copy()
    for shift in (-step - 1, -step, -step + 1, -1, 0, 1, step - 1, step, step + 1):
        # The earliest in raster order is taken. What is a peak itself goes to none after it: equal ones would circle.
        there = pixels[left] + np.int32(shift)
        hit = flat[there] == highest[left]
        ways[left[hit]] = number[there[hit]]
        left = left[~hit]
    return ways
