"""Smoothing in whole numbers, so that a pixel's value is the same to the last bit in every window that holds it."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["MOST_COUNTS", "Counts", "blob_response", "box_sum", "smooth"]

Counts = npt.NDArray[np.uint16]
"""(rows, columns): an amount of stain in 1/4096 of optical density."""

MOST_COUNTS = (1 << 14) - 1
"""The largest amount, an optical density of 4; differences of two fit int16."""

_PASSES = 3
_RATIO = 1.6
"""Between the two Gaussians whose difference stands for the Laplacian: Marr and Hildreth, Proc. R. Soc. B 207, 1980."""


def smooth(image: Counts, sigma: float) -> Counts:
    """Smooth by three boxes, which come close to a Gaussian.

    The widths are P. Kovesi's (Fast almost-Gaussian filtering, DICTA 2010). Sums of whole numbers do not depend on
    where they begin, as those of floating-point numbers do.

    Parameters
    ----------
    image
        uint16 (rows, columns).
    sigma
        Standard deviation, pixels; the nearest that three boxes can have is taken.

    Returns
    -------
    ndarray
        As `image`.
    """
    lower = math.sqrt(12 * sigma**2 / _PASSES + 1)
    lower = int(lower) - (int(lower) + 1) % 2
    short = round((12 * sigma**2 - _PASSES * (lower**2 + 4 * lower + 3)) / (-4 * lower - 4))
    for number in range(_PASSES):
        width = lower if number < short else lower + 2
        if width > 1:
            image = cv2.boxFilter(image, -1, (width, width), borderType=cv2.BORDER_REFLECT_101).astype(
                np.uint16, copy=False
            )
    return image


def blob_response(image: Counts, sigma: float) -> npt.NDArray[np.int16]:
    """Difference of Gaussians of `sigma` and 1.6 `sigma`: large in the middle of bright blobs of radius √2 `sigma`.

    With a fixed ratio it is the scale-normalised Laplacian of T. Lindeberg (Int. J. Comput. Vis. 30, 1998) times a
    constant, so that responses at several scales compare.

    Returns
    -------
    ndarray of int16 (rows, columns)
    """
    narrow = smooth(image, sigma)
    # What is smooth already needs only the rest of the way.
    wide = smooth(narrow, sigma * math.sqrt(_RATIO**2 - 1))
    return cv2.subtract(narrow, wide, dtype=cv2.CV_16S).astype(np.int16, copy=False)


def box_sum(image: npt.NDArray[Any], radius: int) -> npt.NDArray[np.int32]:
    """Sum over squares of 2 · `radius` + 1 pixels, exact, int32 (rows, columns)."""
    width = 2 * radius + 1
    summed = cv2.boxFilter(image, cv2.CV_32S, (width, width), normalize=False, borderType=cv2.BORDER_REFLECT_101)
    return summed.astype(np.int32, copy=False)
