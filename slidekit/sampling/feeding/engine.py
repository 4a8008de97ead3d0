"""What keeps a feed going: windows are planned, chunks of them given to workers, and what fails is drawn anew."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import SlideError, SlidekitError
from slidekit.sampling.feeding.chunks import Chunk, ChunkQueue, cut_chunks
from slidekit.sampling.feeding.crew import Crew, Death, Done
from slidekit.sampling.feeding.report import FeedReport
from slidekit.sampling.feeding.stream import PatchStream
from slidekit.sampling.feeding.tasks import Bug, MapTask, ReadTask, Result
from slidekit.sampling.masks.make import is_lasting
from slidekit.sampling.plan import Plan
from slidekit.sampling.planning import MOST_ATTEMPTS
from slidekit.sampling.reading import Outcome
from slidekit.sampling.spec import LISTS

if TYPE_CHECKING:
    from slidekit.sampling.sampler import PatchSampler

__all__ = ["CRASHED", "FeedEngine"]

CRASHED = "the process that read it died"


class FeedEngine:
    """Plans windows, hands them out and takes what was read; one thread at a time calls `turn`.

    What a patch is depends on its step and attempt alone. Who reads it, and when, changes nothing, with one exception:
    a slide that killed the process that read it is not tried again, because that would cost another process each time.

    Parameters
    ----------
    sampler
        What plans.
    stream
        What is known of the coming patches.
    crew
        Who reads.
    batch_size
        Patches of the first window: the first batch comes at once. Each further one has twice as many.
    window
        Patches of a window, at most.
    """

    def __init__(self, sampler: PatchSampler, stream: PatchStream, crew: Crew, *, batch_size: int, window: int) -> None:
        self.report = FeedReport()
        self._sampler = sampler
        self._stream = stream
        self._first_window = stream.settled + min(batch_size, window)
        self._crew = crew
        self._redraws = sampler.spec.mode not in LISTS
        self._window = min(batch_size, window)
        self._most_window = window
        self._windows = 0
        self._queue = ChunkQueue()
        self._crashed: set[int] = set()
        self._identities: dict[int, str] = {}
        self._unmade: list[int] = []
        self._masks_awaited: set[int] = set()
        self._masks_tried: set[int] = set()
        self._reasons: Counter[tuple[str, str]] = Counter()

    def turn(self, *, block: bool) -> None:
        """Do what can be done now; if that is nothing, wait for a worker, or for `Crew.wake`.

        Raises
        ------
        SlidekitError
            If a patch cannot be had by any number of attempts, or no worker can be started.
        Exception
            Whatever was raised in a worker that nobody foresaw.
        """
        if self._crew.count and self._stream.settled >= self._first_window:
            # To start up takes all cores for a second, which the first batch would have to wait for.
            self._crew.start()
        planned = self._plan_window()
        for worker in self._crew.with_time():
            if self._unmade:
                task = MapTask(self._unmade.pop())
                worker.give(task, task)
            elif (chunk := self._next_chunk(worker.number)) is not None:
                worker.give(self._task(chunk), chunk)
            else:
                break
        worked = False
        # Workers take a second to start up, which the first batches need not wait for; what kills is left to them.
        if not (self._crew.ready or self.report.crashes) and (chunk := self._next_chunk(0)) is not None:
            self._take(chunk, self._crew.do_here(self._task(chunk)))
            worked = True
        if self._crew.count:
            for event in self._crew.wait(block=block and not planned and not worked):
                if isinstance(event, Done):
                    self._take(event.what, event.result)
                else:
                    self._bury(event)

    def _task(self, chunk: Chunk) -> ReadTask:
        slides = np.unique(chunk.plan.slides).tolist()
        known = {slide: self._identities[slide] for slide in slides if slide in self._identities}
        return ReadTask(chunk.plan, self._stream.slots_of(chunk.positions), known)

    def _identify(self, plan: Plan) -> None:
        """Take down which file each slide was when it was planned, as its map says, which is at hand now."""
        for slide in np.unique(plan.slides[plan.slides >= 0]).tolist():
            if slide not in self._identities:
                with suppress(SlidekitError):
                    self._identities[slide] = self._sampler.maps.get(slide).facts.identity

    def _plan_window(self) -> bool:
        if self._windows and self._crew.count and not self._crew.workers:
            return False  # first things first
        positions = self._stream.next_window(self._window)
        if not len(positions) or self._are_masks_missing(positions):
            return False
        self._windows += 1
        self._window = min(2 * self._window, self._most_window)
        self._plan(positions, np.zeros(len(positions), np.int32), self._windows)
        if self._windows == 1:
            self.note_left_out()
        return True

    def note_left_out(self) -> None:
        """Take down which slides no patch is planned of; in mode ``random`` that comes out with the patches."""
        if self._sampler.spec.mode != "random":
            self.report.leave_out(self._sampler.left_out())

    def _are_masks_missing(self, positions: NDArray[np.int64]) -> bool:
        """Have masks made that planning needs; whether there is something to wait for.

        A mask that a worker could not make, or not keep on disk, is left to the planner.
        """
        if self._masks_awaited or not self._crew.workers:
            return bool(self._masks_awaited)
        spec, slides = self._sampler.spec, self._sampler.slides
        missing = set(self._sampler.missing(positions)) - self._masks_tried
        self._masks_tried |= missing
        # What cannot be kept on disk would be made twice.
        missing = {number for number in missing if is_lasting(slides[number], spec)}
        self._masks_awaited = missing
        self._unmade = sorted(missing, reverse=True)
        return bool(missing)

    def _plan(self, positions: NDArray[np.int64], attempts: NDArray[np.int32], window: int) -> None:
        plan, passed = self._sampler.plan_counted(positions, attempts)
        for slide, reasons in passed.items():
            for reason, count in reasons.items():
                self.report.count(slide, reason, count, redrawn=self._redraws)
                self._reasons[slide, reason] += count
        self._accept(plan, positions, window)

    def _accept(self, plan: Plan, positions: NDArray[np.int64], window: int) -> None:
        """Take a plan, and let those of its patches wait that may be had."""
        self._identify(plan)
        self._stream.note_plan(plan, positions)
        nowhere = plan.slides < 0
        if nowhere.any():
            self._stream.leave_out(positions[nowhere])
        rows = np.flatnonzero(~nowhere)
        chunks = cut_chunks(plan.take(rows), positions[rows], max(1, self._crew.count), window)
        self._queue.put(chunks)

    def _next_chunk(self, worker: int) -> Chunk | None:
        """The next chunk for a worker, without patches of slides that kill it."""
        while len(self._queue):
            chunk = self._queue.take(worker)
            dead = np.isin(chunk.plan.slides, list(self._crashed))
            if not dead.any():
                return chunk
            self._fail(chunk, [(row, CRASHED) for row in np.flatnonzero(dead).tolist()])
            if not dead.all():
                return chunk.take(np.flatnonzero(~dead))
        return None

    def _take(self, what: Chunk | MapTask, result: Result) -> None:
        """Take what came of something."""
        if isinstance(result, Bug):
            result.error.add_note(f"In a process that read patches:\n{result.trace}")
            raise result.error
        if isinstance(what, MapTask):
            self._masks_awaited.discard(what.slide)
        elif isinstance(result, Outcome):
            self.report.decodes += result.decodes
            self.report.bytes_read += result.bytes_read
            self._stream.note_read(what.positions, result)
            self._fail(what, result.failures)

    def _fail(self, chunk: Chunk, failures: list[tuple[int, str]]) -> None:
        """Count patches that cannot be had, and draw others, or do without them."""
        if not failures:
            return
        for row, reason in failures:
            name = self._sampler.slides[chunk.plan.slides[row]].name
            self.report.count(name, reason, redrawn=self._redraws)
            self._reasons[name, reason] += 1
        failed = chunk.take(np.array([row for row, _ in failures], np.int64))
        if not self._redraws:
            self._stream.leave_out(failed.positions)
            return
        attempts = failed.plan.attempts + 1
        if attempts.max() >= MOST_ATTEMPTS:
            worst = self._reasons.most_common(3)
            reasons = "; ".join(f"{name}: {count} × {reason}" for (name, reason), count in worst)
            step = failed.plan.steps[attempts == attempts.max()].min()
            raise SlidekitError(
                f"No patch can be had of {MOST_ATTEMPTS} that were drawn for step {step}: {reasons}.",
                mend="Leave out the slides that fail.",
            )
        self._plan(failed.positions, attempts, 0)

    def _bury(self, death: Death) -> None:
        """See to what a worker left that has died.

        What it was doing is tried once more as a whole, then patch by patch; a patch that kills is its slide's doing.
        """
        self.report.crashes.append(death.how)
        chunks = [what for what in death.others if isinstance(what, Chunk)]
        self._unmade += [what.slide for what in death.others if isinstance(what, MapTask)]
        first = death.first
        if isinstance(first, MapTask):
            self._crashed.add(first.slide)
            self._masks_awaited.discard(first.slide)
            slide = self._sampler.slides[first.slide]
            self._sampler.maps.refuse(first.slide, SlideError(f"{CRASHED}.", path=slide.path))
        if isinstance(first, Chunk):
            first.killed += 1
            if first.killed == 1:
                chunks.append(first)
            elif len(first.positions) > 1:
                chunks += [first.take(np.array([row])) for row in range(len(first.positions))]
                for single in chunks[-len(first.positions) :]:
                    single.killed = 1
            else:
                self._crashed.add(int(first.plan.slides[0]))
                chunks.append(first)
        self._queue.put(chunks)
