"""A run over many slides: what is finished is left alone, the rest is carried out, then come tables and the report."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

from slidekit.errors import DatasetError, SpecError
from slidekit.extraction.buffer.folder import check_buffer
from slidekit.extraction.elsewhere import run_elsewhere
from slidekit.extraction.exclusive import as_skipped, check_no_other_run, clear_lock, folder_lock, was_finished_before
from slidekit.extraction.here import run_here
from slidekit.extraction.outputs import records_dirs, write_manifests, write_outputs
from slidekit.extraction.progress import ProgressEvent
from slidekit.extraction.resume import SPEC_FILE, check_same_spec, finished_report, write_spec
from slidekit.extraction.versions import library_versions
from slidekit.slide.job import SlideJob
from slidekit.slide.parallel import map_ordered, usable_cores
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec

__all__ = ["ProgressEvent", "SlideJob", "check_jobs", "run_extraction"]

_RESERVED = {"extraction", "manifest"}

_SECONDS_OF_PATIENCE = 2.0
"""How long a run that was interrupted waits for another one's tables."""

OnEvent = Callable[[ProgressEvent], None]


def run_extraction(
    jobs: Sequence[SlideJob],
    spec: ExtractionSpec,
    *,
    report_dir: Path,
    on_event: OnEvent | None = None,
    executor: Executor | None = None,
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
    executor
        Carries one call a slide, to other machines it may be; by default child processes of this one do.

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
    check_jobs(jobs, spec, here=executor is None)
    jobs = [replace(job, previews=report_dir / "previews", digest=spec.digest()) for job in jobs]
    if not spec.dry_run:
        for folder in records_dirs(jobs):
            _begin(folder, jobs, spec)
    lock = threading.Lock()

    def tell(event: ProgressEvent) -> None:
        if on_event is not None:
            with lock:
                on_event(event)

    finished = _finished(jobs, spec)
    results = {report.slide: report for report in finished.values()}
    told = {path: as_skipped(report) for path, report in finished.items()}
    for report in told.values():
        tell(ProgressEvent("ended", report.slide, report=report))
    waiting = [job for job in jobs if job.path not in finished]
    patience: float | None = _SECONDS_OF_PATIENCE
    try:
        for job, report in (
            run_here(waiting, spec, tell) if executor is None else run_elsewhere(waiting, spec, tell, executor)
        ):
            if report.status == "failed" and (by_another := _found_now(job, spec)) is not None:
                report = as_skipped(by_another)
            told[job.path] = report
            if not was_finished_before(report):
                results[job.name] = report  # else by another run meanwhile: what stands in the folder counts
        patience = None
    finally:
        # After Ctrl-C, too: counts must not be those of the run before.
        write_manifests(jobs, spec, patience=patience)
    write_outputs(report_dir, jobs, results, spec)
    return {job.path: told[job.path] for job in jobs}


def _finished(jobs: Sequence[SlideJob], spec: ExtractionSpec) -> dict[Path, SlideReport]:
    """Find the slides that need no work, and what came of them; with ``verify`` that reads all of their records."""
    if spec.dry_run or not spec.skip_extracted:
        return {}
    stop = threading.Event()
    found = map_ordered(
        lambda job: (job, finished_report(job, spec, stopped=stop.is_set)), jobs, threads=usable_cores()
    )
    finished = {}
    try:
        for job, report in found:
            if report is not None:
                clear_lock(job)
                finished[job.path] = report
    finally:
        # On Ctrl-C, too, which is not to wait until gigabytes are read.
        stop.set()
        found.close()
    return finished


def _found_now(job: SlideJob, spec: ExtractionSpec) -> SlideReport | None:
    """What another run has made of a slide that failed in this one."""
    return None if spec.dry_run or not spec.skip_extracted else finished_report(job, spec)


def _begin(folder: Path, jobs: Sequence[SlideJob], spec: ExtractionSpec) -> None:
    """Say in a folder with which parameters tiles are made from now on; refuse if others are at work with others."""
    with folder_lock(folder):
        check_same_spec(folder, spec, {job.name for job in jobs})
        check_no_other_run(folder, spec)
        given = next((job.coordinates.total for job in jobs if job.coordinates is not None), None)
        if any(job.cells is not None for job in jobs):
            given = None  # each slide's report counts its own
        write_spec(folder, spec, library_versions(), coordinates=given)


def check_jobs(jobs: Sequence[SlideJob], spec: ExtractionSpec, *, here: bool = True) -> None:
    """Find mistakes before any work: names, normaliser, buffer, and what the folders hold already.

    Parameters
    ----------
    jobs, spec
        What is to be done.
    here
        Whether on this machine: the folder of a buffer must be where the slides are extracted.

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
        if job.name in (".", "..") or Path(job.name).name != job.name:
            raise DatasetError(f"A slide may not be called {job.name!r}.", mend="Rename it.", path=job.path)
        if job.name in _RESERVED:
            raise DatasetError(
                f"A slide may not be called {job.name}: slidekit has a file {job.name}.json of its own.",
                mend="Rename it.",
                path=job.path,
            )
        names[job.name] = job.path
    _check_means(spec)
    if here:
        check_buffer(spec.buffer)
    if spec.dry_run:
        return
    for folder in records_dirs(jobs):
        check_same_spec(folder, spec, names)
        _check_foreign(folder, [job for job in jobs if job.tfrecords == folder])


def _check_foreign(folder: Path, jobs: Sequence[SlideJob]) -> None:
    """Refuse to make a folder of other tools' records one of an extraction if no slide could be extracted into it.

    Raises
    ------
    SpecError
        If records of all slides are there, and the folder is no extraction's.
    """
    if (folder / SPEC_FILE).exists() or not jobs:
        return
    if all((folder / f"{job.name}.tfrecords").exists() and not (folder / f"{job.name}.json").exists() for job in jobs):
        raise SpecError(
            "holds TFRecords of all these slides that slidekit did not extract, such as those of resize_tfrecords.",
            mend="Use another folder for TFRecords, or move them away.",
            path=folder,
        )


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
