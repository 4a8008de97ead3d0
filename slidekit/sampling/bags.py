"""Bags: some patches of one slide at a time, for learning from labels of whole slides (multiple-instance learning)."""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import DatasetError, SlidekitError, SpecError
from slidekit.loading.options import whole_number
from slidekit.sampling.bag_planner import BagPlanner
from slidekit.sampling.draws import permutation
from slidekit.sampling.feeding.faces import check_feeding
from slidekit.wording import some_of

if TYPE_CHECKING:
    from slidekit.sampling.feeding.batch import Batch
    from slidekit.sampling.sampler import PatchSampler

__all__ = ["Bag", "Bags"]

logger = logging.getLogger(__name__)


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

    Attributes
    ----------
    unusable
        Slides that give no bags, name to reason; they are known before anything is read.
    left_out
        Slides whose pixels could not be read when their turn came, name to reason: their bags are missing, and the
        numbers of the others stay what they are.
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
        self.left_out: dict[str, str] = {}
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
        SlidekitError
            When pixels of no slide can be read.
        """
        check_feeding(feeding, ("start", "epochs"))
        first = whole_number("start", start) + self.rank
        last = None
        if epochs is not None:
            left = whole_number("epochs", epochs) * len(self) - first
            last = max(0, -(-left // self.num_replicas))
        return self._read(first, last, feeding)

    def _read(self, first: int, last: int | None, feeding: dict[str, Any]) -> Generator[Bag, None, None]:
        """Read this replica's bags up to its bag number `last`, around those of slides that fail."""
        planner, place = BagPlanner(self, first), 0
        while last is None or place < last:
            if self._is_left_out(first, place):
                place += 1
                continue
            end = self._end_of_run(first, place, last)
            try:
                for bag in self._run(planner, place, end, feeding):
                    yield bag
                    place += 1
                if end is not None and place >= end:
                    continue
                return
            except SlidekitError as error:
                # What fails was read ahead; the bags before it are whole.
                place = yield from self._find_failure(planner, place, end, error)

    def _run(
        self, planner: BagPlanner, place: int, end: int | None, feeding: dict[str, Any]
    ) -> Generator[Bag, None, None]:
        """The bags of some places that follow one another."""
        from slidekit.sampling.feeding.feed import Feed

        size = self.bag_size
        steps = None if end is None else (end - place) * size
        with Feed(cast("PatchSampler", planner), size, start=place * size, steps=steps, **feeding) as feed:
            for number, batch in enumerate(feed, place):
                bag = planner.first + number * self.num_replicas
                slide = self.sampler.slides[self.slide_of(bag)]
                yield Bag(batch.images, slide.name, slide.label, bag, batch)

    def _find_failure(
        self, planner: BagPlanner, place: int, end: int | None, error: SlidekitError
    ) -> Generator[Bag, None, int]:
        """Read bag by bag up to the one that fails, and leave its slide out; returns the place behind it."""
        while end is None or place < end:
            try:
                yield from self._run(planner, place, place + 1, {"workers": 0})
            except SlidekitError as why:
                name = self.sampler.slides[self.slide_of(planner.first + place * self.num_replicas)].name
                self.left_out[name] = why.message
                logger.warning("%s gives no bags from here on: %s", name, why.message)
                if len(self.left_out) == len(self):
                    raise
                return place + 1
            place += 1
        raise error

    def _is_left_out(self, first: int, place: int) -> bool:
        slide = self.slide_of(first + place * self.num_replicas)
        return self.sampler.slides[slide].name in self.left_out

    def _end_of_run(self, first: int, place: int, last: int | None) -> int | None:
        """The next place whose slide is left out; None where there is no end."""
        if not self.left_out:
            return last
        # A replica may never meet such a slide: two epochs ahead are far enough to look.
        end = place + 2 * len(self) if last is None else last
        return next((at for at in range(place, end) if self._is_left_out(first, at)), end)

    @lru_cache(maxsize=4)  # noqa: B019 - a sampler lives as long as its training
    def _order(self, epoch: int) -> NDArray[np.int64]:
        return permutation(self.sampler.spec.seed, len(self._usable), "bags", epoch)
