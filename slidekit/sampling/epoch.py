"""True epochs: all of the tissue once, without overlap, in another place and order each time."""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import SlideError, SlidekitError
from slidekit.sampling.at_random import place_at_random, prepare_needed
from slidekit.sampling.drafts import Draft
from slidekit.sampling.draws import Column, draw, permutation, uniform
from slidekit.sampling.lattice import Lattice, SlideCells
from slidekit.sampling.spec import SamplingSpec

if TYPE_CHECKING:
    from slidekit.sampling.places import Maps

__all__ = ["EpochDrawer"]

_EPOCHS_KEPT = 2

_WITHIN_SLIDE = 8
"""Attempts up to which what cannot be had is drawn anew from the same slide; then from any."""


class EpochDrawer:
    """Draws patches of the mode ``epoch``: sampling without replacement, stratified by slide and by place.

    Each slide's tissue is cut into cells of the size of a patch, which an epoch takes once each, in the order of a
    permutation of all slides' cells. Cells over the edge of a slide are white beyond it; a slide that is not larger
    than a patch is one cell. A patch that cannot be read is drawn anew at random: from the same slide, and
    from any slide, by the number of its cells, when that has failed seven times.

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
        self._orders: OrderedDict[int, NDArray[np.int64]] = OrderedDict()
        self._cells: OrderedDict[int, dict[int, SlideCells]] = OrderedDict()

    @cached_property
    def _lattices(self) -> tuple[dict[int, Lattice], dict[str, str]]:
        """Lattices by slide, and why slides have none."""
        failed = self._maps.prepare()
        lattices: dict[int, Lattice] = {}
        left_out: dict[str, str] = {}
        for index, slide in enumerate(self._maps.slides):
            try:
                if index in failed:
                    raise failed[index]
                one = self._maps.get(index)
                size = self._spec.scales[0][0].extent(one.facts)
                lattices[index] = Lattice(one, size, self._spec.min_tissue, self._spec.seed)
            except SlidekitError as error:
                left_out[slide.name] = error.message
        return lattices, left_out

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        """Cells of all slides up to and with each."""
        counts = np.zeros(len(self._maps.slides), np.int64)
        for index, lattice in self._lattices[0].items():
            counts[index] = lattice.count
        return np.cumsum(counts)

    @property
    def total(self) -> int:
        """Steps of an epoch."""
        return int(self._ends[-1])

    @property
    def left_out(self) -> dict[str, str]:
        """Slides that no epoch has, and why."""
        return dict(self._lattices[1])

    def needed(self, steps: NDArray[np.int64]) -> list[int]:
        """All slides: how many steps an epoch has depends on each."""
        return list(range(len(self._maps.slides)))

    def draw(self, steps: NDArray[np.int64], attempts: NDArray[np.int32]) -> Draft:
        """Choose patches."""
        if not self.total:
            reasons = "; ".join(f"{slide}: {reason}" for slide, reason in list(self.left_out.items())[:5])
            raise SlideError(f"No slide has tissue for an epoch ({reasons}).")
        draft = Draft.blank(steps, attempts)
        words = draw(self._spec.seed, steps, attempts)
        draft.plan.seeds[:] = (words[:, Column.SEED] >> np.uint64(1)).astype(np.int64)
        epochs, places = np.divmod(steps, self.total)
        numbers = np.empty_like(steps)
        for epoch in np.unique(epochs).tolist():
            rows = np.flatnonzero(epochs == epoch)
            numbers[rows] = self._order(epoch)[places[rows]]
        elsewhere = attempts >= _WITHIN_SLIDE
        numbers[elsewhere] = (uniform(words[elsewhere, Column.SLIDE]) * self.total).astype(np.int64)
        draft.plan.slides[:] = np.searchsorted(self._ends, numbers, side="right")
        anew = np.flatnonzero(attempts > 0)
        place_at_random(self._maps, self._spec, draft, anew, words[anew])
        self._place(draft, np.flatnonzero(attempts == 0), epochs, numbers)
        return draft

    def _place(
        self, draft: Draft, rows: NDArray[np.int64], epochs: NDArray[np.int64], numbers: NDArray[np.int64]
    ) -> None:
        """Put rows into the cells with these numbers."""
        slides = draft.plan.slides
        prepare_needed(self._maps, slides[rows])
        keys = np.stack([epochs[rows], slides[rows].astype(np.int64)], axis=1)
        for epoch, slide in np.unique(keys, axis=0).tolist():
            part = rows[(epochs[rows] == epoch) & (slides[rows] == slide)]
            one, lattice = self._maps.get(slide), self._lattices[0][slide]
            first = int(self._ends[slide]) - lattice.count
            centres = lattice.centres(self._cells_of(epoch, slide), numbers[part] - first)
            # Never moved onto the slide, which would be onto other cells.
            draft.place(part, one, self._spec.scales[0][0].extent(one.facts), centres)

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if epoch not in self._orders:
            self._orders[epoch] = permutation(self._spec.seed, self.total, "epoch order", epoch)
            while len(self._orders) > _EPOCHS_KEPT:
                self._orders.popitem(last=False)
        self._orders.move_to_end(epoch)
        return self._orders[epoch]

    def _cells_of(self, epoch: int, slide: int) -> SlideCells:
        of_epoch = self._cells.setdefault(epoch, {})
        self._cells.move_to_end(epoch)
        while len(self._cells) > _EPOCHS_KEPT:
            self._cells.popitem(last=False)
        if slide not in of_epoch:
            of_epoch[slide] = self._lattices[0][slide].cells(self._maps.get(slide), epoch)
        return of_epoch[slide]
