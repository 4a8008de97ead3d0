"""Any ``concurrent.futures.Executor`` as carrier: one call a slide, and the same isolation inside it."""

from __future__ import annotations

import logging
import queue
import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from weakref import WeakValueDictionary

from slidekit.errors import SpecError
from slidekit.extraction.buffer.folder import check_buffer
from slidekit.extraction.buffer.in_place import InPlace
from slidekit.extraction.buffer.opening import open_buffer
from slidekit.extraction.exclusive import run_exclusively
from slidekit.extraction.isolation.attempts import extract_in_child
from slidekit.extraction.isolation.process import ChildProcess, can_cross
from slidekit.extraction.job_queue import SECONDS_UNTIL_RETRIED
from slidekit.extraction.outcome import failed_report, keep_report
from slidekit.extraction.progress import ProgressEvent
from slidekit.extraction.versions import library_versions
from slidekit.slide.job import SlideJob
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec

__all__ = ["extract_one_slide", "run_elsewhere"]

_log = logging.getLogger("slidekit")

_SECONDS_BETWEEN_LOOKS = 0.2


class Calls:
    """The calls of one run that are under way in this process, so that Ctrl-C ends them where there are any."""

    def __init__(self) -> None:
        self._change = threading.Lock()
        self._under_way: set[ChildProcess | InPlace] = set()
        self.stopped = False

    @contextmanager
    def counting(self, *parts: ChildProcess | InPlace) -> Iterator[None]:
        """Have a child ended and a buffer stopped when the run is, were that even before this."""
        with self._change:
            self._under_way.update(parts)
            if self.stopped:
                _end(parts)
        try:
            yield
        finally:
            with self._change:
                self._under_way.difference_update(parts)

    def stop(self) -> None:
        """End what is under way, and what will be."""
        with self._change:
            self.stopped = True
            _end(self._under_way)


def _end(parts: Iterable[ChildProcess | InPlace]) -> None:
    for part in parts:
        if isinstance(part, ChildProcess):
            part.kill()
        else:
            part.stop()


# By the run's name. In a process of another machine there are none: nobody stops its calls.
_calls: WeakValueDictionary[str, Calls] = WeakValueDictionary()


@dataclass(frozen=True)
class Order:
    """What a call carries beside the slide.

    Attributes
    ----------
    run
        A name that no other run has.
    spec
        All parameters.
    versions
        Of the libraries where the driver runs.
    """

    run: str
    spec: ExtractionSpec
    versions: Mapping[str, str]


def extract_one_slide(job: SlideJob, order: Order) -> SlideReport | None:
    """What an executor carries: a slide from start to report, in a child of the process that this is called in.

    Parameters
    ----------
    job
        The slide. Paths must mean the same as where the driver runs.
    order
        What is to be done with it.

    Returns
    -------
    SlideReport or None
        None if another run is at work on the slide.
    """
    if (why := _why_not_here(order)) is not None:
        lost = failed_report(job, f"{why} (on {socket.gethostname()}).")
        return run_exclusively(job, order.spec, lambda locked: _keep(locked, order.spec, lost)) or lost
    # Others of its kind may run beside it: one core each, unless told otherwise.
    spec = order.spec.model_copy(update={"threads": order.spec.threads or 1})
    calls = _calls.get(order.run) or Calls()

    def extract(locked: SlideJob) -> SlideReport:
        with open_buffer([locked], spec, ahead=1) as buffer:
            if not can_cross(spec):
                from slidekit.extraction.one import run_job

                with calls.counting(buffer):
                    return buffer.run(locked, lambda lent: run_job(lent, spec))
            child = ChildProcess(buffer.inherited)
            try:
                with calls.counting(buffer, child):
                    return buffer.run(
                        locked, lambda lent: extract_in_child(child, lent, spec, _ignore, stopped=lambda: calls.stopped)
                    )
            finally:
                child.close()

    return run_exclusively(job, spec, extract)


def _why_not_here(order: Order) -> str | None:
    here = library_versions()
    if changed := [name for name in order.versions if here.get(name) != order.versions[name]]:
        said = ", ".join(f"{name} {here.get(name)}, the driver {order.versions[name]}" for name in changed)
        return f"The worker has other versions than the driver, and would make other tiles: {said}"
    try:
        check_buffer(order.spec.buffer)
    except SpecError as error:
        return f"The buffer cannot be used: {error.path} {error.message.rstrip('.')}"
    return None


def _keep(job: SlideJob, spec: ExtractionSpec, report: SlideReport) -> SlideReport:
    return report if spec.dry_run else keep_report(job, spec, report)


def _ignore(event: ProgressEvent) -> None:
    """A worker has nobody to tell."""


def run_elsewhere(
    jobs: Sequence[SlideJob], spec: ExtractionSpec, tell: Callable[[ProgressEvent], None], executor: Executor
) -> Iterator[tuple[SlideJob, SlideReport]]:
    """Extract slides by an executor.

    Parameters
    ----------
    jobs, spec, tell
        What to extract, all parameters, and who is told of each slide's end: of more a call cannot tell.
    executor
        Carries the calls. A call that it loses fails its slide alone.

    Yields
    ------
    (SlideJob, SlideReport)
        As they end.
    """
    ended: queue.SimpleQueue[Future[SlideReport | None]] = queue.SimpleQueue()
    under_way: dict[Future[SlideReport | None], SlideJob] = {}
    later: deque[tuple[float, SlideJob]] = deque()

    calls = Calls()
    order = Order(secrets.token_hex(8), spec, library_versions())
    _calls[order.run] = calls

    def submit(job: SlideJob) -> None:
        try:
            future = executor.submit(extract_one_slide, job, order)
        except BrokenExecutor as error:
            future = Future()
            future.set_exception(error)
        under_way[future] = job
        future.add_done_callback(ended.put)

    try:
        for job in jobs:
            submit(job)
        while under_way or later:
            while later and later[0][0] < time.monotonic():
                submit(later.popleft()[1])
            try:
                # In short steps, so that Ctrl-C is heard.
                future = ended.get(timeout=_SECONDS_BETWEEN_LOOKS)
            except queue.Empty:
                continue
            job = under_way.pop(future)
            report = _result(future, job, spec)
            if report is None:
                later.append((time.monotonic() + SECONDS_UNTIL_RETRIED, job))
                continue
            tell(ProgressEvent("ended", job.name, kept=report.kept, report=report))
            yield job, report
    finally:
        for future in under_way:
            future.cancel()
        if under_way:
            calls.stop()


def _result(future: Future[SlideReport | None], job: SlideJob, spec: ExtractionSpec) -> SlideReport | None:
    try:
        error = future.exception()
    except CancelledError:
        error = CancelledError("the call was given up; its scheduler is gone, it may be")
    if error is None:
        return future.result()
    _log.debug("slide %s was lost", job.name, exc_info=error)
    lost = failed_report(job, f"The executor lost it ({type(error).__name__}: {error}). Run the same command again.")
    # Whoever may still be at work on it keeps what comes of that.
    return run_exclusively(job, spec, lambda locked: _keep(locked, spec, lost)) or lost
