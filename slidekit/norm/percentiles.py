"""Exact percentiles of images, without sorting them; the ranks are those of `numpy.percentile` (linear)."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["image_percentile", "percentile"]

# cv2.calcHist counts in float32, which is exact up to here.
_EXACT_IN_FLOAT32 = 2**24

# Percentiles below the first number, and above 100 less it, are looked for among the values at that end.
_TAIL = 2.5
_SAMPLE_STEP = 16
_LEAST_SAMPLE = 256


def _rank(count: int, q: float) -> tuple[int, int, float]:
    """Places of the order statistics around percentile `q` of `count` values; weight of the second."""
    place = (count - 1) * q / 100
    lower = int(place)
    return lower, min(lower + 1, count - 1), place - lower


def image_percentile(image: NDArray[np.uint8], q: float) -> float:
    """Percentile of all the values of an 8-bit image, from its histogram.

    Parameters
    ----------
    image
        Any shape, uint8, C-contiguous, not empty.
    q
        0 to 100.
    """
    values = image.reshape(-1)
    if values.size <= _EXACT_IN_FLOAT32:
        counts = cv2.calcHist([values], [0], None, [256], [0, 256]).reshape(-1).astype(np.int64)
    else:
        counts = np.bincount(values, minlength=256)
    lower, upper, weight = _rank(values.size, q)
    below, above = np.searchsorted(counts.cumsum(), [lower, upper], side="right")
    return float(below + (above - below) * weight)


def percentile(
    values: NDArray[np.float32],
    q: float,
    scale: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
) -> float:
    """Percentile of values, or of an increasing function of them.

    Parameters
    ----------
    values
        One dimension, not empty, no NaN.
    q
        0 to 100.
    scale
        An increasing function: the result is ``numpy.percentile(scale(values), q)``, but `scale` is only
        evaluated for the two values between which the percentile lies.
    """
    lower, upper, weight = _rank(values.size, q)
    tail, left_out = _tail(values, q)
    if not left_out <= lower <= upper < left_out + tail.size:
        tail, left_out = values, 0
    parted = np.partition(tail, lower - left_out)[lower - left_out :]
    around = np.array([parted[0], parted[1:].min() if upper > lower else parted[0]], np.float64)
    if scale is not None:
        around = scale(around)
    return float(around[0] + (around[1] - around[0]) * weight)


def _tail(values: NDArray[np.float32], q: float) -> tuple[NDArray[np.float32], int]:
    """The values at one end that most likely hold a percentile, and how many smaller ones they leave out.

    Every 16th value tells where that end begins; to part the few values there is much faster than to part all.
    """
    sample = values[::_SAMPLE_STEP]
    if sample.size < _LEAST_SAMPLE or _TAIL < q < 100 - _TAIL:
        return values, 0
    edge = _rank(sample.size, 100 - _TAIL if q > _TAIL else _TAIL)[0]
    bound = np.partition(sample, edge)[edge]
    if q <= _TAIL:
        return values[values <= bound], 0
    tail = values[values >= bound]
    return tail, values.size - tail.size
