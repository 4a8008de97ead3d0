"""Where statistics are not defined: the numbers that numpy and the frameworks share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BLACK",
    "BRIGHT_PERCENTILE",
    "GLASS_LIGHTNESS",
    "MIN_ANGLE",
    "MIN_DENSITY",
    "MIN_GAP",
    "MIN_LENGTH",
    "MIN_PEAK",
    "MIN_SECOND_VARIANCE",
    "MIN_STAINED_PIXELS",
    "MIN_STAINED_SHARE",
    "MIN_STDS",
    "SAME_RED",
]

BRIGHT_PERCENTILE = 90
"""Percentile of an image's values that the brightness step makes white."""

BLACK = 16
"""An image whose bright level is below has no light to measure colours by: fluorescence, a slide's black border."""

MIN_DENSITY = 0.15
"""Macenko et al.'s beta: pixels with less optical density than this in any channel hold no stain."""

# Two stains. The 99th percentile of the concentrations says nothing about stain that covers less than 1 % of the
# pixels. The other bounds lie where 8-bit noise on gray or on one stain ends: H&E tiles of which 1 % or more is
# stained (1576 tiles of eight slides) have a second variance above 3e-4, stains at least 0.17 rad apart and peaks
# above 0.13.
MIN_STAINED_PIXELS = 16
"""Fewer have no two stains."""

MIN_STAINED_SHARE = 0.01
"""Nor has a smaller share of the pixels."""

MIN_SECOND_VARIANCE = 1e-5
"""Of optical density along the second principal component."""

MIN_ANGLE = 0.05
"""Radians between two stains."""

MIN_PEAK = 0.05
"""99th percentile of a stain's concentrations."""

SAME_RED = 1e-6
"""Stains that differ less in red are equal but for rounding: they stay in the order of their angles, everywhere."""

MIN_GAP = 1e-6
"""Between the second and the third variance, as a share of the first; with less, the plane hangs on rounding errors."""

MIN_LENGTH = 1e-6
"""Of the mean density in the plane; with less, its first axis does."""

# Glass, gray and one colour stay below these (blank tiles of three slides: L* 0.4, 1.3 at most), H&E tiles of which
# 1 % or more is stained are above 4, 2.6 and 1.4. Stretching what lies below to the spread of tissue would make
# colours out of noise.
MIN_STDS: NDArray[np.float64] = np.array([1.0, 0.5, 0.5])
"""Standard deviations of L*, a*, b*."""

GLASS_LIGHTNESS = 93.0
"""Pixels that are lighter are glass to the masked methods: L* of 0.93 · 100."""
