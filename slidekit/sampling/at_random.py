"""Patches at random, with replacement: scale, background or class, slide, place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import SlideError, SlidekitError
from slidekit.sampling.drafts import Draft
from slidekit.sampling.draws import Column, draw, uniform
from slidekit.sampling.often.picking import cumulate, pick
from slidekit.sampling.often.weights import SlideWeights
from slidekit.sampling.spec import SamplingSpec

if TYPE_CHECKING:
    from slidekit.sampling.places import Maps, SlideMap

__all__ = ["RandomDrawer", "prepare_needed"]

_LATE = 16
"""Attempt from which on slides are drawn among those alone that have tissue: of a cohort most of which cannot be used,
a step would end in an error now and then."""


class RandomDrawer:
    """Draws patches of the mode ``random``.

    The scale, whether it is background, and the class of a step are those of its first attempt: if what could not be
    had were drawn anew as a whole, classes on slides that fail would be seen less often than was asked for.

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
        self._weights = SlideWeights(maps, spec)
        self._scales = cumulate(np.array(spec.shares(spec.scale_weights, len(spec.scales))))
        self._classes = cumulate(np.array(spec.shares(spec.class_weights, len(spec.classes or (0,)))))

    @property
    def total(self) -> None:
        """There is no end."""
        return None

    @property
    def left_out(self) -> dict[str, str]:
        """Slides that cannot be used, and why; all masks are made for it."""
        failed = sorted(self._maps.prepare().items())
        # Regions of a class are sampled where the mask finds no tissue, too.
        return {
            self._maps.slides[index].name: error.message
            for index, error in failed
            if not self._weights.has_classes(index)
        }

    def needed(self, steps: NDArray[np.int64]) -> list[int]:
        """Slides whose maps some steps need: those that are drawn, or all where weights depend on all."""
        if self._weights.needs_all:
            return list(range(len(self._maps.slides)))
        words = draw(self._spec.seed, steps, np.zeros(len(steps), np.int32))
        return sorted(set(pick(uniform(words[:, Column.SLIDE]), self._weights.cumulative(-1)).tolist()))

    def draw(self, steps: NDArray[np.int64], attempts: NDArray[np.int32]) -> Draft:
        """Choose patches; a row of which the slide, or a place on it, cannot be had says why."""
        draft, spec = Draft.blank(steps, attempts), self._spec
        words = draw(spec.seed, steps, attempts)
        first = words if not attempts.any() else draw(spec.seed, steps, np.zeros_like(attempts))
        plan = draft.plan
        plan.scales[:] = pick(uniform(first[:, Column.SCALE]), self._scales)
        plan.background[:] = uniform(first[:, Column.BACKGROUND]) < spec.background
        if spec.classes:
            drawn = pick(uniform(first[:, Column.CLASS]), self._classes)
            plan.classes[:] = np.where(plan.background, -1, drawn)
        late = attempts >= _LATE
        for rows, sure in ((np.flatnonzero(~late), False), (np.flatnonzero(late), True)):
            self._draw_slides(draft, rows, uniform(words[rows, Column.SLIDE]), sure=sure)
        plan.seeds[:] = (words[:, Column.SEED] >> np.uint64(1)).astype(np.int64)
        place_at_random(self._maps, spec, draft, np.arange(len(steps)), words)
        return draft

    def _draw_slides(self, draft: Draft, rows: NDArray[np.int64], chances: NDArray[np.float64], *, sure: bool) -> None:
        classes = draft.plan.classes[rows]
        for index in np.unique(classes).tolist():
            part = classes == index
            draft.plan.slides[rows[part]] = pick(chances[part], self._weights.cumulative(index, sure=sure))


def place_at_random(
    maps: Maps, spec: SamplingSpec, draft: Draft, rows: NDArray[np.int64], words: NDArray[np.uint64]
) -> None:
    """Choose places for rows whose slide, scale, class and background are settled.

    Parameters
    ----------
    maps
        The slides.
    spec
        Parameters.
    draft
        Takes the places, or why there is none.
    rows
        (n,) rows of the draft.
    words
        (n, 16) their numbers.
    """
    plan = draft.plan
    keys = np.stack([plan.slides[rows], plan.scales[rows], plan.classes[rows], plan.background[rows]], axis=1)
    groups, member = np.unique(keys, axis=0, return_inverse=True)
    prepare_needed(maps, groups[:, 0])
    order = np.argsort(member.ravel(), kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(member.ravel(), minlength=len(groups)))[:-1]) if len(rows) else []
    for (slide, scale, index, background), part in zip(groups.tolist(), parts, strict=True):
        kind: Kind = "background" if background else "class" if index >= 0 else "tissue"
        try:
            _place_group(maps.get(slide), spec, draft, rows[part], words[part], (kind, scale, index))
        except SlidekitError as error:
            draft.reasons[rows[part]] = error.message


Kind = Literal["tissue", "class", "background"]


def _place_group(
    slide_map: SlideMap,
    spec: SamplingSpec,
    draft: Draft,
    rows: NDArray[np.int64],
    words: NDArray[np.uint64],
    what: tuple[Kind, int, int],
) -> None:
    """Choose places of one kind on one slide."""
    kind, scale, index = what
    if kind == "background":
        # A slide whose tissue was not found is not fed as if it were all background.
        slide_map.check()
    size = spec.scales[scale][0].extent(slide_map.facts)
    least = {"tissue": spec.min_tissue, "class": spec.min_class, "background": 0.0}[kind]
    places = slide_map.places(kind, size, class_index=index, least=least)
    if not len(places):
        raise SlideError(_no_place(kind, spec, index))
    jitter = uniform(words[:, [Column.JITTER_X, Column.JITTER_Y]])
    centres = places.at(uniform(words[:, Column.PLACE]), jitter)
    draft.place(rows, slide_map, size, centres, shift=spec.edges == "shift")
    if kind == "class" and spec.min_tissue > 0:
        # Places of a class promise the class alone; NaN, where there is no mask, is not less.
        poor = draft.plan.tissue[rows] < spec.min_tissue - 1e-6
        draft.reasons[rows[poor]] = "less tissue than min_tissue"


def _no_place(kind: Kind, spec: SamplingSpec, index: int) -> str:
    if kind == "class":
        return f"no place of class {spec.class_names[index]} for a patch of this size"
    share = f" with {spec.min_tissue:.0%} tissue" if spec.min_tissue else ""
    return f"no place{share} for a patch of this size" if kind == "tissue" else "no place"


def prepare_needed(maps: Maps, slides: NDArray[np.integer]) -> None:
    """Make the masks that are missing for some slides, side by side where there are several."""
    missing = maps.missing(sorted(set(slides.tolist())))
    if len(missing) > 1:
        maps.prepare(missing)
