"""Reinhard's colour transfer: give each channel of CIELAB the mean and the spread of the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from slidekit.norm.base import FitField, StainNormalizer
from slidekit.norm.brightness import bright_level, stretch_table

__all__ = ["ReinhardNormalizer"]

# Smallest standard deviations of L*, a*, b*. Glass, gray and one colour stay below them (blank tiles of
# three slides: L* 0.4, 1.3 at most), H&E tiles of which 1 % or more is stained are above 4, 2.6 and 1.4.
# Stretching what lies below to the spread of tissue would make colours out of noise.
_MIN_STDS = np.array([1.0, 0.5, 0.5])

# sRGB values 0–255 as linear light (IEC 61966-2-1). OpenCV's way from sRGB to CIELAB interpolates in a
# coarse table and is off by up to 0.4; from linear light it is exact to 1e-5, and faster.
_SRGB = np.arange(256) / 255
_LINEAR = np.where(_SRGB <= 0.04045, _SRGB / 12.92, ((_SRGB + 0.055) / 1.055) ** 2.4).astype(np.float32)


class ReinhardNormalizer(StainNormalizer):
    """Match the means and standard deviations of CIELAB (float, D65, 2°), over all pixels.

    From Reinhard, Ashikhmin, Gooch, Shirley: Color transfer between images, IEEE CG&A 21(5), 2001; in
    CIELAB rather than in the paper's lαβ, as pathology uses it. Each channel becomes
    ``(x − mean) · target_std / std + target_mean``. Statistics are not defined where the standard deviation
    is below 1 in L* or below 0.5 in a* or b*: one colour, gray, black, white, glass.

    Parameters
    ----------
    fast
        False is ``reinhard``, which begins with the brightness step; True is ``reinhard_fast``, without it.
    """

    _fields: ClassVar[Mapping[str, FitField]] = {
        "target_means": FitField((3,), positive=False),
        "target_stds": FitField((3,), positive=True),
    }

    def __init__(self, *, fast: bool = False) -> None:
        self._fast = fast
        super().__init__("reinhard_fast" if fast else "reinhard")

    def _measure(self, image: NDArray[np.uint8]) -> Mapping[str, NDArray[np.float64]] | None:
        measured = self._lab_statistics(image)
        if measured is None:
            return None
        _, means, stds = measured
        return {"target_means": means, "target_stds": stds}

    def _apply(self, image: NDArray[np.uint8], fit: Mapping[str, NDArray[np.float64]]) -> NDArray[np.uint8] | None:
        measured = self._lab_statistics(image)
        if measured is None:
            return None
        lab, means, stds = measured
        gain = fit["target_stds"] / stds
        affine = np.column_stack([np.diag(gain), fit["target_means"] - gain * means])
        moved = cv2.transform(lab, affine.astype(np.float32))
        rgb = cv2.cvtColor(moved, cv2.COLOR_LAB2RGB)
        return cv2.convertScaleAbs(rgb, alpha=255).astype(np.uint8, copy=False)

    def _lab_statistics(
        self, image: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]] | None:
        """CIELAB of an image, float32 (h, w, 3), and each channel's mean and standard deviation."""
        level = bright_level(image)
        if level is None:
            return None
        linear = _LINEAR if self._fast else _LINEAR[stretch_table(level)]
        lab = cv2.cvtColor(cv2.LUT(image, linear), cv2.COLOR_LRGB2LAB).astype(np.float32, copy=False)
        means, stds = (np.asarray(value, np.float64).reshape(3) for value in cv2.meanStdDev(lab))
        if (stds < _MIN_STDS).any():
            return None
        return lab, means, stds
