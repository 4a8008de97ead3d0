"""Out of focus: areas where a smoothed Laplacian finds no edges."""

from __future__ import annotations

import math
from typing import ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from slidekit.errors import QCError
from slidekit.pixels.image import RGBImage
from slidekit.slide.fate import Fate
from slidekit.slide.qc.base import BoolMask, QCMethod, SlideView

__all__ = ["Gaussian", "GaussianV2"]

_LAPLACE = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], np.float32)

# Luminance of linear sRGB primaries (ITU-R BT.709), in the order of channels.
_LUMINANCE = np.array([[0.2125, 0.7154, 0.0721]], np.float32) / 255

_TRUNCATE = 4.0
"""The smoothing kernel reaches this many standard deviations."""


class Gaussian(QCMethod):
    """Blur by the mean strength of edges.

    At `mpp`, the absolute Laplacian of the gray image is smoothed by a Gaussian; where that is at most `threshold`,
    there is nothing sharp. Empty glass is not sharp either, so that this method alone also drops background.

    Parameters
    ----------
    mpp
        µm/px to look at; four times the tile's by default.
    sigma
        Standard deviation of the smoothing, pixels.
    threshold
        Edge strength, in units of a gray range 0–1.
    """

    name: ClassVar[str] = "blur"
    reason: ClassVar[str] = Fate.OUT_OF_FOCUS

    def __init__(self, mpp: float | None = None, sigma: float = 3.0, threshold: float = 0.02) -> None:
        # Negated, so that NaN fails too.
        if not (0 < sigma < math.inf and threshold >= 0 and (mpp is None or 0 < mpp < math.inf)):
            raise QCError(
                f"blur QC cannot work with mpp={mpp}, sigma={sigma}, threshold={threshold}.",
                mend="Use positive numbers.",
            )
        self.mpp = mpp
        self.sigma = float(sigma)
        self.threshold = float(threshold)

    def __call__(self, wsi: SlideView) -> BoolMask:
        """Compute the mask; True = out of focus (or empty)."""
        mask: BoolMask = self._edges(wsi.overview(*self._size(wsi))) <= self.threshold
        return mask

    def _size(self, wsi: SlideView) -> tuple[int, int]:
        mpp = self.mpp if self.mpp is not None else 4 * wsi.target_mpp
        width, height = wsi.dimensions
        # Never finer than the slide itself: interpolated pixels look blurred.
        return (
            max(1, round(width * min(1.0, wsi.mpp_x / mpp))),
            max(1, round(height * min(1.0, wsi.mpp_y / mpp))),
        )

    @property
    def _radius(self) -> int:
        return int(_TRUNCATE * self.sigma + 0.5)

    def _edges(self, image: RGBImage) -> npt.NDArray[np.float32]:
        gray = cv2.transform(image.astype(np.float32), _LUMINANCE)
        edges = np.abs(cv2.filter2D(gray, cv2.CV_32F, _LAPLACE, borderType=cv2.BORDER_REFLECT))
        size = 2 * self._radius + 1
        smooth = cv2.GaussianBlur(edges, (size, size), self.sigma, sigmaY=self.sigma, borderType=cv2.BORDER_REFLECT)
        return np.asarray(smooth, dtype=np.float32)


class GaussianV2(Gaussian):
    """`Gaussian` in bands of rows that overlap: the same computation in bounded memory.

    Where bands begin between pixels of the level, resampling rounds a few of their pixels otherwise, by a grey level;
    masks then differ from `Gaussian`'s where edges are just at the threshold (at most 0.2 % of a mask on real slides).

    Parameters
    ----------
    mpp, sigma, threshold
        As in `Gaussian`.
    overlap
        Rows that neighbouring bands share; by default as many as the result depends on.
    tile_px
        Rows of a band.
    """

    def __init__(
        self,
        mpp: float | None = None,
        sigma: float = 3.0,
        threshold: float = 0.02,
        overlap: int | None = None,
        tile_px: int = 512,
    ) -> None:
        super().__init__(mpp, sigma, threshold)
        if tile_px < 1 or (overlap is not None and overlap < 0):
            raise QCError(
                f"blur QC cannot work with bands of tile_px={tile_px} rows and overlap={overlap}.",
                mend="Use positive numbers, or leave them out.",
            )
        self.overlap = overlap
        self.tile_px = tile_px

    def __call__(self, wsi: SlideView) -> BoolMask:
        """Compute the mask; True = out of focus (or empty)."""
        columns, rows = self._size(wsi)
        overlap = self.overlap if self.overlap is not None else self._radius + 1
        mask = np.empty((rows, columns), np.bool_)
        for first, band in wsi.overview_bands(columns, rows, band_rows=self.tile_px, overlap=overlap):
            skip = min(first, overlap)
            last = min(first + self.tile_px, rows)
            mask[first:last] = self._edges(band)[skip : skip + last - first] <= self.threshold
        return mask
