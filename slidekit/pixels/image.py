"""What an image is, everywhere in slidekit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["WHITE", "RGBImage"]

RGBImage = npt.NDArray[np.uint8]
"""An image (rows, columns, 3), RGB."""

WHITE = 255
"""Pixels that a format declares absent, and pixels outside the slide, are white: they are glass."""
