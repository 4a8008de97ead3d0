"""Tables of whole numbers that all frameworks look things up in."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from slidekit.augment.letters import BLUR_SIGMAS, PROFILE_GAMMAS

__all__ = ["BLUR_KERNELS", "BLUR_UNIT", "CURVES", "CURVE_BACK", "LIGHT", "SHARPEN_UNIT"]

BLUR_UNIT = 1 << 16
"""What white becomes 255 of when it was blurred in both directions: kernels sum to 256."""

SHARPEN_UNIT = 26
"""Twice the sum of the smoothing kernel of sharpening: 5 in the middle, 1 for each of the eight neighbours."""

LIGHT = 8191
"""Linear light of white."""

_GAMMA = 2.2


def _kernel(sigma: float) -> NDArray[np.int32]:
    """Sampled Gaussian to 3 sigma, whole numbers that sum to 256; what rounding leaves goes to the middle."""
    reach = math.ceil(3 * sigma)
    values = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel: NDArray[np.int32] = np.rint(256 * values / values.sum()).astype(np.int32)
    kernel[reach] += 256 - kernel.sum()
    return kernel


BLUR_KERNELS: tuple[NDArray[np.int32], ...] = (np.array([256], np.int32), *map(_kernel, BLUR_SIGMAS))
"""One that blurs nothing, and one for each sigma."""

CURVES: NDArray[np.int32] = np.rint(
    LIGHT * (np.arange(256) / 255) ** (_GAMMA * np.array(PROFILE_GAMMAS)[:, None])
).astype(np.int32)
"""(curves, 256): linear light, 0 to `LIGHT`, of a value of a channel."""

CURVE_BACK: NDArray[np.uint8] = np.rint(255 * (np.arange(LIGHT + 1) / LIGHT) ** (1 / _GAMMA)).astype(np.uint8)
"""(LIGHT + 1,): value of a channel for linear light."""
