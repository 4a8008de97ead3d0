"""Nuclei without weights: the nuclear stain unmixed, blobs, a watershed, and pieces joined by shape."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from slidekit.cells.methods.base import (
    DEFAULT_MPP,
    LARGEST_CELL,
    MARGIN_DIAMETERS,
    OverviewSlide,
    check_lengths,
    check_scale,
)
from slidekit.cells.methods.basins import find_basins
from slidekit.cells.methods.joining import join_islands, join_pieces
from slidekit.cells.methods.pieces import fill_holes, largest_pieces, open_regions, ring_around
from slidekit.cells.methods.sampling import check_bright_field, glass_colour, tissue_samples
from slidekit.cells.methods.scale_space import MOST_COUNTS, Counts, blob_response, box_sum, smooth
from slidekit.cells.methods.shapes import relabel, shapes_of
from slidekit.cells.methods.stain import STAINS, StainFacts, measure_stain, nuclear_stain
from slidekit.errors import SpecError
from slidekit.pixels.image import RGBImage

__all__ = ["ClassicalNuclei"]

Labels = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

# Lengths below are in usual diameters of a nucleus, amounts of stain in the slide's usual contrast.

_DENOISE = 0.05
_SIGMA = 0.205
"""Of the blobs: nuclei from a half of the usual diameter on make one peak, larger ones several, which are joined."""

_SOFT = 0.12
"""Amount at which pale and dark begin to count alike: landscapes are of excess / (excess + this)."""

_SURROUNDINGS = 3.0
"""Radius in which the background is averaged."""

_PRIOR = 0.15
"""Share of those surroundings that the slide's own background counts for, where everything is nuclei."""

_CORE = 0.17
_EDGE = 0.5
"""A nucleus ends where the stain is half of what it is in its core."""

_LARGEST_HOLE = 0.25
"""Area of the largest hole that is filled, as a share of the usual diameter's square."""

_LONGEST_ISLAND = 1.8
"""Longest axis of what is taken for one nucleus by its outline alone."""

_RING = 0.2
"""Width of the ring with which a nucleus is compared."""

_LEAST_PX = 4
"""Of a usual diameter: what is smaller has no shape."""

_GOOD_FILL = 0.9
_RAGGED, _SMALL = 2.5, 0.4
"""How much more stain is needed of what is no ellipse, and of what is smaller than half of a usual nucleus."""


class ClassicalNuclei:
    """Nuclei in bright-field slides, without weights.

    Hematoxylin is unmixed by colour deconvolution (Ruifrok and Johnston 2001) with the slide's own stains (Macenko et
    al. 2009) where they are plausible. What exceeds the local background is turned into blobs by differences of
    Gaussians (Lindeberg 1998); a watershed of the blobs gives pieces, each cut at half the stain of its own core, so
    that pale nuclei are outlined as dark ones are; pieces are joined where shape and valley say that they are one
    nucleus. Faint, ragged and too small or large ones are dropped.

    Thresholds are the slide's or of what lies within `margin_um`, and sums are of whole numbers, so that windows agree
    to the pixel.

    Parameters
    ----------
    diam_um
        Usual diameter of a nucleus, µm.
    mpp
        µm/px to work at, 0.5 by default.
    stain
        ``he``; ``hdab`` for immunohistochemistry whose brown is not in the nuclei; ``hdab-nuclear`` where it is, and
        brown nuclei count as blue ones do.
    sensitivity
        0–1: how pale a nucleus may be. 1 takes what hardly differs from its surroundings, too.
    min_area_um2, max_area_um2
        Limits of the area; by default 0.2 and 6.25 times that of a disk of `diam_um`.

    Raises
    ------
    SpecError
        If a parameter makes no sense.
    """

    name = "classical"

    def __init__(
        self,
        diam_um: float = 8.0,
        *,
        mpp: float = DEFAULT_MPP,
        stain: str = "he",
        sensitivity: float = 0.7,
        min_area_um2: float | None = None,
        max_area_um2: float | None = None,
    ) -> None:
        check_scale(diam_um, mpp, least_px=_LEAST_PX)
        check_lengths(sensitivity=sensitivity)
        disk = np.pi / 4 * float(diam_um) ** 2
        least = 0.2 * disk if min_area_um2 is None else min_area_um2
        most = LARGEST_CELL**2 * disk if max_area_um2 is None else max_area_um2
        check_lengths(min_area_um2=least, max_area_um2=most)
        self.diam_um = float(diam_um)
        self.mpp = float(mpp)
        self.stain = stain
        self.sensitivity = float(sensitivity)
        self.min_area_um2, self.max_area_um2 = float(least), float(most)
        self.margin_um = MARGIN_DIAMETERS * self.diam_um
        self._check()

    def _check(self) -> None:
        if self.stain not in STAINS:
            raise SpecError(f"stain={self.stain!r} is not a stain.", mend=f"Use {', '.join(STAINS)}.")
        if self.sensitivity > 1:
            raise SpecError(f"sensitivity={self.sensitivity} is not a share.", mend="Give a number above 0, up to 1.")
        if self.min_area_um2 >= self.max_area_um2:
            raise SpecError(
                f"No area is from {self.min_area_um2:g} to {self.max_area_um2:g} µm².",
                mend="Give a min_area_um2 below max_area_um2.",
            )

    def parameters(self) -> dict[str, Any]:
        """Everything that the labels depend on, besides the slide, as plain JSON values."""
        return {name: value for name, value in sorted(vars(self).items()) if name != "margin_um"}

    def prepare(self, slide: OverviewSlide) -> StainFacts:
        """Find the slide's stains and their usual amounts, in a few windows of its tissue; CellError in dark field."""
        samples, white = tissue_samples(slide, self.mpp)
        check_bright_field(samples)
        return measure_stain(samples, white, self.stain)

    def facts_of(self, image: RGBImage) -> StainFacts:
        """As `prepare`, of an image at `mpp` that is no slide."""
        return measure_stain([image], glass_colour(image), self.stain)

    def __call__(self, image: RGBImage, facts: StainFacts) -> Labels:
        """Label the nuclei of an image.

        Parameters
        ----------
        image
            uint8 (rows, columns, 3), RGB, at `mpp`.
        facts
            Of the slide.

        Returns
        -------
        ndarray of int32 (rows, columns)
            0 is background, 1 … n are nuclei, each in one piece (by 4 neighbours).
        """
        diam = self.diam_um / self.mpp
        stain = smooth(nuclear_stain(image, facts), _DENOISE * diam)
        excess = self._excess(stain, facts)
        landscape = self._landscape(excess, facts)
        faintest = 0.5 * self._least(facts)
        basins = find_basins(landscape, ((landscape > 0) & (excess > faintest)).astype(np.uint8))
        core = smooth(excess, _CORE * diam).ravel()[basins.peaks]
        edge = np.append(0, np.maximum(_EDGE * core, faintest))
        heights = np.append(0, landscape.ravel()[basins.peaks].astype(np.int64))
        labels = np.where(excess > edge[basins.labels], basins.labels, 0)
        darkness = np.append(0, core) / facts.contrast
        longest = LARGEST_CELL * diam
        labels = join_pieces(labels, landscape, heights, darkness, usual_px=diam, longest_px=longest)
        labels = join_islands(labels, longest_px=_LONGEST_ISLAND * diam)
        labels = largest_pieces(open_regions(fill_holes(labels, round(_LARGEST_HOLE * diam**2))))
        return relabel(labels, self._is_nucleus(labels, stain, excess, facts))

    def _least(self, facts: StainFacts) -> float:
        """Excess that a well-shaped nucleus must have on average, counts."""
        return (1 - 0.9 * self.sensitivity) * 0.75 * facts.contrast

    def _excess(self, stain: Counts, facts: StainFacts) -> Counts:
        """What of the stain is above the background around each pixel."""
        radius = round(_SURROUNDINGS * self.diam_um / self.mpp)
        ground = stain < facts.background + 0.5 * facts.contrast
        total = box_sum(np.where(ground, stain, 0).astype(np.uint16), radius)
        count = box_sum(ground.view(np.uint8), radius)
        prior = _PRIOR * (2 * radius + 1) ** 2
        level = np.rint((total + prior * facts.background) / (count + prior)).astype(np.uint16)
        return cv2.subtract(stain, level).astype(np.uint16, copy=False)

    def _landscape(self, excess: Counts, facts: StainFacts) -> npt.NDArray[np.int16]:
        """Blobs, in which dark nuclei do not drown the pale ones beside them."""
        diam = self.diam_um / self.mpp
        amount = np.arange(MOST_COUNTS + 1)
        table = np.rint(16000 * amount / (amount + _SOFT * facts.contrast)).astype(np.uint16)
        evened = table[excess]
        return blob_response(evened, _SIGMA * diam)

    def _is_nucleus(self, labels: Labels, stain: Counts, excess: Counts, facts: StainFacts) -> npt.NDArray[np.bool_]:
        """Which regions are large, dark, well-shaped and sharply bounded enough."""
        shapes = shapes_of(labels)
        um2 = shapes.area * self.mpp**2
        count = len(shapes.area)
        darkness = _means(labels, excess, count)
        ring = ring_around(labels, max(1, round(_RING * self.diam_um / self.mpp)))
        around = _means(ring, stain, count)
        step = np.where(np.isnan(around), darkness, _means(labels, stain, count) - around)
        ragged = np.maximum(_GOOD_FILL - shapes.filled(), 0)
        small = np.maximum(1 - um2 / (0.5 * np.pi / 4 * self.diam_um**2), 0)
        needed = self._least(facts) + (_RAGGED * ragged + _SMALL * small) * facts.contrast
        in_limits = (um2 >= self.min_area_um2) & (um2 <= self.max_area_um2)
        return np.asarray(in_limits & (0.5 * (darkness + step) >= needed))


def _means(labels: Labels, values: Counts, count: int) -> Floats:
    """Mean of `values` in every region; NaN where it has no pixel."""
    pixels = np.flatnonzero(labels)
    owner = labels.ravel()[pixels]
    total, area = np.bincount(owner, values.ravel()[pixels], count), np.bincount(owner, minlength=count)
    return np.asarray(np.where(area > 0, total / np.maximum(area, 1), np.nan))
