"""The order in which patches are best read: neighbours after one another, so that they share decoded tiles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["reading_order"]

_CELL_BITS = 8
"""Cells of 256 level-0 pixels, about a native tile."""

_SPREAD = ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555))


def reading_order(slides: NDArray[np.int32], centres: NDArray[np.float64]) -> NDArray[np.int64]:
    """Sort patches by slide, and on a slide along a Z-order curve (Morton, 1966).

    Any run of neighbours on the curve covers a compact piece of the slide: more of its tiles are shared than of a
    band across the slide, and it may be cut at any place for another worker.

    Parameters
    ----------
    slides
        (n,) numbers of slides.
    centres
        (n, 2) (x, y), level-0 pixels.

    Returns
    -------
    ndarray (n,), int64
        Rows in that order.
    """
    cells = np.clip(centres / (1 << _CELL_BITS), 0, 0xFFFF).astype(np.uint32)
    curve = _spread(cells[:, 0]) | (_spread(cells[:, 1]) << np.uint32(1))
    return np.lexsort((curve, slides)).astype(np.int64)


def _spread(numbers: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Put a 0 before each of the lower 16 bits."""
    for shift, mask in _SPREAD:
        numbers = (numbers | (numbers << np.uint32(shift))) & np.uint32(mask)
    return numbers
