"""Labelled regions made tidy: no threads, one piece each, no holes."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["fill_holes", "largest_pieces", "open_regions", "ring_around"]

Labels = npt.NDArray[np.int32]
Values = npt.NDArray[np.float32]

_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
_BEYOND = np.float32(1e9)

_ENOUGH = 0.7


def _values(labels: Labels) -> Values:
    """OpenCV has no minimum and maximum of int32; in float32 whole numbers are exact up to 2^24."""
    return labels.astype(np.float32)


def _beside(placed: Values, values: Values) -> npt.NDArray[np.bool_]:
    """Pixels one of whose 4 neighbours in `placed` has the pixel's own value."""
    walled = np.pad(placed, 1)
    beside = walled[:-2, 1:-1] == values
    beside |= walled[2:, 1:-1] == values
    beside |= walled[1:-1, :-2] == values
    beside |= walled[1:-1, 2:] == values
    return np.asarray(beside)


def open_regions(labels: Labels) -> Labels:
    """Take off threads and spurs; regions that are less than three pixels wide all over go.

    Opened by a diamond of five pixels; a region that loses more than 30 % to it is narrow, and is opened by one of
    three.
    """
    narrow, wide = _open(labels, 1), _open(labels, 2)
    count = int(labels.max(initial=0)) + 1
    before, after = (np.bincount(opened.ravel(), minlength=count) for opened in (narrow, wide))
    return np.where((after >= _ENOUGH * before)[labels], wide, narrow)


def _open(labels: Labels, radius: int) -> Labels:
    """Open every region by a diamond: its pixels that a diamond within it covers."""
    values = _values(labels)
    least = cv2.erode(values, _CROSS, iterations=radius)
    core = np.where(least == cv2.dilate(values, _CROSS, iterations=radius), values, 0)
    for _ in range(radius):
        # In steps, so that a core grows within its own region only.
        core = np.where((core == 0) & _beside(core, values), values, core)
    return core.astype(np.int32)


def largest_pieces(labels: Labels) -> Labels:
    """Keep the largest piece (by 4 neighbours) of every region; of equal ones the first in raster order."""
    values = _values(labels)
    # A line where regions meet keeps their pieces apart; it goes back to those beside it in the end.
    line = (labels > 0) & (cv2.dilate(values, _CROSS) > values)
    inner = ((labels > 0) & ~line).astype(np.uint8)
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(inner, connectivity=4, ltype=cv2.CV_32S)
    owner = np.zeros(count, np.int64)
    owner[pieces[inner > 0]] = labels[inner > 0]
    # The largest comes last and stays.
    order = np.lexsort((-np.arange(count), stats[:, cv2.CC_STAT_AREA]))
    best = np.full(int(labels.max(initial=0)) + 1, -1)
    best[owner[order]] = order
    kept = np.zeros(count, np.bool_)
    kept[best[1:][best[1:] >= 0]] = True
    kept[0] = False
    result = np.where(kept[pieces], values, 0)
    regained = line & _beside(result, values)
    return np.where(regained, values, result).astype(np.int32)


def fill_holes(labels: Labels, largest_px: int) -> Labels:
    """Give holes of up to so many pixels to the region around them, where it is one."""
    empty = (labels == 0).astype(np.uint8)
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(empty, connectivity=4, ltype=cv2.CV_32S)
    small = stats[:, cv2.CC_STAT_AREA] <= largest_px
    small[0] = False
    pixels = np.flatnonzero(small[pieces])
    if not len(pixels):
        return labels
    values = _values(labels)
    most = cv2.dilate(values, _CROSS).ravel()[pixels]
    least = cv2.erode(np.where(values > 0, values, _BEYOND), _CROSS).ravel()[pixels]
    hole = pieces.ravel()[pixels]
    highest, lowest = np.zeros(count, np.float32), np.full(count, _BEYOND)
    np.maximum.at(highest, hole, most)
    np.minimum.at(lowest, hole, least)
    result = labels.ravel().copy()
    result[pixels] = np.where(highest == lowest, highest, 0).astype(np.int32)[hole]
    return result.reshape(labels.shape)


def ring_around(labels: Labels, width_px: int) -> Labels:
    """The background within `width_px` of regions, with the (highest) label of the region that it is around."""
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width_px + 1, 2 * width_px + 1))
    return np.where(labels > 0, 0, cv2.dilate(_values(labels), disk)).astype(np.int32)
