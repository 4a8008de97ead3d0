"""Slides on this machine: threads that each mind a child process, or, where that cannot be, one by one in this one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from slidekit.extraction.buffer.opening import InPlace, open_buffer
from slidekit.extraction.exclusive import run_exclusively, was_finished_before
from slidekit.extraction.isolation.attempts import extract_in_child
from slidekit.extraction.isolation.process import ChildProcess, can_cross
from slidekit.extraction.job_queue import JobQueue
from slidekit.extraction.progress import ProgressEvent
from slidekit.slide.job import SlideJob
from slidekit.slide.parallel import usable_cores
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec

__all__ = ["run_here"]

_log = logging.getLogger("slidekit")

Tell = Callable[[ProgressEvent], None]
Results = list[tuple[SlideJob, SlideReport]]


def run_here(jobs: Sequence[SlideJob], spec: ExtractionSpec, tell: Tell) -> Results:
    """Extract slides on this machine.

    Parameters
    ----------
    jobs, spec
        What to extract, in this order, and all parameters.
    tell
        Told of progress, from several threads.

    Returns
    -------
    list
        Every job and its report, as they ended.
    """
    cores = usable_cores()
    workers = min(spec.workers or cores, max(1, len(jobs)))
    spec = spec.model_copy(update={"workers": workers, "threads": spec.threads or max(1, cores // workers)})
    crosses = can_cross(spec) and can_cross(jobs[0].segment if jobs else None)
    if not crosses:
        # A function of a notebook exists in this process only.
        _log.info("a function cannot be sent to another process: slides are extracted one by one in this one")
    todo = JobQueue(jobs)
    with open_buffer(jobs, spec, ahead=workers + 1 if crosses else 2) as buffer:
        if crosses:
            return _in_children(todo, spec, workers, tell, buffer)
        return _in_this_process(todo, spec, tell, buffer)


def _in_this_process(todo: JobQueue, spec: ExtractionSpec, tell: Tell, buffer: InPlace) -> Results:
    # Only here: the driver itself reads no slide, and starts in half the time without what that takes.
    from slidekit.extraction.one import run_job

    results: Results = []

    def extract(locked: SlideJob) -> SlideReport:
        tell(ProgressEvent("started", locked.name))
        return buffer.run(locked, lambda lent: run_job(lent, spec, tell))

    while (job := todo.take()) is not None:
        _note(job, run_exclusively(job, spec, extract), todo, results, tell, buffer)
    return results


def _in_children(todo: JobQueue, spec: ExtractionSpec, workers: int, tell: Tell, buffer: InPlace) -> Results:
    children = [ChildProcess(buffer.inherited) for _ in range(workers)]
    results: Results = []
    stop = threading.Event()

    def mind(child: ChildProcess) -> None:
        def extract(locked: SlideJob) -> SlideReport:
            tell(ProgressEvent("started", locked.name))
            return buffer.run(locked, lambda lent: extract_in_child(child, lent, spec, tell, stopped=stop.is_set))

        while (job := todo.take()) is not None:
            report = run_exclusively(job, spec, extract)
            if stop.is_set() and child.died:
                return  # ended by Ctrl-C: that is not the slide's failure
            _note(job, report, todo, results, tell, buffer)

    try:
        with ThreadPoolExecutor(workers, thread_name_prefix="slidekit-minder") as pool:
            try:
                _wait_for({pool.submit(mind, child) for child in children})
            finally:
                # On Ctrl-C this ends the children, which ends the waiting of the threads that mind them.
                stop.set()
                todo.stop()
                for child in children:
                    child.kill()
                buffer.stop()
    finally:
        for child in children:
            child.close()
    return results


def _note(
    job: SlideJob, report: SlideReport | None, todo: JobQueue, results: Results, tell: Tell, buffer: InPlace
) -> None:
    """Keep what became of a slide, or have it looked at later if another run is at work on it."""
    if report is None or was_finished_before(report):
        buffer.forget(job)
    if report is None:
        if todo.put_back(job):
            _log.info("slide %s: another run is at work on it; it is looked at again later", job.name)
        return
    tell(ProgressEvent("ended", job.name, kept=report.kept, report=report))
    results.append((job, report))


def _wait_for(futures: set[Future[None]]) -> None:
    """Wait in short steps, so that Ctrl-C is heard; raise what a thread raised."""
    while futures:
        done, futures = wait(futures, timeout=0.2, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()
