"""What the faces read from: a sampler, seen as batches of patches by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slidekit.errors import SpecError
from slidekit.sampling.draws import philox_key
from slidekit.sampling.plan import Plan
from slidekit.sampling.slides import SampledSlide
from slidekit.sampling.spec import LISTS

if TYPE_CHECKING:
    from slidekit.sampling.feeding.batch import Batch
    from slidekit.sampling.sampler import PatchSampler
    from slidekit.sampling.spec import SamplingSpec

__all__ = ["PatchSource", "SamplerSource", "SamplerView", "as_source", "derived_seed", "last_step"]


class PatchSource(Protocol):
    """What gives batches of patches by their steps: a sampler, or patches that were written down."""

    @property
    def slides(self) -> Sequence[SampledSlide]:
        """The slides, in the order of `Batch.slide_index`."""

    @property
    def edges(self) -> tuple[int, ...]:
        """Edge of the image of each view of a patch, pixels."""

    @property
    def has_maps(self) -> bool:
        """Whether a label image comes with each patch."""

    @property
    def is_list(self) -> bool:
        """Whether patches may be missing, because they are not drawn anew."""

    def end(self, start: int, steps: int | None) -> int | None:
        """The step after the last of `steps` steps from `start` on; None where there is no end."""

    def following(self, start: int, end: int) -> int:
        """The step that an iteration begins with which follows one of steps `start` to `end`."""

    def count(self, start: int, steps: int | None, rank: int, num_replicas: int) -> int | None:
        """How many patches a replica has for certain; None where there is no end, or some may be missing."""

    def state(self, step: int) -> dict[str, Any]:
        """Write a position down, with all that it depends on."""

    def check_state(self, state: Mapping[str, Any]) -> int:
        """Read a position; SlidekitError if it is of other patches."""

    def open(
        self, batch_size: int, *, start: int, steps: int | None, rank: int, num_replicas: int, **feeding: Any
    ) -> AbstractContextManager[Iterator[Batch]]:
        """Open the batches of a replica: of `steps` steps from `start` on, each `num_replicas`-th."""


class SamplerView:
    """A sampler whose steps mean other patches; its slides, masks and parameters are those of another.

    Parameters
    ----------
    sampler
        The other.
    """

    def __init__(self, sampler: PatchSampler) -> None:
        self.sampler = sampler

    def __getattr__(self, name: str) -> Any:
        # Pickling asks before there is a sampler.
        if name.startswith("__") or "sampler" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.sampler, name)

    def plan(self, steps: ArrayLike, attempts: ArrayLike | None = None) -> Plan:
        """As `PatchSampler.plan`."""
        return self.plan_counted(steps, attempts)[0]

    def plan_counted(
        self, steps: ArrayLike, attempts: ArrayLike | None = None
    ) -> tuple[Plan, dict[str, dict[str, int]]]:
        """As `PatchSampler.plan_counted`."""
        raise NotImplementedError

    def missing(self, steps: ArrayLike) -> list[int]:
        """As `PatchSampler.missing`."""
        raise NotImplementedError


class Steps(SamplerView):
    """A sampler whose step k is another's step ``start + stride · k``: what a replica has of it.

    Parameters
    ----------
    sampler
        The other.
    start, stride
        Which of its steps.
    """

    def __init__(self, sampler: PatchSampler, start: int, stride: int) -> None:
        super().__init__(sampler)
        self.start = start
        self.stride = stride

    def plan_counted(
        self, steps: ArrayLike, attempts: ArrayLike | None = None
    ) -> tuple[Plan, dict[str, dict[str, int]]]:
        """Plan the patches of some steps; the plan has the numbers that the steps have in the other sampler."""
        return self.sampler.plan_counted(self._theirs(steps), attempts)

    def missing(self, steps: ArrayLike) -> list[int]:
        """Slides whose masks have to be made before some steps can be planned."""
        return self.sampler.missing(self._theirs(steps))

    def _theirs(self, steps: ArrayLike) -> NDArray[np.int64]:
        theirs: NDArray[np.int64] = self.start + self.stride * np.atleast_1d(np.asarray(steps, np.int64))
        return theirs


@dataclass(frozen=True)
class SamplerSource:
    """A sampler as the faces see it.

    Attributes
    ----------
    sampler
        The sampler.
    made_as
        The one that it was made of by `resized`, whose states are its own; None where it is as it was made.
    """

    sampler: PatchSampler
    made_as: PatchSampler | None = None

    @property
    def slides(self) -> Sequence[SampledSlide]:
        """The slides of the sampler."""
        return self.sampler.slides

    @property
    def spec(self) -> SamplingSpec:
        """Parameters of the sampler."""
        return self.sampler.spec

    @property
    def edges(self) -> tuple[int, ...]:
        """Edge of the image of each view, pixels; the same for all scales."""
        return tuple(view.tile_px for view in self.spec.scales[0])

    @property
    def has_maps(self) -> bool:
        """Whether a label image comes with each patch."""
        return self.spec.label_images

    @property
    def is_list(self) -> bool:
        """Whether the patches are the cells of a grid, or points."""
        return self.spec.mode in LISTS

    def end(self, start: int, steps: int | None) -> int | None:
        """The end of `steps`, or of the epoch that `start` is in; None for what is drawn at random."""
        return last_step(self.sampler, start, steps)

    def following(self, start: int, end: int) -> int:
        """What was given does not come again: the next step, which may be of the next epoch."""
        return end

    def count(self, start: int, steps: int | None, rank: int, num_replicas: int) -> int | None:
        """Of patches that are drawn anew where they fail, all that are asked for."""
        end = None if self.is_list else self.end(start, steps)
        return None if end is None else max(0, -(-(end - start - rank) // num_replicas))

    def state(self, step: int) -> dict[str, Any]:
        """As `PatchSampler.state`, of the sampler as it was made: the steps of one that is resized are its steps."""
        return (self.made_as or self.sampler).state(step)

    def check_state(self, state: Mapping[str, Any]) -> int:
        """As `PatchSampler.check_state`.

        Raises
        ------
        SpecError
            If it is no state, or another sampler's.
        """
        if not isinstance(state, Mapping):
            raise SpecError(f"{state!r} is not the state of a sampler.", mend="Give what state_dict() returned.")
        return (self.made_as or self.sampler).check_state(dict(state))

    def resized(self, tile_px: int) -> SamplerSource:
        """The same places and fields of view at another number of pixels."""
        return SamplerSource(self.sampler.resized(tile_px), self.made_as or self.sampler)

    def open(
        self, batch_size: int, *, start: int, steps: int | None, rank: int, num_replicas: int, **feeding: Any
    ) -> AbstractContextManager[Iterator[Batch]]:
        """Start the processes that read, as `slidekit.sampling.feeding.feed.Feed`."""
        from slidekit.sampling.feeding.feed import Feed

        end = self.end(start, steps)
        steps = None if end is None else end - start
        if num_replicas == 1:
            return Feed(self.sampler, batch_size, start=start, steps=steps, **feeding)
        own = cast("PatchSampler", Steps(self.sampler, start + rank, num_replicas))
        count = None if steps is None else max(0, -(-(steps - rank) // num_replicas))
        return Feed(own, batch_size, start=0, steps=count, **feeding)


def last_step(sampler: PatchSampler, start: int, steps: int | None) -> int | None:
    """The step behind the last of `steps` from `start` on, or of the epoch that `start` is in; None for no end."""
    if steps is not None:
        return start + steps
    if sampler.spec.mode == "random" or isinstance(sampler, SamplerView):
        return None  # the epochs of a view are not those of its steps
    total = len(sampler)
    return start + total - start % total if total else start


def as_source(source: PatchSampler | PatchSource) -> PatchSource:
    """A sampler as the faces see it; what they can read from stays what it is."""
    from slidekit.sampling.sampler import PatchSampler

    return SamplerSource(source) if isinstance(source, PatchSampler) else source


def derived_seed(seed: int, *purpose: object) -> int:
    """A seed for a sampler that is made of another, so that the two draw nothing alike."""
    return philox_key(seed, *purpose) % 2**63
