"""Bags: some patches of one slide at a time, for learning from labels of whole slides (multiple-instance learning)."""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slidekit.errors import DatasetError, SpecError
from slidekit.loading.options import whole_number
from slidekit.sampling.draws import permutation
from slidekit.sampling.feeding.faces import check_feeding
from slidekit.sampling.feeding.source import SamplerView, derived_seed
from slidekit.sampling.plan import Plan
from slidekit.wording import some_of

if TYPE_CHECKING:
    from slidekit.sampling.feeding.batch import Batch
    from slidekit.sampling.sampler import PatchSampler

__all__ = ["Bag", "Bags"]

logger = logging.getLogger(__name__)

_PLANNERS_KEPT = 256
"""Samplers of single slides that are kept: each holds the places of an epoch."""


@dataclass(frozen=True)
class Bag:
    """Patches of one slide.

    Attributes
    ----------
    images
        (k, tile_px, tile_px, 3) uint8, RGB; a tuple of such where patches have several views.
    slide
        Name of the slide.
    label
        What is to be learned of it; None where it has no label.
    number
        Which bag this is, counted from the first of the first epoch.
    patches
        The same with all that is known of each patch.
    """

    images: Any
    slide: str
    label: Any
    number: int
    patches: Batch


class Bags:
    """Bags of a sampler's slides: an epoch has one of each slide, in an order that differs from epoch to epoch.

    The patches of a slide's bags are those of a sampler of that slide alone in mode ``"epoch"``, one after another:
    no place comes again, from bag to bag, before all of the tissue has come. A slide with less tissue than a bag has
    patches of the next round in it. Bag b is a function of the seed and b.

    Parameters
    ----------
    sampler
        Slides, size of the patches, mask, augmentation and seed; in mode ``"random"`` or ``"epoch"``.
    bag_size
        Patches of a bag.
    rank, num_replicas
        Take each `num_replicas`-th bag, from number `rank` on.

    Raises
    ------
    SpecError
        If the sampler has a list of places, several scales or classes, or a number makes no sense.
    DatasetError
        If no slide can be used. Those that cannot are in `unusable`, name to reason, and in the log.
    """

    def __init__(self, sampler: PatchSampler, bag_size: int, *, rank: int = 0, num_replicas: int = 1) -> None:
        spec = sampler.spec
        self.bag_size = whole_number("bag_size", bag_size, 1)
        self.rank = whole_number("rank", rank)
        self.num_replicas = whole_number("num_replicas", num_replicas, 1)
        if self.rank >= self.num_replicas:
            raise SpecError(f"rank={rank} is none of {num_replicas} replicas.", mend="Ranks count from 0.")
        if spec.mode not in ("random", "epoch") or len(spec.scales) > 1 or spec.classes is not None:
            raise SpecError(
                "Bags are made of patches of one size from all of the tissue.",
                mend='Give a sampler in mode "random" or "epoch", of one size, without classes.',
            )
        self.sampler = sampler
        self.unusable = sampler.replace(mode="epoch", weights="slide", background=0.0).left_out()
        self._usable = [index for index, slide in enumerate(sampler.slides) if slide.name not in self.unusable]
        if self.unusable:
            logger.warning("%d slides give no bags: %s", len(self.unusable), some_of(list(self.unusable)))
        if not self._usable:
            name, reason = next(iter(self.unusable.items()))
            raise DatasetError(f"No slide gives bags, such as {name}: {reason}", mend="Look at the files and masks.")

    def __len__(self) -> int:
        """Bags of an epoch, all replicas together: the slides that can be used."""
        return len(self._usable)

    def slide_of(self, number: int) -> int:
        """The slide that a bag is of, by its number among the sampler's slides."""
        epoch, place = divmod(whole_number("number", number), len(self._usable))
        return self._usable[int(self._order(epoch)[place])]

    def batches(self, *, start: int = 0, epochs: int | None = None, **feeding: Any) -> Generator[Bag, None, None]:
        """Read bags.

        Parameters
        ----------
        start
            The first bag, all replicas together: what came before is not read.
        epochs
            End with so many epochs, counted from the first; None goes on without end.
        **feeding
            How patches are read, as for `PatchSampler.batches`: `workers`, `look_ahead`, `memory`.

        Returns
        -------
        generator of Bag

        Raises
        ------
        SpecError
            If an option makes no sense.
        """
        check_feeding(feeding)
        first = whole_number("start", start) + self.rank
        steps = None
        if epochs is not None:
            left = whole_number("epochs", epochs) * len(self) - first
            steps = max(0, -(-left // self.num_replicas)) * self.bag_size
        return self._read(first, steps, feeding)

    def _read(self, first: int, steps: int | None, feeding: dict[str, Any]) -> Generator[Bag, None, None]:
        from slidekit.sampling.feeding.feed import Feed

        planner = cast("PatchSampler", _BagPlanner(self, first))
        with Feed(planner, self.bag_size, start=0, steps=steps, **feeding) as feed:
            for place, batch in enumerate(feed):
                number = first + place * self.num_replicas
                slide = self.sampler.slides[self.slide_of(number)]
                yield Bag(batch.images, slide.name, slide.label, number, batch)

    @lru_cache(maxsize=4)  # noqa: B019 - a sampler lives as long as its training
    def _order(self, epoch: int) -> NDArray[np.int64]:
        return permutation(self.sampler.spec.seed, len(self._usable), "bags", epoch)


class _BagPlanner(SamplerView):
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
