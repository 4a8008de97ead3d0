"""Any ``concurrent.futures.Executor`` as carrier: one call a slide, and the same isolation inside it."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future

from slidekit.extraction.buffer.opening import open_buffer
from slidekit.extraction.exclusive import run_exclusively
from slidekit.extraction.isolation.attempts import extract_in_child
from slidekit.extraction.isolation.process import ChildProcess, can_cross
from slidekit.extraction.job_queue import SECONDS_UNTIL_RETRIED
from slidekit.extraction.outcome import failed_report, keep_report
from slidekit.extraction.progress import ProgressEvent
from slidekit.slide.job import SlideJob
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec

__all__ = ["extract_one_slide", "run_elsewhere"]

_log = logging.getLogger("slidekit")

_SECONDS_BETWEEN_LOOKS = 0.2

# Children of the calls that run in this process, so that Ctrl-C ends them where the executor is one of threads.
_children: set[ChildProcess] = set()
_children_change = threading.Lock()


def extract_one_slide(job: SlideJob, spec: ExtractionSpec, digest: str) -> SlideReport | None:
    """What an executor carries: a slide from start to report, in a child of the process that this is called in.

    Parameters
    ----------
    job, spec
        The slide, and all parameters. Paths must mean the same as where the driver runs.
    digest
        Hash of the parameters when the run began.

    Returns
    -------
    SlideReport or None
        None if another run is at work on the slide.
    """
    # Others of its kind may run beside it: one core each, unless told otherwise.
    spec = spec.model_copy(update={"threads": spec.threads or 1})

    def extract(locked: SlideJob) -> SlideReport:
        with open_buffer([locked], spec, ahead=1) as buffer:
            if not can_cross(spec):
                from slidekit.extraction.one import run_job

                return buffer.run(locked, lambda lent: run_job(lent, spec))
            child = ChildProcess(buffer.inherited)
            with _children_change:
                _children.add(child)
            try:
                return buffer.run(locked, lambda lent: extract_in_child(child, lent, spec, lambda _: None))
            finally:
                with _children_change:
                    _children.discard(child)
                child.close()

    return run_exclusively(job, spec, digest, extract)


def run_elsewhere(
    jobs: Sequence[SlideJob], spec: ExtractionSpec, tell: Callable[[ProgressEvent], None], executor: Executor
) -> Iterator[tuple[SlideJob, SlideReport]]:
    """Extract slides by an executor.

    Parameters
    ----------
    jobs, spec, tell
        What to extract, all parameters, and who is told of progress.
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

    digest = spec.digest()

    def submit(job: SlideJob) -> None:
        try:
            future = executor.submit(extract_one_slide, job, spec, digest)
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
            report = _result(future, job, spec, digest)
            if report is None:
                later.append((time.monotonic() + SECONDS_UNTIL_RETRIED, job))
                continue
            tell(ProgressEvent("started", job.name))
            tell(ProgressEvent("ended", job.name, kept=report.kept, report=report))
            yield job, report
    finally:
        for future in under_way:
            future.cancel()
        if under_way:
            _end_children()


def _result(future: Future[SlideReport | None], job: SlideJob, spec: ExtractionSpec, digest: str) -> SlideReport | None:
    try:
        error = future.exception()
    except CancelledError as cancelled:
        error = cancelled
    if error is None:
        return future.result()
    reason = f"The executor lost it ({type(error).__name__}: {error})."
    _log.debug("slide %s was lost", job.name, exc_info=error)
    lost = failed_report(job, reason)
    # Whoever may still be at work on it keeps what comes of that.
    return run_exclusively(job, spec, digest, lambda locked: keep_report(locked, spec, lost)) or lost


def _end_children() -> None:
    with _children_change:
        for child in _children:
            child.kill()
