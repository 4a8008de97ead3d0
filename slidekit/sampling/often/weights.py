"""Weights of slides, which know the masks only where they have to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import SlideError, SlidekitError, SpecError
from slidekit.sampling.often.picking import cumulate
from slidekit.sampling.often.quotas import check_quotas, quota_shares
from slidekit.sampling.slides import SampledSlide
from slidekit.sampling.spec import SamplingSpec
from slidekit.wording import some_of

if TYPE_CHECKING:
    from slidekit.sampling.places import Maps

__all__ = ["SlideWeights", "check_weights"]


def check_weights(slides: tuple[SampledSlide, ...], spec: SamplingSpec) -> None:
    """Refuse weights that do not fit the slides, before any work is done.

    Raises
    ------
    SpecError, DatasetError
        If slides or columns are unknown, or lack a weight or a value.
    """
    if spec.quotas is not None:
        check_quotas(slides, spec.quotas)
    elif isinstance(spec.weights, Mapping):
        names = {slide.name for slide in slides}
        if strange := sorted(set(spec.weights) - names):
            raise SpecError(f"weights: there is no slide {some_of(strange)}.")
        if lacking := sorted(names - set(spec.weights)):
            raise SpecError(f"weights: slides have none: {some_of(lacking)}.", mend="Give 0 to leave one out.")
        if not any(spec.weights.values()):
            raise SpecError("weights: all are 0.")


class SlideWeights:
    """How often each slide comes, for each class; by ``area``, a class's own area counts for its patches.

    Slides that come alike, or by weights that were given, are known without a mask: one that cannot be had is drawn
    anew, which gives its share to the others in proportion. Areas, quotas and classes need all masks, because what
    they promise depends on which slides there are; they are made when the first patch is drawn.

    Parameters
    ----------
    maps
        The slides.
    spec
        Parameters.
    """

    def __init__(self, maps: Maps, spec: SamplingSpec) -> None:
        self._maps = maps
        self._spec = spec
        self._ends: dict[tuple[int, bool], NDArray[np.float64]] = {}
        self._areas: NDArray[np.float64] | None = None

    @property
    def needs_all(self) -> bool:
        """Whether all masks have to be there before a slide can be drawn."""
        return self._spec.classes is not None or self._by_what_is_there

    @property
    def _by_what_is_there(self) -> bool:
        return self._spec.quotas is not None or self._spec.weights == "area"

    def has_classes(self, slide: int) -> bool:
        """Whether a slide has anything of a class."""
        return any(self._measure(index)[slide] > 0 for index in range(len(self._spec.class_names)))

    def cumulative(self, index: int, *, sure: bool = False) -> NDArray[np.float64]:
        """Cumulative shares (n,) of the slides, for class `index`, or −1 for any place.

        With `sure`, of those alone that have tissue, for which all masks are made.

        Raises
        ------
        SlideError
            If no slide can be had, or none has the class.
        """
        lazy = not sure and index < 0 and not self._by_what_is_there
        if (index, lazy) not in self._ends:
            shares = self._shares(index, lazy=lazy)
            if not shares.any():
                raise self._nothing(index)
            self._ends[index, lazy] = cumulate(shares)
        return self._ends[index, lazy]

    def _nothing(self, index: int) -> SlideError:
        failed = sorted(self._maps.prepare().items())
        listed = [f"{self._maps.slides[slide].name}: {error.message}" for slide, error in failed]
        if index >= 0:
            what = f"No slide has anything of class {self._spec.class_names[index]!r}"
            because = f" ({some_of(listed, 5)})" if listed else ""
            return SlideError(f"{what}{because}.", mend="Check the labels of the regions, or leave the class out.")
        return SlideError(f"No slide can be used ({some_of(listed, 5)}).", mend="Give other slides, or another mask=.")

    def _shares(self, index: int, *, lazy: bool) -> NDArray[np.float64]:
        weights, slides = self._spec.weights, self._maps.slides
        usable = np.ones(len(slides), np.bool_) if lazy else self._measure(index) > 0
        if self._spec.quotas is not None:
            by_area = isinstance(weights, tuple) and weights[-1] == "area"
            return quota_shares(slides, self._spec.quotas, usable, self._measure(index) if by_area else None)
        if isinstance(weights, Mapping):
            return np.array([weights[slide.name] for slide in slides], np.float64) * usable
        return self._measure(index) if weights == "area" else usable.astype(np.float64)

    def _measure(self, index: int) -> NDArray[np.float64]:
        """Area of the tissue (−1) or of a class on each slide, all in one unit; 0 where the slide cannot be had."""
        if self._areas is None:
            # One pass, because maps do not all stay in memory.
            self._maps.prepare()
            self._areas = np.zeros((len(self._maps.slides), 1 + len(self._spec.class_names)))
            pixels = np.ones(len(self._areas))
            for slide in range(len(self._areas)):
                try:
                    one = self._maps.get(slide)
                except SlidekitError:
                    continue
                self._areas[slide] = [one.tissue_um2, *map(one.class_um2, range(len(self._spec.class_names)))]
                pixels[slide] = one.facts.mpp[0] * one.facts.mpp[1]
            if np.isnan(pixels).any():
                # Where µm are unknown areas are in pixels of level 0, so that they have to be for all.
                self._areas /= np.nan_to_num(pixels, nan=1.0)[:, None]
        return self._areas[:, index + 1]
