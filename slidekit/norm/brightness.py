"""The brightness of a tile, and the stretch with which `macenko` and `reinhard` begin (not `_fast`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from slidekit.norm.percentiles import image_percentile

__all__ = ["bright_level", "stretch_table"]

_BRIGHT_PERCENTILE = 90

# A tile that is darker than this has no light to measure colours by: fluorescence, a slide's black border.
_BLACK = 16


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
    level = image_percentile(image, _BRIGHT_PERCENTILE)
    return None if level < _BLACK else level


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
