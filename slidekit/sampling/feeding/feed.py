"""`Feed`: batches of patches, read ahead by worker processes, in the order of their steps."""

from __future__ import annotations

import logging
import os
import time
import weakref
from types import TracebackType
from typing import TYPE_CHECKING, Self

from slidekit.errors import SlidekitError
from slidekit.loading.options import whole_number
from slidekit.sampling.feeding.batch import Batch
from slidekit.sampling.feeding.crew import Crew
from slidekit.sampling.feeding.engine import FeedEngine
from slidekit.sampling.feeding.making import make_batch
from slidekit.sampling.feeding.memory import PatchLayout, SharedPatches, slots_within
from slidekit.sampling.feeding.report import FeedReport
from slidekit.sampling.feeding.runner import EngineRunner
from slidekit.sampling.feeding.source import last_step
from slidekit.sampling.feeding.stream import PatchStream
from slidekit.sampling.feeding.tasks import Setup
from slidekit.sampling.feeding.workers import can_cross
from slidekit.sampling.reading.pool import OPEN_SLIDES, TILE_MEMORY
from slidekit.slide.parallel import usable_cores

if TYPE_CHECKING:
    from slidekit.sampling.sampler import PatchSampler

__all__ = ["Feed"]

_log = logging.getLogger("slidekit")


class Feed:
    """Batches of patches, in the order of their steps, whatever the number of workers and the look-ahead.

    Worker processes read patches into memory that they share with this process. The coming steps are planned in
    windows; a window's patches are read by slide and place, so that neighbours share decoded tiles, and given in the
    order of steps. No more is read than there is room for: a consumer that is slow is waited for.

    Workers are started when the first window has been read, which this process does itself: to start them up takes
    all cores for a second, which the first batch would have to wait for.

    It is an iterator, and a context manager; for one process and one thread. A worker that dies is replaced. What it
    was reading is tried again, at last patch by patch; a slide that kills workers is done without from then on, which
    is the one case where a patch depends on more than its step and attempt.

    Parameters
    ----------
    sampler
        What plans the patches.
    batch_size
        Patches of a batch.
    start
        The first step.
    steps
        How many; None for no end at random, and else until the epoch ends that `start` is in.
    workers
        Processes that read; 0 reads in this one, None takes as many as this process may use cores.
    look_ahead
        Patches that are planned together, at most.
    memory
        Bytes of shared memory for patches; room for two batches is taken in any case. Each process holds decoded
        tiles besides (`slidekit.sampling.reading.pool.TILE_MEMORY`).
    copy
        Give batches of their own memory. False gives views of the shared memory where it can, which change with the
        next batch.
    open_slides
        Slides that a process has open at one time.

    Attributes
    ----------
    report
        How it did so far.

    Raises
    ------
    SpecError
        If a number makes no sense.
    """

    def __init__(
        self,
        sampler: PatchSampler,
        batch_size: int,
        *,
        start: int = 0,
        steps: int | None = None,
        workers: int | None = None,
        look_ahead: int = 1024,
        memory: int = 256 << 20,
        copy: bool = True,
        open_slides: int = OPEN_SLIDES,
    ) -> None:
        self._began = time.monotonic()
        self._sampler = sampler
        self._copy = copy
        self._size = whole_number("batch_size", batch_size, 1)
        first = whole_number("start", start)
        last = last_step(sampler, first, None if steps is None else whole_number("steps", steps))
        count = usable_cores() if workers is None else whole_number("workers", workers)
        spec = sampler.spec
        edges = tuple(view.tile_px for view in spec.scales[0])
        one = PatchLayout(1, edges, spec.label_images).patch_bytes
        memory = whole_number("memory", memory, 1)
        slots = slots_within(memory, self._size, whole_number("look_ahead", look_ahead, 1), one)
        layout = PatchLayout(slots, edges, spec.label_images)
        setup = Setup(sampler.slides, spec, layout, whole_number("open_slides", open_slides, 1), TILE_MEMORY)
        if count and not can_cross(setup):
            _log.warning("patches are read in this process: what is defined in __main__ cannot be sent to workers")
            count = 0
        self._stream = PatchStream(slots, first, last)
        self._memory = SharedPatches(layout)
        crew = Crew(count, setup, self._memory)
        engine = FeedEngine(sampler, self._stream, crew, batch_size=self._size, window=slots // 2)
        self.report: FeedReport = engine.report
        self._runner = EngineRunner(engine, crew, self._stream, threaded=count > 0)
        self._held: int | None = None
        self._ended = False
        # The runner knows nothing of the feed, so that one which is let go of ends.
        self._end = weakref.finalize(self, _close, self._runner, self._memory, os.getpid())

    @property
    def position(self) -> int:
        """The step that the next batch begins with, at the earliest: a feed that starts there goes on from here."""
        return self._stream.taken if self._held is None else self._held

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Batch:
        if os.getpid() != self._runner.pid:
            raise SlidekitError("This feed belongs to another process.", mend="Make one in each process.")
        if self._ended:
            raise StopIteration
        if not self._end.alive:
            raise SlidekitError("The feed was closed.", mend="Make another that starts at its position.")
        asked = time.monotonic()
        self._let_go()
        try:
            positions, behind = self._runner.next_batch(self._size)
        except BaseException as error:
            # Ctrl-C stops what this process itself was reading in the middle; workers know nothing of it.
            if isinstance(error, Exception) or not self._runner.threaded:
                self.close()
            raise
        if not len(positions):
            self._take_to(behind)
            if not self.report.batches:
                self._runner.note_left_out()
            self.close()
            self._ended = True
            raise StopIteration
        batch = make_batch(self._sampler, self._stream, self._memory, positions, copy=self._copy)
        self._held = behind
        if self._copy:
            self._let_go()
        now = time.monotonic()
        self.report.waits.append(now - asked)
        self.report.seconds = now - self._began
        self.report.patches += len(batch)
        self.report.batches += 1
        return batch

    def _let_go(self) -> None:
        """Let slots be used again that the last batch was in."""
        if self._held is not None:
            self._take_to(self._held)
            self._held = None

    def _take_to(self, position: int) -> None:
        self._runner.take_to(position)

    def close(self) -> None:
        """End the workers and let go of the memory; closing twice does nothing."""
        if self._end.alive:
            self.report.peak_memory = self._runner.peak_memory()
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _close(runner: EngineRunner, memory: SharedPatches, pid: int) -> None:
    # A process that was forked from this one, and lets go of its copy, must not end the workers.
    if os.getpid() == pid:
        runner.stop()
        memory.close()
