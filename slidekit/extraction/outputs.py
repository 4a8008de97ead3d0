"""What stands beside the records after a run: manifest, tables, PDF."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from slidekit.errors import RecordError, ReportError
from slidekit.extraction.exclusive import folder_lock
from slidekit.extraction.resume import read_reports
from slidekit.extraction.versions import library_versions
from slidekit.io.atomic import atomic_write_text
from slidekit.io.tfrecord import index_path, read_index
from slidekit.slide.job import SlideJob
from slidekit.slide.report_model import SlideReport
from slidekit.slide.samples import preview_path, samples_path
from slidekit.slide.spec import ExtractionSpec

__all__ = ["records_dirs", "write_manifest", "write_manifests", "write_outputs", "write_pdf"]

_log = logging.getLogger("slidekit")


def write_outputs(
    report_dir: Path, jobs: Sequence[SlideJob], results: Mapping[str, SlideReport], spec: ExtractionSpec
) -> list[Path]:
    """Write manifest, tables and PDF of a run.

    Parameters
    ----------
    report_dir
        Where tables and PDF go.
    jobs
        What was to be done.
    results
        Report of each slide, by name.
    spec
        All parameters.

    Returns
    -------
    list of Path
        Tables and PDFs.
    """
    try:
        with folder_lock(report_dir):
            return _write_outputs(report_dir, jobs, results, spec)
    except OSError as error:
        _log.error("a report could not be written: %s", error)
        return []


def _write_outputs(
    report_dir: Path, jobs: Sequence[SlideJob], results: Mapping[str, SlideReport], spec: ExtractionSpec
) -> list[Path]:
    from slidekit.report import write_tables

    folders = [] if spec.dry_run else records_dirs(jobs)
    # Slides of earlier runs into the same folder belong to the same dataset: they stay in its report.
    reports = {report.slide: report for folder in folders for report in read_reports(folder)}
    reports |= results
    created = datetime.now()
    before = _read_timings(report_dir / "timings.csv")
    # A slide that was finished before keeps the time that it took then.
    listed = [
        report if report.seconds else report.model_copy(update={"seconds": before.get(report.slide, 0.0)})
        for report in reports.values()
    ]
    makers: list[Callable[[], list[Path]]] = [lambda: write_tables(report_dir, listed, spec, created=created)]
    if spec.report:
        makers.append(lambda: write_pdf(report_dir, listed, spec, created))
    written: list[Path] = []
    for make in makers:
        try:
            written += make()
        except (ReportError, OSError) as error:
            # The tiles are safe and complete: a report that cannot be written must not hide that.
            _log.error("a report could not be written: %s", error)
    return written


def records_dirs(jobs: Sequence[SlideJob]) -> list[Path]:
    """Folders that the jobs write records into."""
    return sorted({job.records_dir for job in jobs if job.records_dir is not None})


def write_manifests(jobs: Sequence[SlideJob], spec: ExtractionSpec, *, patience: float | None = None) -> None:
    """Bring the manifests of a run up to date; `patience` as for `folder_lock`."""
    for folder in [] if spec.dry_run else records_dirs(jobs):
        try:
            with folder_lock(folder, patience=patience):
                write_manifest(folder)
        except OSError as error:
            _log.error("the manifest could not be written: %s", error)


def _read_timings(path: Path) -> dict[str, float]:
    from slidekit.report import plain_cell

    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {plain_cell(row["slide"] or ""): float(row["seconds"]) for row in csv.DictReader(file)}
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return {}  # none yet, or not ours: times are a convenience


def write_pdf(
    report_dir: Path,
    reports: Sequence[SlideReport],
    spec: ExtractionSpec | None,
    created: datetime,
    *,
    pictures: Mapping[str, Path] | None = None,
) -> list[Path]:
    """Write the PDF; returns it and its further volumes.

    Parameters
    ----------
    report_dir
        Where it goes.
    reports, spec, created
        As `slidekit.report.write_report` takes them.
    pictures
        Slide to the folder of its pictures; ``previews`` in `report_dir` for all by default.
    """
    from slidekit.report import STAMP, SlidePictures, write_report

    def pictures_of(report: SlideReport) -> SlidePictures:
        folder = report_dir / "previews" if pictures is None else pictures[report.slide]
        preview, samples = preview_path(folder, report.slide), samples_path(folder, report.slide)
        return SlidePictures(preview if preview.is_file() else None, samples if samples.is_file() else None)

    path = report_dir / f"tile_extraction_report-{created.strftime(STAMP)}.pdf"
    return write_report(path, reports, spec=spec, pictures=pictures_of, created=created, versions=library_versions())


def write_manifest(folder: Path) -> None:
    """Write ``manifest.json``: the number of tiles in each TFRecord file of a folder, Slideflow's included."""
    totals = {}
    for path in sorted(folder.glob("*.tfrecords")):
        try:
            totals[path.name] = {"total": len(read_index(index_path(path)))}
        except (RecordError, OSError):
            _log.warning("%s has no usable index and is left out of the manifest", path.name)
    atomic_write_text(folder / "manifest.json", json.dumps(totals, indent=1, ensure_ascii=False) + "\n")
