"""Optical densities of a small picture of a slide, and areas of a mask that are too small to count."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from slidekit.pixels.image import RGBImage
from slidekit.slide.qc.base import BoolMask, SlideView

__all__ = ["Densities", "kernel", "optical_densities", "overview_size", "remove_small"]

Densities = npt.NDArray[np.float32]

_WHITE_AT_LEAST = 200.0
_DARK_FIELD = 100.0


def overview_size(wsi: SlideView, mpp: float) -> tuple[int, int]:
    """Columns and rows of the slide at µm/px `mpp`, never finer than level 0."""
    width, height = wsi.dimensions
    return max(1, round(width * min(1.0, wsi.mpp_x / mpp))), max(1, round(height * min(1.0, wsi.mpp_y / mpp)))


def optical_densities(image: RGBImage) -> Densities | None:
    """Optical densities −log10(I / I₀) of a bright-field picture (Beer and Lambert's law).

    Parameters
    ----------
    image
        (rows, columns, 3), uint8, RGB.

    Returns
    -------
    ndarray (rows, columns, 3) float32, or None
        At least 0. I₀ of a channel is its 99th percentile, or 200 where that is less: a slide may be tissue all over.
        None where hardly anything is bright (the 95th percentile of the darkest channel is below 100): fluorescence
        and empty black, in which there is no light to be absorbed.
    """
    darkest = image.min(axis=2)
    if np.percentile(darkest, 95) < _DARK_FIELD:
        return None
    white = np.maximum(np.percentile(image.reshape(-1, 3), 99, axis=0), _WHITE_AT_LEAST)
    # Through a table of the 256 values: a logarithm of each pixel is slow. Half a grey level keeps black finite.
    values = np.arange(256)[:, None] + 0.5
    table = np.maximum(-np.log10(values / (white + 0.5)), 0).astype(np.float32)
    return np.stack([table[image[..., channel], channel] for channel in range(3)], axis=2)


def kernel(radius_px: float) -> npt.NDArray[np.uint8]:
    """A disk for morphology, of odd size; one pixel where the radius is below one."""
    size = 2 * round(radius_px) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), dtype=np.uint8)


def remove_small(mask: BoolMask, smallest_px: float) -> BoolMask:
    """Leave out areas (8-connected) of fewer pixels."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= smallest_px
    large[0] = False
    return np.asarray(large[labels], dtype=np.bool_)
