"""What spoils slides: parts out of focus, and felt-pen strokes on the glass."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["out_of_focus", "pen_mark"]

Image = NDArray[np.uint8]
Floats = NDArray[np.float64]


def out_of_focus(image: Image, outline: Floats, sigma_px: float) -> None:
    """Blur a part of an image in place, with a soft border.

    Parameters
    ----------
    image
        Shape (height, width, 3), uint8, RGB; changed.
    outline
        The part, shape (n, 2), (x, y) in pixels of `image`.
    sigma_px
        Standard deviation of the Gaussian that stands for the defocus, in pixels.
    """
    margin = int(4 * sigma_px)
    mask, view = _window(image, outline, margin)
    cv2.fillPoly(mask, [_shifted(image, outline, margin)], 255)
    blurred = _wide_blur(view, sigma_px)
    share = _wide_blur(mask, sigma_px)
    weight = (share.astype(np.float32) / 255)[..., None]
    view[...] = np.rint(view + weight * (blurred.astype(np.float32) - view)).astype(np.uint8)


def pen_mark(image: Image, stroke: Floats, width_px: float, transmittance: tuple[float, float, float]) -> None:
    """Draw a felt-pen stroke in place: ink takes part of the light and gathers at the stroke's borders.

    Parameters
    ----------
    image
        Shape (height, width, 3), uint8, RGB; changed.
    stroke
        The pen's way, shape (n, 2), (x, y) in pixels of `image`.
    width_px
        Breadth of the nib in pixels.
    transmittance
        Share of light that the ink lets through, R, G, B.
    """
    margin = int(width_px)
    mask, view = _window(image, stroke, margin)
    way = [_shifted(image, stroke, margin)]
    cv2.polylines(mask, way, False, 200, round(width_px), cv2.LINE_AA)
    inner = np.zeros_like(mask)
    cv2.polylines(inner, way, False, 255, round(width_px * 0.86), cv2.LINE_AA)
    # More ink at the borders, less in the middle.
    ink = _wide_blur(mask, width_px / 90).astype(np.float32) / 200
    ink -= _wide_blur(inner, width_px / 16).astype(np.float32) * (0.3 / 255)
    for channel, passed in enumerate(transmittance):
        light = np.exp(np.float32(np.log(passed)) * ink.clip(0))
        view[..., channel] = np.rint(view[..., channel] * light).astype(np.uint8)


def _corner(image: Image, outline: Floats, margin: int) -> tuple[int, int, int, int]:
    low = np.maximum(np.floor(outline.min(0)).astype(int) - margin, 0)
    high = np.minimum(np.ceil(outline.max(0)).astype(int) + margin, [image.shape[1], image.shape[0]])
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _window(image: Image, outline: Floats, margin: int) -> tuple[Image, Image]:
    """Make an empty mask of the outline's surroundings, and the view of the image that it covers."""
    left, top, right, bottom = _corner(image, outline, margin)
    view = image[top:bottom, left:right]
    return np.zeros(view.shape[:2], dtype=np.uint8), view


def _shifted(image: Image, outline: Floats, margin: int) -> NDArray[np.int32]:
    left, top, _, _ = _corner(image, outline, margin)
    return np.asarray(np.rint(outline - [left, top]), dtype=np.int32)


def _wide_blur(image: Image, sigma_px: float) -> Image:
    """Gaussian blur; a wide one on a smaller copy, where it looks the same and costs little."""
    factor = max(1, int(sigma_px / 3))
    if factor == 1:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), max(sigma_px, 0.3)), dtype=np.uint8)
    height, width = image.shape[:2]
    small = cv2.resize(image, (max(width // factor, 1), max(height // factor, 1)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma_px / factor)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
