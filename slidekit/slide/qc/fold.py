"""Tissue folds: bands in which the tissue beside them lies twice."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from slidekit.errors import QCError
from slidekit.slide.qc.base import BoolMask, QCMethod, SlideView, to_number
from slidekit.slide.qc.densities import Densities, kernel, optical_densities, overview_size
from slidekit.slide.qc.mask import own_threshold
from slidekit.slide.qc.pen import Pen

__all__ = ["Fold"]

_TISSUE = 0.12
"""Optical density (green) from which on a pixel is tissue."""

_TYPICAL = 75.0
"""Percentile of tissue's density up to which surroundings are typical: what is darker may be a fold itself."""

_LEAST_EXCESS = 0.05
"""Excess of green over red, in density, below which nothing is stained enough to judge."""

_FULL = 0.75
"""Share of what its outline surrounds that a fold fills: glands side by side are rings, folds are not."""

_GROW = 0.4
"""What is joined to a fold and has this share of the increase that is asked for belongs to it."""

_CERTAIN = 1 / 3
"""Share of a fold that has the whole increase; a chain of dense glands has a few such spots, drawn folds 0.4 to 0.9."""

Plane = npt.NDArray[np.float32]


class Fold(QCMethod):
    """Folds, by what two layers do to light.

    Where tissue lies twice, its optical density is twice that of the tissue beside it, in all colours alike: such
    pixels are darker and more saturated, which is what is looked for elsewhere (P. A. Bautista and Y. Yagi, J. Biomed.
    Opt. 15, 2010; S. Kothari et al., J. Pathol. Inform. 4, 2013). With G and R the densities of green and red, which
    eosin and haematoxylin absorb unequally, a pixel is in a fold where all of this holds of the excess E = G − R:

    - E is `min_increase` times that of the typical tissue within `surround_um`, or more;
    - E is `min_rank` times that which nine tenths of the slide's tissue are below, or more: the rule goes by the
      slide's own stain;
    - the density of blue has not grown more than `max_shift` times as much as G, as it has in blood, DAB and red ink;
    - it is not what `Pen` takes for ink.

    Nuclei are dense in haematoxylin, which absorbs red and green alike: where they crowd, as in lymphoid aggregates, G
    and R grow and E does not.

    What is joined to such pixels and has 40 % of those increases belongs to the fold; areas of which less than a third
    is such pixels are left out, as glands side by side. Folds are bands: areas that are wider than `max_width_um`,
    shorter than `min_elongation` times their width, or smaller than `min_area_mm2` are left out, and rings; width
    is four times the mean distance to the border, length is area by width.

    Parameters
    ----------
    mpp
        µm/px to look at.
    min_increase
        Excess in a fold over that beside it; two layers have 2.
    min_rank
        Excess in a fold over the slide's 90th percentile.
    max_shift
        Largest ratio of the increases of blue and of green.
    surround_um
        Half the edge of the square that surroundings are, µm.
    min_elongation
        Smallest ratio of length and width.
    max_width_um
        Widest fold, µm.
    min_area_mm2
        Smallest fold, mm².
    filter_threshold
        A tile is dropped if more than this share of it is fold; None takes the run's `qc_filter_threshold`.

    Notes
    -----
    What fails. Not found: folds that are more than a tenth of the slide's tissue, as on a slide of a small fragment,
    since they set the percentile; folds of tissue that is paler than the rest; some of every width (docs/artifacts.md
    has figures). Found though it is none: a dense horny layer of skin. Slides without bright glass or tissue
    (fluorescence) are not judged: nothing is masked.
    """

    name: ClassVar[str] = "fold"
    reason: ClassVar[str] = "fold"

    def __init__(
        self,
        mpp: float = 8.0,
        *,
        min_increase: float = 1.7,
        min_rank: float = 1.3,
        max_shift: float = 1.3,
        surround_um: float = 240.0,
        min_elongation: float = 3.0,
        max_width_um: float = 250.0,
        min_area_mm2: float = 0.01,
        filter_threshold: float | None = 0.2,
    ) -> None:
        self.filter_threshold = own_threshold(filter_threshold)
        self.mpp, self.min_increase, self.min_rank, self.max_shift = to_number(
            "fold", mpp=mpp, min_increase=min_increase, min_rank=min_rank, max_shift=max_shift
        )
        self.surround_um, self.min_elongation, self.max_width_um, self.min_area_mm2 = to_number(
            "fold",
            surround_um=surround_um,
            min_elongation=min_elongation,
            max_width_um=max_width_um,
            min_area_mm2=min_area_mm2,
        )
        positive = (self.mpp, self.max_shift, self.surround_um, self.min_elongation, self.max_width_um)
        if min(positive) <= 0 or min(self.min_increase, self.min_rank) <= 1 or self.min_area_mm2 < 0:
            raise QCError(
                f"fold QC cannot work with {self!r}.",
                mend="Use positive numbers, and min_increase and min_rank above 1.",
            )

    def __call__(self, wsi: SlideView) -> BoolMask:
        """Compute the mask; True = fold."""
        columns, rows = overview_size(wsi, self.mpp)
        density = optical_densities(wsi.overview(columns, rows))
        width, height = wsi.dimensions
        pixel_um = math.sqrt(width * wsi.mpp_x / columns * height * wsi.mpp_y / rows)
        if density is None:
            return np.zeros((rows, columns), np.bool_)
        # Nuclei and fibres are of no interest: a fold is wider than they are.
        smooth = np.asarray(cv2.GaussianBlur(density, (0, 0), max(0.3, 8.0 / pixel_um)), dtype=np.float32)
        # Ink is no tissue to measure others by.
        ink = Pen(self.mpp)(wsi)
        certain, possible = self._dense(smooth, ~ink, pixel_um)
        _, labels = cv2.connectedComponents(possible.astype(np.uint8), connectivity=8)
        held = np.bincount(labels[certain], minlength=int(labels.max()) + 1) > 0
        held[0] = False
        return self._bands(np.asarray(held[labels], dtype=np.bool_), certain, pixel_um)

    def _dense(self, density: Densities, clear: BoolMask, pixel_um: float) -> tuple[BoolMask, BoolMask]:
        """Where density is twice what it is around, and where it is nearly so."""
        red, green, blue = density[..., 0], density[..., 1], density[..., 2]
        excess = green - red
        tissue = clear & (green >= _TISSUE)
        if not tissue.any():
            return tissue, tissue
        radius = max(1, round(self.surround_um / pixel_um))
        typical = tissue & (green <= np.percentile(green[tissue], _TYPICAL))
        around = _around(excess, typical, radius)
        shift = blue * _around(green, typical, radius) / (np.maximum(green, _TISSUE) * _around(blue, typical, radius))
        level = max(float(np.percentile(excess[tissue], 90)), _LEAST_EXCESS)
        alike = tissue & (shift <= self.max_shift)

        def above(share: float) -> BoolMask:
            """Where the increase is that share of what is asked for."""
            local, overall = 1 + share * (self.min_increase - 1), 1 + share * (self.min_rank - 1)
            return alike & (excess >= local * around) & (excess >= overall * level)

        return above(1.0), above(_GROW)

    def _bands(self, mask: BoolMask, certain: BoolMask, pixel_um: float) -> BoolMask:
        """Areas that are long, narrow, large enough, and dense for a good part."""
        # Bridges over what is not dark break bands, and hairs on them make them wider than they are.
        closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, kernel(8.0 / pixel_um))
        _, labels, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
        area = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
        depth = cv2.distanceTransform(closed, cv2.DIST_L2, 5)
        # In a band of width w the mean distance to its border is w / 4.
        mean = np.bincount(labels.ravel(), weights=depth.ravel(), minlength=len(area)) / area
        band_px = 4 * mean
        long = area / np.maximum(band_px, 1) ** 2 >= self.min_elongation
        kept = long & (band_px * pixel_um <= self.max_width_um) & (area * pixel_um**2 >= self.min_area_mm2 * 1e6)
        kept &= area >= _FULL * _filled(closed, labels, len(area))
        kept &= np.bincount(labels[certain], minlength=len(area)) >= _CERTAIN * area
        kept[0] = False
        return np.asarray(kept[labels], dtype=np.bool_)


def _filled(mask: Any, labels: Any, count: int) -> npt.NDArray[np.float64]:
    """Pixels of each area of a mask (rows, columns; 0 or 1) together with its holes; areas are numbered by `labels`."""
    filled = np.zeros(count)
    for outline in cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]:
        x, y = outline[0, 0]
        # Outlines go through the centres of pixels: by Pick's theorem half of those on it are missing, and one.
        filled[labels[y, x]] = cv2.contourArea(outline) + len(outline) / 2 + 1
    return filled


def _around(values: Plane, where: BoolMask, radius: int) -> Plane:
    """Mean of `values` over the pixels that count in a square around each; over all of those where none is near.

    Returns
    -------
    ndarray, float32
        Above 0.
    """
    size = (2 * radius + 1, 2 * radius + 1)
    counted = where.astype(np.float32)
    total = cv2.boxFilter(values * counted, cv2.CV_32F, size, normalize=True, borderType=cv2.BORDER_CONSTANT)
    share = cv2.boxFilter(counted, cv2.CV_32F, size, normalize=True, borderType=cv2.BORDER_CONSTANT)
    overall = np.float32(values[where].mean())
    # A mean of a few pixels is no surrounding.
    mean = np.divide(total, share, out=np.full_like(total, overall), where=share > 0.05)
    return np.asarray(np.maximum(mean, 0.02), dtype=np.float32)
