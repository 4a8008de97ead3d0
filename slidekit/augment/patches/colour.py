"""Shifts of a patch's colours: hue, and lightness as the eye sees it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["shift_colours"]

_PIXELS = 1 << 16
"""Worked on at a time, so that the floats stay in the processor's cache."""


def shift_colours(image: NDArray[np.uint8], hue: float, gamma: float) -> NDArray[np.uint8]:
    """Turn the hue of HSV, then raise the lightness L* of CIELAB (sRGB, D65) to a power.

    Grey stays grey, saturation and value of HSV stay under the turn; a* and b* stay under the power, where the result
    is a colour that sRGB has.

    Parameters
    ----------
    image
        uint8 (h, w, 3), RGB.
    hue
        By how many whole turns; 0 changes nothing.
    gamma
        The power, above 0: L* becomes 100 · (L* / 100)**gamma. Below 1 brightens, 1 changes nothing.

    Returns
    -------
    ndarray (h, w, 3), uint8
        A new array; at most 3 grey levels, and on average less than 1, from the formulas in float64.
    """
    image = np.asarray(image)
    result = np.empty(image.shape, np.uint8)
    rows = max(1, _PIXELS // image.shape[1])
    for row in range(0, len(image), rows):
        result[row : row + rows] = _shift_strip(image[row : row + rows], hue % 1, gamma)
    return result


def _shift_strip(image: NDArray[np.uint8], turns: float, gamma: float) -> NDArray[np.uint8]:
    # 8-bit HSV has 256 hues and 8-bit LAB 256 steps of a*: too coarse. float32 costs no more.
    values = np.multiply(image, np.float32(1 / 255), dtype=np.float32)
    if turns:
        values = _turn_hue(values, turns)
    if gamma != 1:
        values = _raise_lightness(values, gamma)
    return np.asarray(cv2.convertScaleAbs(values, alpha=255), np.uint8)


def _turn_hue(values: NDArray[np.float32], turns: float) -> NDArray[np.float32]:
    """By 0 to below 1 turns: OpenCV takes hues above a whole turn, and makes wrong colours of those below 0."""
    hsv = cv2.cvtColor(values, cv2.COLOR_RGB2HSV)
    np.add(hsv[..., 0], np.float32(360 * turns), out=hsv[..., 0])
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.float32)


def _raise_lightness(values: NDArray[np.float32], gamma: float) -> NDArray[np.float32]:
    lab = cv2.cvtColor(values, cv2.COLOR_RGB2Lab)
    lightness = np.maximum(cv2.extractChannel(lab, 0), 0)
    raised = cv2.pow(lightness, gamma) * np.float32(100 ** (1 - gamma))
    cv2.insertChannel(raised, lab, 0)
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB), np.float32)
