"""One job from start to report: the only place where a slide's failure is caught, whatever it is."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from slidekit.errors import MissingROIError, SlidekitError
from slidekit.extraction.progress import ProgressEvent
from slidekit.extraction.resume import clear_slide
from slidekit.io.atomic import atomic_write_text
from slidekit.slide.extract import OutputFolders, extract_from_wsi
from slidekit.slide.identity import slide_identity
from slidekit.slide.job import SlideJob, job_hash
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.wsi import WSI

__all__ = ["failed_report", "run_job", "write_slide_report"]

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
    if not spec.dry_run:
        write_slide_report(job, report)
    return report


def _say_unexpected(error: Exception) -> str:
    """An error that nobody foresaw, and where it arose: in a user's own QC function, it may be."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(last.filename).name}, line {last.lineno}, in {last.name})"


def write_slide_report(job: SlideJob, report: SlideReport) -> None:
    """Write ``{slide}.json`` beside the records; without the time, so that the same job gives the same file."""
    if job.records_dir is not None:
        job.records_dir.mkdir(parents=True, exist_ok=True)
        text = report.model_dump_json(indent=1, exclude={"seconds"})
        atomic_write_text(job.records_dir / f"{job.name}.json", text + "\n")


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
        clear_slide(job)
    with WSI.from_spec(job.path, spec, rois=job.rois, annotated_mpp=job.mpp) as wsi:
        wsi.qc(spec.qc)
        folders = OutputFolders(job.tfrecords, job.tiles, job.previews)
        report = extract_from_wsi(wsi, spec, folders, on_progress=tell)
    return report.model_copy(update={"identity": slide_identity(job.path), "job_hash": job_hash(job, spec)})
