"""One job from start to report: the only place where a slide's failure is caught, whatever it is."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from slidekit.errors import MissingROIError, SlidekitError
from slidekit.extraction.ownership import check_ours, clear_slide
from slidekit.extraction.progress import ProgressEvent
from slidekit.extraction.resume import read_report
from slidekit.io.atomic import atomic_write_text
from slidekit.slide.extract import OutputFolders, extract_from_wsi
from slidekit.slide.identity import slide_identity
from slidekit.slide.job import SlideJob, job_hash
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.wsi import WSI

__all__ = ["failed_report", "keep_report", "run_job"]

_log = logging.getLogger("slidekit")

_SECONDS_BETWEEN_EVENTS = 0.2


def run_job(
    job: SlideJob, spec: ExtractionSpec, on_event: Callable[[ProgressEvent], None] | None = None
) -> SlideReport:
    """Extract one slide; a failure becomes a report that says why.

    Parameters
    ----------
    job
        The slide.
    spec
        All parameters.
    on_event
        Called now and then with ``tiles`` events.
    """
    started = time.monotonic()
    try:
        report = _extract(job, spec, on_event)
    except MissingROIError as error:
        report = SlideReport(
            slide=job.name, path=str(job.path), status="skipped", reason=f"No regions of interest. {error.mend or ''}"
        )
    except SlidekitError as error:
        report = failed_report(job, f"{error.message} {error.mend or ''}".strip())
    except Exception as error:  # noqa: BLE001 - a slide must never take others with it, whatever happens in it
        _log.debug("slide %s failed", job.name, exc_info=True)
        report = failed_report(job, _say_unexpected(error))
    report = report.model_copy(update={"seconds": time.monotonic() - started})
    return report if spec.dry_run else keep_report(job, spec, report)


def _say_unexpected(error: Exception) -> str:
    """An error that nobody foresaw, and where it arose: in a user's own QC function, it may be."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    # The text of an OSError holds the whole path, which may hold a patient's name.
    text = error.strerror if isinstance(error, OSError) and error.strerror else error
    return f"{type(error).__name__}: {text} ({Path(last.filename).name}, line {last.lineno}, in {last.name})"


def keep_report(job: SlideJob, spec: ExtractionSpec, report: SlideReport) -> SlideReport:
    """Write ``{slide}.json`` beside the records; without the time, so that the same job gives the same file.

    Where an attempt failed and the results of an earlier one with the same parameters are still there, they and their
    ``.json`` stay: a share that is not mounted must not cost what was extracted.

    Returns
    -------
    SlideReport
        `report`, or a failed one if the file cannot be written.
    """
    folder = job.records_dir
    if folder is None:
        return report
    path = folder / f"{job.name}.json"
    if report.status in ("failed", "skipped"):
        before = read_report(path)
        if before is not None and before.status in ("done", "empty") and not spec.overwrite:
            return report
        clear_slide(job)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        atomic_write_text(path, report.model_dump_json(indent=1, exclude={"seconds"}) + "\n")
    except (OSError, ValueError) as error:
        # A full disk, or a name that no file or no JSON can bear.
        return failed_report(job, f"Its {path.suffix} file cannot be written ({type(error).__name__}).")
    return report


def failed_report(job: SlideJob, reason: str) -> SlideReport:
    """Make the report of a slide that failed."""
    reason = reason[:1].upper() + reason[1:]
    return SlideReport(slide=job.name, path=str(job.path), status="failed", reason=reason)


def _extract(job: SlideJob, spec: ExtractionSpec, on_event: Callable[[ProgressEvent], None] | None) -> SlideReport:
    last = 0.0

    def tell(decided: int, candidates: int, kept: int) -> None:
        nonlocal last
        now = time.monotonic()
        if on_event is not None and (now - last > _SECONDS_BETWEEN_EVENTS or decided == candidates):
            last = now
            on_event(ProgressEvent("tiles", job.name, decided, candidates, kept))

    if not spec.dry_run:
        check_ours(job)
    with WSI.from_spec(job.path, spec, rois=job.rois, annotated_mpp=job.mpp) as wsi:
        wsi.qc(spec.qc)
        folders = OutputFolders(job.tfrecords, job.tiles, job.previews)
        # What an earlier run made is removed only when its successor is complete.
        report = extract_from_wsi(wsi, spec, folders, on_progress=tell, on_publish=lambda: clear_slide(job))
    return report.model_copy(update={"identity": slide_identity(job.path), "job_hash": job_hash(job, spec)})
