"""One job from start to report: the only place where a slide's failure is caught, whatever it is."""

from __future__ import annotations

import errno
import logging
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from slidekit.errors import MissingROIError, SlideError, SlidekitError
from slidekit.extraction.isolation.passing import may_pass
from slidekit.extraction.outcome import failed_report, keep_intent, keep_report, without_cells, without_coordinates
from slidekit.extraction.ownership import check_ours, clear_slide
from slidekit.extraction.progress import ProgressEvent
from slidekit.slide.check import check_slide
from slidekit.slide.extract import OutputFolders, extract_from_wsi
from slidekit.slide.identity import slide_identity
from slidekit.slide.job import SlideJob, job_hash
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.wsi import WSI

__all__ = ["run_job"]

_log = logging.getLogger("slidekit")

_SECONDS_BETWEEN_EVENTS = 0.2

_NO_REGIONS = "No regions of interest."
_NOTHING_IN_FILE = "The file of regions of interest holds none that lies on the slide."
_ONLY_ARTIFACTS = "The file of regions of interest holds none that lies on the slide, but for artifact regions."


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
        in_file = _ONLY_ARTIFACTS if spec.artifact_labels else _NOTHING_IN_FILE
        why = _NO_REGIONS if job.rois is None else in_file
        report = SlideReport(slide=job.name, path=str(job.path), status="skipped", reason=f"{why} {error.mend or ''}")
    except SlidekitError as error:
        report = _failed(job, _say(job, error), error)
    except Exception as error:  # noqa: BLE001 - a slide must never take others with it, whatever happens in it
        _log.debug("slide %s failed", job.name, exc_info=True)
        report = _failed(job, _say_unexpected(error), error)
    report = report.model_copy(update={"seconds": time.monotonic() - started})
    is_ours = job.claim is None or job.claim.stands()
    return keep_report(job, spec, report) if is_ours and not spec.dry_run else report


def _failed(job: SlideJob, reason: str, error: Exception) -> SlideReport:
    return failed_report(job, reason).model_copy(update={"worth_retrying": may_pass(error)})


def _say(job: SlideJob, error: SlidekitError) -> str:
    """What is wrong and the mend; the name of the file as well, where it is not the slide's."""
    named = error.path is not None and error.path.name not in (job.path.name, "" if job.copy is None else job.copy.name)
    line = "" if error.line is None else f", line {error.line}"
    place = f"{error.path.name}{line}: " if named and error.path is not None else ""
    return f"{place}{error.message} {error.mend or ''}".strip()


def _say_unexpected(error: Exception) -> str:
    """An error that nobody foresaw, and where it arose: in a user's own QC function, it may be."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full ({error.strerror}). Make room where its tiles go, and run the same command again."
    last = traceback.extract_tb(error.__traceback__)[-1]
    # The text of an OSError holds the whole path, which may hold a patient's name.
    text = error.strerror if isinstance(error, OSError) and error.strerror else error
    return f"{type(error).__name__}: {text} ({Path(last.filename).name}, line {last.lineno}, in {last.name})"


def _extract(job: SlideJob, spec: ExtractionSpec, on_event: Callable[[ProgressEvent], None] | None) -> SlideReport:
    last = 0.0

    def tell(decided: int, candidates: int, kept: int) -> None:
        nonlocal last
        now = time.monotonic()
        if on_event is not None and (now - last > _SECONDS_BETWEEN_EVENTS or decided == candidates):
            last = now
            on_event(ProgressEvent("tiles", job.name, decided, candidates, kept))

    def check_lock() -> None:
        if job.claim is not None and not job.claim.stands():
            raise SlideError("Another run has taken this slide over, for this one had not been heard of for minutes.")

    def publish() -> None:
        check_lock()
        # What an earlier run made is removed only when its successor is complete.
        clear_slide(job)
        keep_intent(job, spec)

    if job.segment is not None:
        # Only here: who cuts tiles needs nothing of what finds cells.
        from slidekit.extraction.cells import segment_job

        return segment_job(job, spec, tell)
    if job.coordinates is not None and not len(job.coordinates):
        return without_coordinates(job)
    if not spec.dry_run:
        check_ours(job)
    pixels = job.copy or job.path
    # Before QC, whose functions may have state.
    made_by = job_hash(job, spec)
    cells = None if job.cells is None else job.cells.open()
    coordinates = job.coordinates if cells is None else cells.coordinates
    if cells is not None and not len(cells.coordinates):
        return without_cells(job)
    try:
        with WSI.from_spec(pixels, spec, rois=job.rois, annotated_mpp=job.mpp, coordinates=coordinates) as wsi:
            # The report names the slide, and a user's QC function finds what lies beside it.
            wsi.path = job.path
            if cells is not None:
                wsi.use_cells(cells)
            wsi.qc(spec.qc)
            if job.qc_only:
                return check_slide(wsi, spec, picture=job.picture)
            folders = OutputFolders(job.tfrecords, job.tiles, job.previews)
            report = extract_from_wsi(wsi, spec, folders, on_progress=tell, on_publish=publish, before_file=check_lock)
    finally:
        if job.copy is not None:
            _let_go_of_files()
    # Of the bytes that were read: should the slide have been replaced since it was copied, the next run sees that.
    return report.model_copy(update={"identity": slide_identity(pixels), "job_hash": made_by})


def _let_go_of_files() -> None:
    """Empty libvips' cache of operations: the files in it stay open, and a removed copy keeps its room on the disk."""
    import pyvips

    most = pyvips.cache_get_max()
    pyvips.cache_set_max(0)
    pyvips.cache_set_max(most)
