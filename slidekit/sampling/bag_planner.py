"""Which patches bags are made of."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slidekit.sampling.feeding.source import SamplerView, derived_seed
from slidekit.sampling.plan import Plan

if TYPE_CHECKING:
    from slidekit.sampling.bags import Bags
    from slidekit.sampling.sampler import PatchSampler

__all__ = ["BagPlanner"]

_PLANNERS_KEPT = 256
"""Samplers of single slides that are kept: each holds the places of an epoch."""


class BagPlanner(SamplerView):
    """Plans the patches of bags: step s is patch ``s % bag_size`` of this replica's bag ``s // bag_size``."""

    def __init__(self, bags: Bags, first: int) -> None:
        super().__init__(bags.sampler)
        self.bags = bags
        self.first = first
        self._planners: dict[int, PatchSampler] = {}

    def plan_counted(
        self, steps: ArrayLike, attempts: ArrayLike | None = None
    ) -> tuple[Plan, dict[str, dict[str, int]]]:
        """Plan the patches of some steps; the plan has the steps as they are given."""
        wanted = np.atleast_1d(np.asarray(steps, np.int64))
        tries = np.zeros(len(wanted), np.int32) if attempts is None else np.asarray(attempts, np.int32)
        size, bags = self.bags.bag_size, self.bags
        parts, rows = list[Plan](), list[NDArray[np.int64]]()
        counted: dict[str, dict[str, int]] = {}
        for place in np.unique(wanted // size).tolist():
            mine = np.flatnonzero(wanted // size == place)
            number = self.first + place * bags.num_replicas
            # The slide had a bag in each epoch before this one.
            own = number // len(bags) * size + wanted[mine] % size
            slide = bags.slide_of(number)
            part, passed = self._planner(slide).plan_counted(own, tries[mine])
            parts.append(replace(part, slides=np.full(len(mine), slide, np.int32), steps=wanted[mine]))
            rows.append(mine)
            for name, reasons in passed.items():
                of_slide = counted.setdefault(name, {})
                of_slide |= {reason: of_slide.get(reason, 0) + count for reason, count in reasons.items()}
        if not parts:
            return self.sampler.plan_counted(wanted, tries)
        back = np.argsort(np.concatenate(rows), kind="stable")
        together = {field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Plan)}
        return Plan(**together).take(back), counted

    def missing(self, steps: ArrayLike) -> list[int]:
        """Slides whose masks have to be made: none, for bags are only of slides whose masks there are."""
        return []

    def _planner(self, slide: int) -> PatchSampler:
        """The sampler of a slide alone."""
        found = self._planners.pop(slide, None)
        if found is None:
            sampler = self.bags.sampler
            one = sampler.slides[slide]
            seed = derived_seed(sampler.spec.seed, "bags", one.name)
            spec = sampler.spec.replace(mode="epoch", weights="slide", background=0.0, seed=seed)
            found = type(sampler).from_spec(one, spec)
            while len(self._planners) >= _PLANNERS_KEPT:
                del self._planners[next(iter(self._planners))]
        self._planners[slide] = found
        return found
