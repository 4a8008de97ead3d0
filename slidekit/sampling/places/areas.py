"""How much of boxes a mask covers, exact to fractions of its pixels."""

from __future__ import annotations

import math
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Pixels", "box_sums", "integral_sums", "sums_about_centres"]

_GATHER_COST = 8
"""What it costs to fetch a pixel by its address, against having it in an integral image."""


class Pixels(Protocol):
    """A mask that can be asked for single pixels."""

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""

    def at(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Pixels at places, 0 or 1."""

    def unpack(self) -> NDArray[np.uint8]:
        """All of them, (rows, columns)."""


def box_sums(mask: Pixels, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Area of each box that the mask covers.

    Parameters
    ----------
    mask
        What lies outside it covers nothing.
    boxes
        (n, 4) of x0, y0, x1, y1, pixels of the mask.

    Returns
    -------
    ndarray (n,)
        Pixels of the mask.

    Notes
    -----
    Few small boxes are added up pixel by pixel; for many or large ones an integral image is made, between whose
    nodes bilinear interpolation is exact, because the mask is constant within a pixel (F. Crow, SIGGRAPH 1984).
    """
    rows, columns = mask.shape
    clipped = np.clip(boxes, 0, np.array([columns, rows, columns, rows], np.float64))
    if not len(boxes):
        return np.zeros(0)
    across = math.ceil(float((clipped[:, 2] - clipped[:, 0]).max())) + 1
    down = math.ceil(float((clipped[:, 3] - clipped[:, 1]).max())) + 1
    if len(boxes) * across * down * _GATHER_COST <= rows * columns:
        return _gather(mask, clipped, across, down)
    integral = np.asarray(cv2.integral(mask.unpack(), sdepth=cv2.CV_32S), dtype=np.int32)
    x0, y0, x1, y1 = clipped.T
    corners = _between(integral, x1, y1) - _between(integral, x0, y1) - _between(integral, x1, y0)
    return np.asarray(corners + _between(integral, x0, y0), dtype=np.float64)


def _gather(mask: Pixels, boxes: NDArray[np.float64], across: int, down: int) -> NDArray[np.float64]:
    rows, columns = mask.shape
    x, weight_x = _weights(boxes[:, 0], boxes[:, 2], across)
    y, weight_y = _weights(boxes[:, 1], boxes[:, 3], down)
    pixels = mask.at(np.minimum(y, rows - 1)[:, :, None], np.minimum(x, columns - 1)[:, None, :])
    in_rows = np.matmul(pixels, weight_x[:, :, None])[..., 0]
    return np.asarray((in_rows * weight_y).sum(axis=1), dtype=np.float64)


def _weights(
    low: NDArray[np.float64], high: NDArray[np.float64], length: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Pixels from each lower end on, (n, length), and how much of each lies below the upper end."""
    pixels = low.astype(np.int64)[:, None] + np.arange(length)
    return pixels, np.clip(np.minimum(pixels + 1, high[:, None]) - np.maximum(pixels, low[:, None]), 0, None)


def _between(integral: NDArray[np.int32], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    i = np.minimum(x.astype(np.int64), integral.shape[1] - 2)
    j = np.minimum(y.astype(np.int64), integral.shape[0] - 2)
    u, v = x - i, y - j
    top = integral[j, i] * (1 - u) + integral[j, i + 1] * u
    bottom = integral[j + 1, i] * (1 - u) + integral[j + 1, i + 1] * u
    return np.asarray(top * (1 - v) + bottom * v)


def sums_about_centres(mask: NDArray[np.uint8], size: tuple[float, float]) -> NDArray[np.float32]:
    """Area that a mask covers of a box about the centre of each of its pixels.

    Parameters
    ----------
    mask
        (rows, columns), 0 or 1.
    size
        Width and height of the box, pixels of the mask.

    Returns
    -------
    ndarray (rows, columns), float32
        Pixels; what lies outside the mask covers nothing.

    Notes
    -----
    A box of fractional size is a weighted mean of the two of whole, odd sizes around it, along each axis; sums over
    whole boxes cost the same at any size.
    """
    rows, columns = mask.shape
    sums: Any = mask.astype(np.float32)
    # Beyond twice the mask a box covers all of it, wherever its centre.
    for axis, length in ((1, min(size[0], 2 * columns + 1)), (0, min(size[1], 2 * rows + 1))):
        sums = _along(sums, axis, length)
    return np.asarray(sums, dtype=np.float32)


def _along(image: NDArray[np.float32], axis: int, length: float) -> NDArray[np.float32]:
    if length <= 1:
        return image * np.float32(length)
    inner = 2 * int((length - 1) / 2) + 1
    part = np.float32((length - inner) / 2)
    sums = _whole(image, axis, inner)
    if part > 0:
        sums = sums * (1 - part) + _whole(image, axis, inner + 2) * part
    return sums


def _whole(image: NDArray[np.float32], axis: int, length: int) -> NDArray[np.float32]:
    if length == 1:
        return image
    kernel = (length, 1) if axis == 1 else (1, length)
    summed = cv2.boxFilter(image, cv2.CV_32F, kernel, normalize=False, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(summed, dtype=np.float32)


def integral_sums(
    integral: NDArray[np.float64],
    x: tuple[NDArray[np.int64], NDArray[np.int64]],
    y: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> NDArray[np.float64]:
    """Sums over boxes of whole pixels which stand in rows and columns.

    Parameters
    ----------
    integral
        (rows + 1, columns + 1): integral image.
    x, y
        Lower and upper ends, (m,) along x and (n,) along y, pixels.

    Returns
    -------
    ndarray (n, m)
    """
    strips = integral[:, x[1]] - integral[:, x[0]]
    return np.asarray(strips[y[1]] - strips[y[0]])
