"""QC of many slides without extraction: several at a time in children, as an extraction does it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from slidekit.errors import ROIError, SpecError
from slidekit.extraction.here import run_here
from slidekit.extraction.progress import ProgressEvent
from slidekit.pixels.discovery import check_unique_names, find_slides, slide_name
from slidekit.slide.job import SlideJob
from slidekit.slide.report_model import SlideReport
from slidekit.slide.roi import find_roi_file, warn_of_unknown_labels
from slidekit.slide.samples import preview_path
from slidekit.slide.spec import ExtractionSpec

__all__ = ["list_slides", "run_qc"]


def list_slides(places: Sequence[Path]) -> list[Path]:
    """The slides that files and folders stand for: a file is a slide, a folder all that lie in it and below.

    Raises
    ------
    DatasetError
        If two slides have one name.
    SpecError
        If there is none.
    """
    found = [path for place in places for path in (find_slides(place) if place.is_dir() else [place])]
    slides = sorted({path.resolve(): path for path in found}.values())
    if not slides:
        raise SpecError("There are no slides.", mend="Name files of slides, or a folder that holds some.")
    check_unique_names(slides)
    return slides


def run_qc(
    slides: Sequence[Path],
    spec: ExtractionSpec,
    *,
    dest: Path | None = None,
    save: Path | None = None,
    rois: Path | None = None,
    picture: Path | None = None,
    on_event: Callable[[ProgressEvent], None] | None = None,
) -> dict[Path, SlideReport]:
    """Run QC alone, and write its table and pictures.

    Parameters
    ----------
    slides
        Files of slides.
    spec
        Which methods, and the tiles that they are to decide about; nothing of it that concerns output counts.
    dest
        Folder for ``qc_report.csv`` and ``previews/{slide}.jpg``, of these slides alone; None writes neither.
    save
        Folder for the masks, which `slidekit.qc.Save` writes; None writes none.
    rois
        File of regions, or folder of such files, for `spec.roi_method` and `spec.artifact_labels`.
    picture
        File for the picture of the only slide, ``.png`` or ``.jpg``, instead of that in ``previews``.
    on_event
        Told of progress; never from two threads at once.

    Returns
    -------
    dict
        Path of each slide to its report: ``kept`` counts what regions and QC leave. One that failed has the status
        ``failed`` and its reason.

    Raises
    ------
    SpecError, DatasetError, ROIError
        Before any work: no method, two slides of one name, one picture or one file of regions for several slides.
    OSError
        If the table cannot be written.
    """
    _check(slides, spec, rois, picture)
    if save is not None:
        from slidekit.slide.qc.saving import Save

        spec = spec.model_copy(update={"qc": (*spec.qc, Save(save))})
    # A dry run leaves no file but those that are asked for, and takes no lock.
    spec = spec.model_copy(update={"dry_run": True, "report": False})
    jobs = [_job(path, rois) for path in slides]
    if spec.artifact_labels:
        warn_of_unknown_labels([job.rois for job in jobs if job.rois is not None], spec.artifact_labels)
    if dest is not None:
        jobs = [replace(job, picture=preview_path(dest / "previews", job.name)) for job in jobs]
    if picture is not None:
        jobs = [replace(jobs[0], picture=picture)]
    lock = threading.Lock()

    def tell(event: ProgressEvent) -> None:
        if on_event is not None:
            with lock:
                on_event(event)

    reports = {job.path: report for job, report in run_here(jobs, spec, tell)}
    ordered = {job.path: reports[job.path] for job in jobs}
    if dest is not None:
        from slidekit.report import write_qc_table

        write_qc_table(dest, list(ordered.values()))
    return ordered


def _check(slides: Sequence[Path], spec: ExtractionSpec, rois: Path | None, picture: Path | None) -> None:
    if not spec.qc:
        raise SpecError("No QC method is given.", mend="Name at least one, such as --qc both (qc=...).")
    if len(slides) > 1 and picture is not None:
        raise SpecError(
            f"One picture cannot show {len(slides)} slides.", mend="Leave it out: there is one of each in previews."
        )
    if len(slides) > 1 and rois is not None and not rois.is_dir():
        raise ROIError("One file of regions is given for several slides.", mend="Give their folder.", path=rois)
    check_unique_names(slides)


def _job(path: Path, rois: Path | None) -> SlideJob:
    name = slide_name(path)
    regions = find_roi_file(rois, name) if rois is not None and rois.is_dir() else rois
    return SlideJob(name=name, path=path, rois=regions, qc_only=True)
