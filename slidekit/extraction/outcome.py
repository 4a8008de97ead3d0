"""What is kept of a slide's end: its report beside its records. Imports nothing that reads slides."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from slidekit.extraction.ownership import clear_slide, is_foreign
from slidekit.extraction.resume import read_report
from slidekit.io.atomic import atomic_write_text
from slidekit.slide.job import SlideJob, job_hash
from slidekit.slide.report_model import RecordFile, SlideReport
from slidekit.slide.spec import ExtractionSpec

__all__ = ["failed_report", "keep_intent", "keep_report", "without_cells", "without_coordinates"]


_log = logging.getLogger("slidekit")


def keep_report(job: SlideJob, spec: ExtractionSpec, report: SlideReport) -> SlideReport:
    """Write ``{slide}.json`` beside the records; without the time, so that the same job gives the same file.

    Where an attempt failed and the results of an earlier one with the same parameters are still there, they and their
    ``.json`` stay: a share that is not mounted must not cost what was extracted. They go where the slide's cells now
    say that there are none, and, with ``overwrite``, where a table of coordinates has no row of it: without, it may be
    a table of other slides. A file of that name that is not slidekit's stays as it is.

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
        if is_foreign(path):
            return report
        before = read_report(path)
        gone = _has_no_places(job, spec, report)
        if before is not None and before.status in ("done", "empty") and _may_stay(before, job, spec) and not gone:
            return _with_earlier_tiles(report, before)
        if gone and before is not None and before.kept:
            report = report.model_copy(update={"reason": f"{report.reason} The tiles of an earlier run were removed."})
    try:
        if report.status in ("failed", "skipped"):
            clear_slide(job)
        folder.mkdir(parents=True, exist_ok=True)
        _write(path, report)
    except (OSError, ValueError) as error:
        # A full disk, or a name that no file or no JSON can bear. What has no report does not stay.
        _clear_if_possible(job)
        return failed_report(job, f"Its {path.suffix} file cannot be written ({type(error).__name__}).")
    return report


def _has_no_places(job: SlideJob, spec: ExtractionSpec, report: SlideReport) -> bool:
    """Whether a table of coordinates that is to replace others, or the slide's cells, were read and name no place.

    No table, such as of a slide whose file of cells is away, says nothing.
    """
    told = job.cells is not None or (spec.overwrite and job.coordinates is not None and job.coordinates.total > 0)
    return told and report.status == "skipped" and report.coordinates == 0


def _with_earlier_tiles(report: SlideReport, before: SlideReport) -> SlideReport:
    """A report of a slide that no given place is on, which says that tiles of other places are still there."""
    if report.status != "skipped" or report.coordinates != 0 or not before.kept:
        return report
    what = f"{report.reason} Its {before.kept} tiles of an earlier run stay; overwrite=True (--overwrite) removes them."
    _log.warning("%s: %s", report.slide, what)
    return report.model_copy(update={"reason": what, "coordinates": None})


def _may_stay(before: SlideReport, job: SlideJob, spec: ExtractionSpec) -> bool:
    """Whether earlier results are kept though they could not be made again: not where others are to replace them."""
    try:
        return not spec.overwrite or before.job_hash == job_hash(job, spec)
    except OSError:
        return False  # its ROI file cannot be read: who can say what they were made by


def _write(path: Path, report: SlideReport) -> None:
    atomic_write_text(path, report.model_dump_json(indent=1, exclude={"seconds"}) + "\n")


def _clear_if_possible(job: SlideJob) -> None:
    try:
        clear_slide(job)
    except (OSError, ValueError) as error:
        _log.warning("the files of %s cannot be removed (%s)", job.name, type(error).__name__)


def keep_intent(job: SlideJob, spec: ExtractionSpec) -> None:
    """Write ``{slide}.json`` before the first file takes its name: should the run be killed then, they are ours.

    It says failed, as long as nothing better replaces it: the same command extracts the slide again.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    assert job.records_dir is not None
    reason = "The run was cut off while its files were put in place. Run the same command again."
    claims: dict[str, object] = {}
    if job.tfrecords is not None:
        claims["records"] = RecordFile(name=f"{job.name}.tfrecords", records=0, size=0, sha256="")
    if job.tiles is not None:
        claims |= {"loose_tiles": 1, "loose_format": spec.img_format, "further": spec.more_names}
    report = failed_report(job, reason).model_copy(update=claims)
    _write(job.records_dir / f"{job.name}.json", report)


def failed_report(job: SlideJob, reason: str) -> SlideReport:
    """Make the report of a slide that failed; where the reason names its copy, the slide itself is meant."""
    if job.copy is not None:
        reason = reason.replace(str(job.copy.parent), str(job.path.parent))
    # The name of a file stays as it is.
    if re.match(r"[A-Za-z']+[ .,:]", reason) and not re.match(r"\S*\.\w", reason):
        reason = reason[:1].upper() + reason[1:]
    return SlideReport(slide=job.name, path=str(job.path), status="failed", reason=reason)


def without_cells(job: SlideJob) -> SlideReport:
    """Make the report of a slide on which no cells were found."""
    reason = "No cells were found on this slide."
    return SlideReport(slide=job.name, path=str(job.path), status="skipped", reason=reason, coordinates=0)


def without_coordinates(job: SlideJob) -> SlideReport:
    """Make the report of a slide that no row of the given coordinates names."""
    source = "the coordinates" if job.coordinates is None else job.coordinates.source
    reason = f"No coordinates of this slide are in {source}."
    return SlideReport(slide=job.name, path=str(job.path), status="skipped", reason=reason, coordinates=0)
