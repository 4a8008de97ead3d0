"""One run at a time on a slide, and on what stands once in a folder: two drivers may share the work."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from slidekit.errors import SpecError
from slidekit.extraction.outcome import failed_report
from slidekit.extraction.ownership import remove_parts, remove_shared_parts
from slidekit.extraction.resume import SPEC_FILE, finished_report, read_spec_hash
from slidekit.io.lock import LOCK, lock_note, remove_abandoned, take_lock
from slidekit.slide.job import SlideJob
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec

__all__ = ["as_skipped", "check_no_other_run", "clear_lock", "folder_lock", "run_exclusively", "was_finished_before"]

_log = logging.getLogger("slidekit")

_FOLDER_LOCK = Path(SPEC_FILE).stem + LOCK
_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_UNTIL_TOLD = 10.0
_LOOKS_AT_PARAMETERS = 4
"""A network share may be away for a second."""


def run_exclusively(
    job: SlideJob, spec: ExtractionSpec, extract: Callable[[SlideJob], SlideReport]
) -> SlideReport | None:
    """Extract a slide while nobody else does.

    Parameters
    ----------
    job, spec
        What to extract, and all parameters.
    extract
        Does it.

    Returns
    -------
    SlideReport or None
        ``skipped`` if another run has finished the slide meanwhile; None if another is at work on it.
    """
    folder = job.records_dir
    if folder is None or spec.dry_run:
        return extract(job)
    digest = job.digest or spec.digest()
    try:
        lock = take_lock(_lock_path(folder, job.name), digest)
    except (OSError, ValueError) as error:
        # A full disk, or a name that no file can bear.
        return failed_report(job, f"Its lock file cannot be made ({_say(error)}).")
    if lock is None:
        return None
    with lock:
        # Of a run that was killed: whoever finds its lock abandoned is not always the one who then gets it.
        _clear_up(job)
        if (why := _why_not(folder, digest)) is not None:
            return failed_report(job, why)
        if spec.skip_extracted and (done := finished_report(job, spec)) is not None:
            return as_skipped(done)
        report = extract(replace(job, claim=lock.claim))
        # Who was asleep for minutes has been taken for dead: the other's result counts.
        return report if lock.is_held() else None


def _why_not(folder: Path, digest: str) -> str | None:
    """Why tiles with these parameters must not be put into a folder now; None if they may."""
    error: OSError | None = None
    for _ in range(_LOOKS_AT_PARAMETERS):
        try:
            if read_spec_hash(folder) == digest:
                return None
            return "Another run has begun to extract into the same folder with other parameters. Use another folder."
        except OSError as found:
            error = found
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    return f"{SPEC_FILE} beside its records cannot be read ({_say(error)}). Run the same command again."


def as_skipped(report: SlideReport) -> SlideReport:
    """Say of a finished slide that there was nothing to do."""
    return report.model_copy(update={"status": "skipped", "reason": "Finished before."})


def was_finished_before(report: SlideReport) -> bool:
    """Whether a report stands for results that are there already; else it was skipped for want of ROIs."""
    return report.status == "skipped" and report.job_hash is not None


def clear_lock(job: SlideJob) -> None:
    """Remove the lock of a finished slide whose run was killed before it could."""
    if job.records_dir is not None and (path := _lock_path(job.records_dir, job.name)).exists():
        try:
            remove_abandoned(path)
        except OSError as error:
            _log.warning("%s cannot be removed: %s", path.name, _say(error))


@contextmanager
def folder_lock(folder: Path, *, patience: float | None = None) -> Iterator[None]:
    """Hold what stands once in a folder: parameters, manifest, tables, PDF. Waits while another run does.

    Parameters
    ----------
    folder
        Folder of records, or of a report.
    patience
        Most seconds to wait; None waits as long as it takes.

    Raises
    ------
    TimeoutError
        If another run holds it for longer.
    OSError
        If the lock cannot be written.
    """
    path = folder / _FOLDER_LOCK
    began, is_told = time.monotonic(), False
    while (lock := take_lock(path)) is None:
        waited = time.monotonic() - began
        if patience is not None and waited > patience:
            raise TimeoutError(errno.ETIMEDOUT, "another run is writing its own", str(path))
        if waited > _SECONDS_UNTIL_TOLD and not is_told:
            _log.info("waiting for another run to finish its tables and report (%s)", path)
            is_told = True
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    with lock:
        if lock.was_abandoned:
            remove_shared_parts(folder)
        yield


def check_no_other_run(folder: Path, spec: ExtractionSpec) -> None:
    """Refuse to begin while another run extracts into the folder with other parameters.

    Parameters
    ----------
    folder
        Folder of records, held by `folder_lock`.
    spec
        All parameters.

    Raises
    ------
    SpecError
        Naming a slide that the other run is at work on.
    """
    for path in sorted(folder.glob(f"*{LOCK}")):
        if path.name == _FOLDER_LOCK or lock_note(path) in (None, spec.digest()):
            continue
        raise SpecError(
            f"Another run extracts slide {path.name.removesuffix(LOCK)} into this folder with other parameters.",
            mend="Wait until it has ended, or use another folder for TFRecords.",
            path=folder,
        )


def _lock_path(folder: Path, slide: str) -> Path:
    return folder / f"{slide}{LOCK}"


def _clear_up(job: SlideJob) -> None:
    try:
        remove_parts(job)
    except OSError as error:
        _log.warning("temporary files of %s cannot be removed: %s", job.name, _say(error))


def _say(error: OSError | ValueError | None) -> str:
    # The text of an OSError holds the whole path, which may hold a patient's name.
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else type(error).__name__
