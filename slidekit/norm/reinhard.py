"""Reinhard's colour transfer: give each channel of CIELAB the mean and the spread of the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from slidekit.norm.base import FitField, StainNormalizer
from slidekit.norm.bounds import GLASS_LIGHTNESS, MIN_STDS
from slidekit.norm.brightness import SRGB_TO_LINEAR, bright_level, stretch_table

__all__ = ["ReinhardNormalizer"]


class ReinhardNormalizer(StainNormalizer):
    """Match the means and standard deviations of CIELAB (float, D65, 2°), over all pixels.

    From Reinhard, Ashikhmin, Gooch, Shirley: Color transfer between images, IEEE CG&A 21(5), 2001; in
    CIELAB rather than in the paper's lαβ, as pathology uses it. Each channel becomes
    ``(x − mean) · target_std / std + target_mean``. Statistics are not defined where the standard deviation
    is below 1 in L* or below 0.5 in a* or b*: one colour, gray, black, white, glass. A context of ``means`` and
    ``stds``, (3,) each, in CIELAB, stands in for the tile's own; then only a black tile is degenerate.

    Parameters
    ----------
    method
        ``reinhard``, which begins with the brightness step; ``reinhard_fast``, without it; ``reinhard_mask`` or
        ``reinhard_fast_mask``: the transfer is the same, with the same statistics over all pixels, but pixels with
        L* ≥ 93 keep the colour that they came with (after the brightness step, if there is one), so that glass
        stays white.
    """

    _fields: ClassVar[Mapping[str, FitField]] = {
        "target_means": FitField((3,), positive=False),
        "target_stds": FitField((3,), positive=True),
    }

    def __init__(self, method: str = "reinhard") -> None:
        self._fast = "fast" in method
        self._mask = "mask" in method
        super().__init__(method)

    def _measure(self, image: NDArray[np.uint8]) -> Mapping[str, NDArray[np.float64]] | None:
        level = bright_level(image)
        statistics = None if level is None else _statistics(_lab(image, self._linear_table(level)))
        if statistics is None:
            return None
        return {"target_means": statistics[0], "target_stds": statistics[1]}

    def _apply(
        self,
        image: NDArray[np.uint8],
        fit: Mapping[str, NDArray[np.float64]],
        context: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> NDArray[np.uint8] | None:
        level = bright_level(image)
        if level is None:
            return None
        lab = _lab(image, self._linear_table(level))
        statistics = _statistics(lab) if context is None else (context["means"], context["stds"])
        if statistics is None:
            return None
        means, stds = statistics
        gain = fit["target_stds"] / stds
        affine = np.column_stack([np.diag(gain), fit["target_means"] - gain * means])
        moved = cv2.transform(lab, affine.astype(np.float32))
        rgb = cv2.cvtColor(moved, cv2.COLOR_LAB2RGB)
        result = cv2.convertScaleAbs(rgb, alpha=255)
        if self._mask:
            glass = (cv2.extractChannel(lab, 0) >= GLASS_LIGHTNESS).view(np.uint8)
            result = cv2.copyTo(image if self._fast else cv2.LUT(image, stretch_table(level)), glass, result)
        return result.astype(np.uint8, copy=False)

    def _linear_table(self, level: float) -> NDArray[np.float32]:
        """Linear light (256,) of the values of an image, after the brightness step if there is one."""
        return SRGB_TO_LINEAR if self._fast else SRGB_TO_LINEAR[stretch_table(level)]


def _lab(image: NDArray[np.uint8], linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """CIELAB of an image, float32 (h, w, 3).

    OpenCV's own way from sRGB to CIELAB interpolates in a coarse table and is off by up to 0.4; from linear
    light it is exact to 1e-5, and faster.
    """
    return cv2.cvtColor(cv2.LUT(image, linear), cv2.COLOR_LRGB2LAB).astype(np.float32, copy=False)


def _statistics(lab: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Mean and standard deviation (3,) of each channel, if they are defined."""
    means, stds = (np.asarray(value, np.float64).reshape(3) for value in cv2.meanStdDev(lab))
    return None if (stds < MIN_STDS).any() else (means, stds)
