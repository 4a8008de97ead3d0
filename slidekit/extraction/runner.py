"""A run over many slides: children that thread by thread take one slide after another, then tables and the report."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

from slidekit.errors import DatasetError
from slidekit.extraction.buffer_folder import check_buffer
from slidekit.extraction.buffering import InPlace, open_buffer
from slidekit.extraction.isolation import ChildProcess, can_cross
from slidekit.extraction.outcome import keep_report
from slidekit.extraction.outputs import records_dirs, write_manifests, write_outputs
from slidekit.extraction.ownership import remove_parts
from slidekit.extraction.progress import ProgressEvent
from slidekit.extraction.resume import check_same_spec, finished_report, write_spec
from slidekit.extraction.versions import library_versions
from slidekit.slide.job import SlideJob
from slidekit.slide.parallel import usable_cores
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec

__all__ = ["ProgressEvent", "SlideJob", "check_jobs", "run_extraction"]

_log = logging.getLogger("slidekit")

_RESERVED = {"extraction", "manifest"}

OnEvent = Callable[[ProgressEvent], None]


def run_extraction(
    jobs: Sequence[SlideJob], spec: ExtractionSpec, *, report_dir: Path, on_event: OnEvent | None = None
) -> dict[Path, SlideReport]:
    """Extract slides, write what belongs beside the records, and the report.

    Parameters
    ----------
    jobs
        One a slide; names must differ.
    spec
        All parameters.
    report_dir
        Folder of the PDF, the CSVs and the pictures.
    on_event
        Told of progress; never from two threads at once.

    Returns
    -------
    dict
        Path of the slide to its report; a slide that was finished before is ``skipped`` here and stands with its
        results in the report.

    Raises
    ------
    SpecError, NormalizerError, DatasetError
        If parameters make no sense or do not fit what the folder holds; before any work. A slide that fails
        raises nothing: its report says so.
    """
    check_jobs(jobs, spec)
    if not spec.dry_run:
        for folder in records_dirs(jobs):
            write_spec(folder, spec, library_versions())
    lock = threading.Lock()

    def tell(event: ProgressEvent) -> None:
        if on_event is not None:
            with lock:
                on_event(event)

    results: dict[str, SlideReport] = {}
    told: dict[Path, SlideReport] = {}
    waiting = []
    for job in (replace(job, previews=report_dir / "previews") for job in jobs):
        done = finished_report(job, spec) if spec.skip_extracted and not spec.dry_run else None
        if done is None:
            waiting.append(job)
            continue
        results[job.name] = done
        told[job.path] = done.model_copy(update={"status": "skipped", "reason": "Finished before."})
        tell(ProgressEvent("ended", job.name, report=told[job.path]))
    try:
        for job, report in _run(waiting, spec, tell):
            results[job.name] = told[job.path] = report
    finally:
        # After Ctrl-C, too: counts must not be those of the run before.
        write_manifests(jobs, spec)
    write_outputs(report_dir, jobs, results, spec)
    return {job.path: told[job.path] for job in jobs}


def check_jobs(jobs: Sequence[SlideJob], spec: ExtractionSpec) -> None:
    """Find mistakes before any work: names, normaliser, buffer, and what the folders hold already.

    Raises
    ------
    DatasetError, NormalizerError, SpecError
        Naming what is wrong.
    """
    names: dict[str, Path] = {}
    for job in jobs:
        if job.name in names:
            raise DatasetError(
                f"Two slides are called {job.name}: {names[job.name]} and {job.path}.", mend="Rename one of them."
            )
        if job.name in _RESERVED:
            raise DatasetError(
                f"A slide may not be called {job.name}: slidekit has a file {job.name}.json of its own.",
                mend="Rename it.",
                path=job.path,
            )
        names[job.name] = job.path
    _check_means(spec)
    check_buffer(spec.buffer)
    if spec.dry_run:
        return
    for folder in records_dirs(jobs):
        check_same_spec(folder, spec, names)


def _check_means(spec: ExtractionSpec) -> None:
    """Find out whether what a spec names can be had: its normaliser with its source, a reader that needs an extra.

    Raises
    ------
    NormalizerError, MissingExtraError
        If not.
    """
    if spec.normalizer is not None:
        from slidekit.slide.extract import make_normalizer

        make_normalizer(spec)
    if spec.reader == "cucim":
        from slidekit.pixels.readers.cucim import import_cucim

        import_cucim()


def _run(jobs: Sequence[SlideJob], spec: ExtractionSpec, tell: OnEvent) -> list[tuple[SlideJob, SlideReport]]:
    cores = usable_cores()
    workers = min(spec.workers or cores, max(1, len(jobs)))
    spec = spec.model_copy(update={"threads": spec.threads or max(1, cores // workers)})
    crosses = can_cross(spec)
    if not crosses:
        # A QC function of a notebook exists in this process only.
        _log.info("a QC function cannot be sent to another process: slides are extracted one by one in this one")
    with open_buffer(jobs, spec, ahead=workers + 1 if crosses else 2) as buffer:
        if crosses:
            return _run_in_children(jobs, spec, workers, tell, buffer)
        return _run_here(jobs, spec, tell, buffer)


def _run_here(
    jobs: Sequence[SlideJob], spec: ExtractionSpec, tell: OnEvent, buffer: InPlace
) -> list[tuple[SlideJob, SlideReport]]:
    # Only here: the driver itself reads no slide, and starts in half the time without what that takes.
    from slidekit.extraction.one import run_job

    results = []
    for job in jobs:
        tell(ProgressEvent("started", job.name))
        report = buffer.run(job, lambda lent: run_job(lent, spec, tell))
        tell(ProgressEvent("ended", job.name, kept=report.kept, report=report))
        results.append((job, report))
    return results


def _run_in_children(
    jobs: Sequence[SlideJob], spec: ExtractionSpec, workers: int, tell: OnEvent, buffer: InPlace
) -> list[tuple[SlideJob, SlideReport]]:
    todo: queue.SimpleQueue[SlideJob] = queue.SimpleQueue()
    for job in jobs:
        todo.put(job)
    children = [ChildProcess(buffer.inherited) for _ in range(workers)]
    results: list[tuple[SlideJob, SlideReport]] = []
    stop = threading.Event()

    def mind(child: ChildProcess) -> None:
        while not stop.is_set():
            try:
                job = todo.get_nowait()
            except queue.Empty:
                return
            tell(ProgressEvent("started", job.name))
            report = buffer.run(job, lambda lent: child.run(lent, spec, tell))
            if child.died:
                _remove_parts(job)
                if stop.is_set():
                    return  # ended by Ctrl-C: that is not the slide's failure
                if not spec.dry_run:
                    report = keep_report(job, spec, report)
            tell(ProgressEvent("ended", job.name, kept=report.kept, report=report))
            results.append((job, report))

    try:
        with ThreadPoolExecutor(workers, thread_name_prefix="slidekit-minder") as pool:
            minders: set[Future[None]] = {pool.submit(mind, child) for child in children}
            try:
                _wait_for(minders)
            finally:
                # On Ctrl-C this ends the children, which ends the waiting of the threads that mind them.
                stop.set()
                for child in children:
                    child.kill()
                buffer.stop()
    finally:
        for child in children:
            child.close()
    return results


def _remove_parts(job: SlideJob) -> None:
    try:
        remove_parts(job)
    except OSError as error:
        # A folder that is gone, or has become read-only, must not end the other slides.
        _log.warning("temporary files of %s cannot be removed: %s", job.name, error.strerror or error)


def _wait_for(futures: set[Future[None]]) -> None:
    """Wait in short steps, so that Ctrl-C is heard; raise what a thread raised."""
    while futures:
        done, futures = wait(futures, timeout=0.2, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()
