"""The brightness of a tile, the stretch with which all but the `_fast` methods begin, and linear light."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from slidekit.norm.bounds import BLACK, BRIGHT_PERCENTILE
from slidekit.norm.percentiles import image_percentile

__all__ = ["SRGB_TO_LINEAR", "bright_level", "stretch_table"]

_SRGB = np.arange(256) / 255
SRGB_TO_LINEAR: NDArray[np.float32] = np.where(
    _SRGB <= 0.04045, _SRGB / 12.92, ((_SRGB + 0.055) / 1.055) ** 2.4
).astype(np.float32)
"""sRGB values 0–255 as linear light 0–1, float32 (256,) (IEC 61966-2-1)."""


def bright_level(image: NDArray[np.uint8]) -> float | None:
    """90th percentile of the values of an image, over all channels.

    Parameters
    ----------
    image
        uint8 (h, w, 3), RGB, C-contiguous.

    Returns
    -------
    float or None
        None below 16: the tile is as good as black, and no statistics of its stains are defined.
    """
    level = image_percentile(image, BRIGHT_PERCENTILE)
    return None if level < BLACK else level


def stretch_table(level: float) -> NDArray[np.uint8]:
    """Look-up table that stretches an image so that values of `level` become 255.

    Parameters
    ----------
    level
        As `bright_level` gives it.

    Returns
    -------
    numpy.ndarray
        uint8 (256,): ``min(255, 255 · value / level)``, fractions cut off: so the presets were measured.
    """
    table: NDArray[np.uint8] = np.minimum(255 * np.arange(256) / level, 255).astype(np.uint8)
    return table
