"""Kernels of blur that the network is trained on: disk, Gaussian, line.

All kernels, here and in `unseen_kernels`, are scaled to the second moment of a disk: "radius r" is blur whose points
spread as far, in root mean square, as those of a disk of radius r: σ = r/2 along each axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

__all__ = ["TRAINING_KERNELS", "Kernel", "disk", "gaussian", "line", "rasterize"]

Kernel = npt.NDArray[np.float32]

_FINE = 5
"""Samples along a pixel's edge."""


def rasterize(shape: Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], npt.NDArray], reach: float) -> Kernel:
    """Average a function of the plane over pixels.

    Parameters
    ----------
    shape
        Takes x and y, pixels from the kernel's centre; gives the density there.
    reach
        Beyond that many pixels from the centre the density is 0.

    Returns
    -------
    ndarray (n, n), float32
        n is odd; sums to 1.
    """
    half = max(1, math.ceil(reach))
    fine = (np.arange((2 * half + 1) * _FINE) + 0.5) / _FINE - half - 0.5
    x, y = np.meshgrid(fine, fine)
    size = 2 * half + 1
    kernel = shape(x, y).astype(float).reshape(size, _FINE, size, _FINE).mean((1, 3))
    return (kernel / kernel.sum()).astype(np.float32)


def disk(radius: float, angle: float = 0.0) -> Kernel:
    """Defocus of geometrical optics: a disk of `radius` pixels."""
    del angle
    return rasterize(lambda x, y: np.hypot(x, y) <= max(radius, 0.5), radius + 1)


def gaussian(radius: float, angle: float = 0.0) -> Kernel:
    """A Gaussian of σ = radius / 2 pixels."""
    del angle
    sigma = max(radius / 2, 0.2)
    return rasterize(lambda x, y: np.exp(-(x * x + y * y) / (2 * sigma * sigma)), 4 * sigma + 1)


def line(radius: float, angle: float = 0.0) -> Kernel:
    """Motion along `angle` (radians): a line of the disk's total second moment, that is √6 · radius pixels long."""
    length = math.sqrt(6) * radius
    cos, sin = math.cos(angle), math.sin(angle)

    def shape(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray:
        return (np.abs(x * cos + y * sin) <= max(length / 2, 0.5)) & (np.abs(y * cos - x * sin) <= 0.5)

    return rasterize(shape, length / 2 + 1)


TRAINING_KERNELS: dict[str, Callable[[float, float], Kernel]] = {"disk": disk, "gaussian": gaussian, "line": line}
