"""Numbers as a PNG file stores them (W3C, Portable Network Graphics, 3rd edition)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL.PngImagePlugin import PngImageFile

__all__ = ["read_png_numbers"]

_MOST_PIXELS = 1 << 30
_GREY, _PALETTE = 0, 3
_HEADER = 26
"""Bytes up to the depth and the kind of colour."""


def read_png_numbers(path: Path) -> NDArray[Any]:
    """Grey values, indices of a palette, or red, (rows, columns), of whatever depth.

    Raises
    ------
    OSError, SyntaxError, ValueError
        If it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEADER)
    depth, colour = (head[24], head[25]) if len(head) == _HEADER else (0, 0)
    if depth == 16 and colour not in (_GREY, _PALETTE):
        return _read_deep(path)
    # Not `Image.open`: its limit is lower than masks are large.
    with PngImageFile(path) as image:
        if image.width * image.height > _MOST_PIXELS:
            raise ValueError(f"{image.width} × {image.height} pixels are too many for one piece")
        pixels = np.asarray(image)
    numbers = pixels if pixels.ndim == 2 else pixels[..., 0]
    # Pillow spreads grey of 2 and 4 bits over 0 to 255.
    spread = 255 // (2**depth - 1) if colour == _GREY and depth in (2, 4) else 1
    return np.asarray(numbers // spread) if spread > 1 else numbers


def _read_deep(path: Path) -> NDArray[Any]:
    """Colours of 16 bits, of which Pillow keeps the high bytes."""
    data = np.fromfile(path, np.uint8)
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ValueError(str(error)) from error
    if pixels is None:
        raise ValueError("it is damaged")
    # Blue, green, red.
    return np.asarray(pixels if pixels.ndim == 2 else pixels[..., 2])
