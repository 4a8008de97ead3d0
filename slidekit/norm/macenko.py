"""Macenko's method: find the two stains of an image, and put the reference's in their place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from slidekit.norm.base import FitField, StainNormalizer
from slidekit.norm.bounds import MIN_DENSITY
from slidekit.norm.brightness import bright_level, stretch_table
from slidekit.norm.stains import find_stains

__all__ = ["MacenkoNormalizer"]

_DENSITY = -np.log((np.arange(256) + 1) / 255)


class MacenkoNormalizer(StainNormalizer):
    """Separate two stains by the extreme angles in the plane of largest variance of optical density.

    From Macenko et al.: A method for normalizing histology slides for quantitative analysis, ISBI 2009,
    with ``OD = −ln((I + 1) / 255)``, beta = 0.15 (a stained pixel has at least this density in every
    channel), alpha = 1 %. A context of ``concentrations`` (2,) stands in for the tile's own 99th percentiles; the
    stains are the tile's own with it, too.

    Parameters
    ----------
    method
        ``macenko``, which begins with the brightness step, or ``macenko_fast``, the paper alone.
    """

    _fields: ClassVar[Mapping[str, FitField]] = {
        "stain_matrix_target": FitField((3, 2), positive=False),
        "target_concentrations": FitField((2,), positive=True),
    }

    def __init__(self, method: str = "macenko") -> None:
        self._fast = method == "macenko_fast"
        super().__init__(method)

    def _measure(self, image: NDArray[np.uint8]) -> Mapping[str, NDArray[np.float64]] | None:
        prepared = self._prepare(image)
        stains = None if prepared is None else find_stains(*prepared)
        if stains is None:
            return None
        return {"stain_matrix_target": stains.matrix, "target_concentrations": stains.peaks}

    def _apply(
        self,
        image: NDArray[np.uint8],
        fit: Mapping[str, NDArray[np.float64]],
        context: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> NDArray[np.uint8] | None:
        peaks = None if context is None else context["concentrations"]
        prepared = self._prepare(image)
        stains = None if prepared is None else find_stains(*prepared, peaks=peaks)
        if prepared is None or stains is None:
            return None
        gain = fit["target_concentrations"] / stains.peaks
        # Unmixing, scaling and mixing are one matrix; the minus sign of the exponent is in it too.
        recolour = -(fit["stain_matrix_target"] * gain) @ stains.unmix
        exponent = cv2.transform(prepared[0], recolour.astype(np.float32))
        np.minimum(exponent, 0, out=exponent)
        return cv2.convertScaleAbs(cv2.exp(exponent), alpha=255).astype(np.uint8, copy=False)

    def _prepare(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.uint8]] | None:
        """Optical density, (h, w, 3), and the mask of stained pixels, (h, w), 255 where stained."""
        level = bright_level(image)
        if level is None:
            return None
        density = _DENSITY if self._fast else _DENSITY[stretch_table(level)]
        # Density falls with the value: the values of stained pixels are those up to some value.
        brightest = float(np.count_nonzero(density >= MIN_DENSITY) - 1)
        mask = cv2.inRange(image, (0.0, 0.0, 0.0), (brightest,) * 3)
        densities = cv2.LUT(image, density.astype(np.float32)).astype(np.float32, copy=False)
        return densities, mask.astype(np.uint8, copy=False)
