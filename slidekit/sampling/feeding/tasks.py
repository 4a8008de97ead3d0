"""What is done for a feed, in whatever process, and what comes of it."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import SlidekitError
from slidekit.sampling.feeding.memory import PatchLayout, SharedPatches
from slidekit.sampling.plan import Plan
from slidekit.sampling.reading import Outcome, PatchReader
from slidekit.sampling.slides import SampledSlide
from slidekit.sampling.spec import SamplingSpec

if TYPE_CHECKING:
    from slidekit.sampling.places import Maps

__all__ = ["Bug", "MadeMap", "MapTask", "ReadTask", "Result", "Setup", "Task", "Tasks"]


@dataclass(frozen=True)
class Setup:
    """What a process has to know before the first task.

    Attributes
    ----------
    slides, spec
        As the sampler has them.
    layout
        The slots of the shared memory.
    open_slides, tile_memory
        Slides that it has open, and bytes of decoded tiles that it holds.
    """

    slides: Sequence[SampledSlide]
    spec: SamplingSpec
    layout: PatchLayout
    open_slides: int
    tile_memory: int


@dataclass(frozen=True)
class ReadTask:
    """Read patches into slots.

    Attributes
    ----------
    plan
        The patches.
    slots
        (n,) the slot of each.
    identities
        By number of slide, which file the plan was made for, as `slide_identity` gives it.
    """

    plan: Plan
    slots: NDArray[np.int64]
    identities: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MapTask:
    """Make the mask of a slide, and keep it in the cache."""

    slide: int


@dataclass(frozen=True)
class MadeMap:
    """The mask of a slide was made, or cannot be made."""

    slide: int


@dataclass(frozen=True)
class Bug:
    """What nobody foresaw was raised in another process."""

    error: Exception
    trace: str


Task: TypeAlias = ReadTask | MapTask
Result: TypeAlias = Outcome | MadeMap | Bug


class Tasks:
    """Does tasks in this process.

    Parameters
    ----------
    setup
        What there is to know.
    memory
        Where patches go.
    """

    def __init__(self, setup: Setup, memory: SharedPatches) -> None:
        self._setup = setup
        self._memory = memory
        self._reader = PatchReader(setup.slides, setup.spec, open_slides=setup.open_slides, memory=setup.tile_memory)

    def do(self, task: Task) -> Result:
        """Do a task; the errors that slidekit knows are part of the result."""
        if isinstance(task, ReadTask):
            memory = self._memory
            return self._reader.read(task.plan, memory.views, memory.labels, task.slots, task.identities)
        # Kept in the cache on disk, where the process that plans finds it; it finds out itself what went wrong.
        with suppress(SlidekitError):
            self._maps.get(task.slide)
        return MadeMap(task.slide)

    @cached_property
    def _maps(self) -> Maps:
        from slidekit.sampling.places import Maps

        return Maps(self._setup.slides, self._setup.spec, memory=0)

    def do_and_tell(self, task: Task) -> Result:
        """Do a task; whatever is raised is told, with its traceback."""
        try:
            return self.do(task)
        except Exception as error:  # noqa: BLE001 - raised again where the feed is
            return Bug(_that_can_be_sent(error), traceback.format_exc())

    def close(self) -> None:
        """Close all slides."""
        self._reader.close()


def _that_can_be_sent(error: Exception) -> Exception:
    """The error, or one that says the same: somebody's own may not survive the way to another process."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - whatever its class does
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
