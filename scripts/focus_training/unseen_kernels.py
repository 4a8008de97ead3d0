"""Kernels of blur that the network is tested on, and never trained on: a wave-optical defocus, ring, hexagon, halo.

Radii as in `kernels`, by second moment; the wave-optical kernel, whose second moment diverges, by that of its
geometrical limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from focus_training.kernels import Kernel, rasterize

__all__ = ["UNSEEN_KERNELS", "halo", "hexagon", "pupil", "ring"]

_APERTURE = 0.75
"""Numerical aperture of a scanner's 20x objective, with which 40x scans are made too."""

_WAVELENGTHS_UM = (0.45, 0.53, 0.62)
_FINEST_UM = 0.12
"""Spacing of the intensity's samples at most: half a period of the highest frequency that the pupil passes."""


def pupil(radius_um: float, mpp: float) -> Kernel:
    """Defocus by wave optics: the squared Fourier transform of a pupil with a quadratic phase.

    At aperture NA a defocus of wavefront W (µm, at the pupil's edge) spreads a point over a disk of 2·W / NA in
    geometrical optics; that disk's radius is `radius_um`. J. Goodman, Introduction to Fourier Optics, § 6.4.
    """
    fine = 2 * math.ceil((mpp / _FINEST_UM - 1) / 2) + 1
    step = mpp / fine
    half = max(2, math.ceil((1.4 * radius_um + 2) / mpp))
    size = fine * (2 * half + 1)
    frequency = np.fft.fftfreq(size, step)
    square = frequency[:, None] ** 2 + frequency[None, :] ** 2
    wavefront = radius_um * _APERTURE / 2
    total = np.zeros((size, size))
    for wavelength in _WAVELENGTHS_UM:
        rho = square * (wavelength / _APERTURE) ** 2
        field = np.where(rho <= 1, np.exp(2j * np.pi * wavefront / wavelength * rho), 0)
        intensity = np.abs(np.fft.ifft2(field)) ** 2
        total += intensity / intensity.sum()
    centred = np.roll(total, size // 2, axis=(0, 1))
    kernel = centred.reshape(2 * half + 1, fine, 2 * half + 1, fine).sum((1, 3))
    return (kernel / kernel.sum()).astype(np.float32)


def ring(radius_um: float, mpp: float) -> Kernel:
    """The outer fifth of a disk: what a central obstruction leaves."""
    inner = 0.8
    outer_px = radius_um / mpp / math.sqrt(1 + inner**2)

    def shape(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray:
        distance = np.hypot(x, y)
        return (distance <= outer_px) & (distance >= inner * outer_px)

    return rasterize(shape, outer_px + 1)


def hexagon(radius_um: float, mpp: float) -> Kernel:
    """A diaphragm of six blades."""
    corner_px = math.sqrt(1.2) * radius_um / mpp
    side_px = corner_px * math.sqrt(3) / 2

    def shape(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray:
        tilted = [np.abs(x * math.cos(angle) + y * math.sin(angle)) for angle in (0, math.pi / 3, 2 * math.pi / 3)]
        return np.max(tilted, axis=0) <= side_px

    return rasterize(shape, corner_px + 1)


def halo(radius_um: float, mpp: float) -> Kernel:
    """Two Gaussians, 70 % narrow and 30 % two and a half times as wide: defocus with scatter."""
    share, ratio = 0.3, 2.5
    narrow = radius_um / mpp / 2 / math.sqrt(1 - share + share * ratio**2)
    wide = narrow * ratio

    def shape(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray:
        square = x * x + y * y
        return (1 - share) / narrow**2 * np.exp(-square / (2 * narrow**2)) + share / wide**2 * np.exp(
            -square / (2 * wide**2)
        )

    return rasterize(shape, 4 * wide + 1)


UNSEEN_KERNELS: dict[str, Callable[[float, float], Kernel]] = {
    "pupil": pupil,
    "ring": ring,
    "hexagon": hexagon,
    "halo": halo,
}
"""Each takes the radius, µm, and µm/px."""
