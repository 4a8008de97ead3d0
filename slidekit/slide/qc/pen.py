"""Pen marks: ink absorbs other colours than stains do."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import ClassVar

import cv2
import numpy as np

from slidekit.errors import QCError
from slidekit.slide.qc.base import BoolMask, QCMethod, SlideView, to_number
from slidekit.slide.qc.densities import Densities, kernel, optical_densities, overview_size, remove_small
from slidekit.slide.qc.mask import own_threshold

__all__ = ["Pen"]

_INKS = ("blue", "green", "red", "black")

_THIN = 0.45
"""Share of the density of ink that its thin borders still have."""

_OVER_TISSUE = 1.1
"""Excess of blue over red of red ink over tissue, in `min_red_density`; in tissue it is 0.2 in 999 of 1000 pixels."""


class Pen(QCMethod):
    """Marks of felt pens, found by colour.

    The slide is looked at in optical densities (−log10 of the transmitted share) of red, green and blue, R, G and B.
    Haematoxylin and eosin absorb green most: R / G is at most 0.96 and B / G at most 0.70 in 99 of 100 pixels of tissue
    (three slides and 40 crops of five others). DAB absorbs blue most. Inks are where that is otherwise:

    - blue, green: R ≥ `min_density` and R ≥ 1.25 G;
    - red: R ≤ 0.3 G, and on glass G ≥ `min_red_density` and B ≥ 0.8 G, over tissue B − R ≥ 1.1 `min_red_density` and
      B ≥ 0.6 G;
    - black: all of R, G, B ≥ `min_black_density`, and the largest exceeds the least by at most a quarter.

    What is joined to such a core and is paler, or is ink over tissue, belongs to the mark. Then marks smaller than
    `min_area_mm2` are left out, small holes are closed, and the rest grows by `margin_um`.

    Parameters
    ----------
    mpp
        µm/px to look at.
    inks
        Which to look for: ``blue``, ``green``, ``red``, ``black``.
    min_density, min_red_density, min_black_density
        Optical density of a mark's core.
    min_area_mm2
        Smallest mark, mm².
    margin_um
        The border of ink that is too pale to be told from the glass, µm.
    filter_threshold
        A tile is dropped if more than this share of it is ink; None takes the run's `qc_filter_threshold`.

    Notes
    -----
    The rules are in the spirit of published ones on RGB values (HistoQC: Janowczyk et al., JCO Clin. Cancer Inform.
    2019), put into densities so that they hold for pale ink as for dark. What fails: purple ink has the colours of
    haematoxylin and is not found; blue ink over strongly stained tissue only where it is joined to ink on glass. Large
    areas of tissue marking dye are found as pen, which is what they are. Dense lakes of blood can pass for red ink and
    anthracotic or melanin pigment for black where they fill 0.01 mm²: leave ``red`` or ``black`` out of `inks`.
    Slides without bright glass or tissue (fluorescence) have no pen marks that could be seen: nothing is masked.
    """

    name: ClassVar[str] = "pen"
    reason: ClassVar[str] = "pen"

    def __init__(
        self,
        mpp: float = 8.0,
        *,
        inks: Iterable[str] = _INKS,
        min_density: float = 0.4,
        min_red_density: float = 0.65,
        min_black_density: float = 0.8,
        min_area_mm2: float = 0.01,
        margin_um: float = 8.0,
        filter_threshold: float | None = 0.2,
    ) -> None:
        given = () if isinstance(inks, str) or not isinstance(inks, Iterable) else tuple(inks)
        if not given or any(ink not in _INKS for ink in given):
            raise QCError(f"inks={inks!r} is not a list of inks.", mend=f"Use some of {', '.join(_INKS)}.")
        self.inks = given
        self.mpp, self.min_density, self.min_red_density, self.min_black_density = to_number(
            "pen",
            mpp=mpp,
            min_density=min_density,
            min_red_density=min_red_density,
            min_black_density=min_black_density,
        )
        self.filter_threshold = own_threshold(filter_threshold)
        self.min_area_mm2, self.margin_um = to_number("pen", min_area_mm2=min_area_mm2, margin_um=margin_um)
        positive = (self.mpp, self.min_density, self.min_red_density, self.min_black_density)
        if min(positive) <= 0 or min(self.min_area_mm2, self.margin_um) < 0:
            raise QCError(f"pen QC cannot work with {self!r}.", mend="Use positive numbers.")

    def __call__(self, wsi: SlideView) -> BoolMask:
        """Compute the mask; True = pen mark."""
        columns, rows = overview_size(wsi, self.mpp)
        density = optical_densities(wsi.overview(columns, rows))
        width, height = wsi.dimensions
        pixel_um = math.sqrt(width * wsi.mpp_x / columns * height * wsi.mpp_y / rows)
        marks = np.zeros((rows, columns), np.bool_)
        if density is None:
            return marks
        smallest = self.min_area_mm2 * 1e6 / pixel_um**2
        for ink in self.inks:
            core, thin = self._ink(ink, density)
            marks |= _marks(core, thin, smallest)
        # Over dark tissue marks have holes; bright ones, such as the inside of a circle that was drawn, are wider.
        closing, margin = kernel(2 * self.margin_um / pixel_um), kernel(self.margin_um / pixel_um)
        closed = cv2.morphologyEx(marks.astype(np.uint8), cv2.MORPH_CLOSE, closing)
        return np.asarray(cv2.dilate(closed, margin), dtype=np.bool_)

    def _ink(self, ink: str, density: Densities) -> tuple[BoolMask, BoolMask]:
        """Where an ink is beyond doubt, and where it may be if it is there as well."""
        red, green, blue = density[..., 0], density[..., 1], density[..., 2]
        if ink == "red":
            thin = (green >= _THIN * self.min_red_density) & (blue >= 0.75 * green) & (red <= 0.4 * green)
            on_glass = (green >= self.min_red_density) & (blue >= 0.8 * green)
            # Tissue adds green to the ink's; it never absorbs blue by so much more than red.
            excess = blue - red
            on_tissue = (excess >= _OVER_TISSUE * self.min_red_density) & (blue >= 0.6 * green)
            pale_on_tissue = (excess >= 0.6 * self.min_red_density) & (blue >= 0.6 * green) & (red <= 0.4 * green)
            return (on_glass | on_tissue) & (red <= 0.3 * green), thin | pale_on_tissue
        if ink == "black":
            least, most = density.min(axis=2), density.max(axis=2)
            thin = (least >= _THIN * self.min_black_density) & (most - least <= 0.35 * most)
            return (least >= self.min_black_density) & (most - least <= 0.25 * most), thin
        # Blue ink lets most of the blue through, green ink most of the green.
        own = blue <= green if ink == "blue" else blue > green
        pale = (red >= _THIN * self.min_density) & (red >= 1.1 * green)
        over_tissue = (red >= 1.5 * self.min_density) & (red >= 0.9 * green)
        return own & (red >= self.min_density) & (red >= 1.25 * green), pale | over_tissue


def _marks(core: BoolMask, thin: BoolMask, smallest_px: float) -> BoolMask:
    """Areas of ink, pale or not, that are large enough and a quarter of whose least size is beyond doubt."""
    ink = core | thin
    _, labels = cv2.connectedComponents(ink.astype(np.uint8), connectivity=8)
    certain = np.bincount(labels[core], minlength=int(labels.max()) + 1) >= max(1.0, smallest_px / 4)
    certain[0] = False
    return remove_small(np.asarray(certain[labels], dtype=np.bool_), smallest_px)
