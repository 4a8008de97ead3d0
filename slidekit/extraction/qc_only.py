"""QC of many slides without extraction: several at a time in children, as an extraction does it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile

from slidekit.errors import ROIError, SpecError
from slidekit.extraction.here import run_here
from slidekit.extraction.progress import ProgressEvent
from slidekit.pixels.discovery import check_unique_names, find_slides, slide_name
from slidekit.pixels.mpp import MPP_MEND
from slidekit.slide.job import SlideJob
from slidekit.slide.report_model import SlideReport
from slidekit.slide.roi import find_roi_file, refuse_unknown_labels
from slidekit.slide.roi.load import SUFFIXES
from slidekit.slide.samples import preview_path
from slidekit.slide.spec import ExtractionSpec

__all__ = ["list_slides", "run_qc", "slide_job"]

_TABLE = "qc_report.csv"


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
        raise _no_slides(places)
    check_unique_names(slides)
    return slides


def _no_slides(places: Sequence[Path]) -> SpecError:
    images = [path for place in places if place.is_dir() for path in find_slides(place, images=True)]
    if not images:
        return SpecError("There are no slides.", mend="Name files of slides, or a folder that holds some.")
    return SpecError(
        f"There are no slides, but plain images ({len(images)}), which a folder does not stand for.",
        mend=f"Name them one by one, such as {images[0].parent}/*{images[0].suffix}, and their µm/px by mpp= (--mpp).",
    )


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
        Folder for ``qc_report.csv`` and ``previews/{slide}.jpg``; None writes neither. Rows that the table has of
        other slides stay.
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
    SpecError, DatasetError, ROIError, ReportError
        Before any work: no method, two slides of one name, one picture or one file of regions for several slides,
        a folder that cannot be written, that holds an extraction, or whose ``qc_report.csv`` is another table; an
        artifact label that no region has.
    KeyboardInterrupt
        On Ctrl-C, once the table of the slides that are done is written.
    """
    _check(slides, spec, rois, picture)
    _check_folders(dest, save)
    if save is not None:
        from slidekit.slide.qc.saving import Save

        spec = spec.model_copy(update={"qc": (*spec.qc, Save(save))})
    # A dry run leaves no file but those that are asked for, and takes no lock.
    spec = spec.model_copy(update={"dry_run": True, "report": False})
    jobs = [replace(slide_job(path, rois), qc_only=True) for path in slides]
    if spec.artifact_labels:
        _check_labels(jobs, rois, spec)
    if dest is not None:
        jobs = [replace(job, picture=preview_path(dest / "previews", job.name)) for job in jobs]
    if picture is not None:
        jobs = [replace(jobs[0], picture=picture)]
    lock = threading.Lock()

    ended: dict[str, SlideReport] = {}

    def tell(event: ProgressEvent) -> None:
        with lock:
            if event.report is not None:
                ended[event.slide] = _of_command(event.report)
                event = replace(event, report=ended[event.slide])
            if on_event is not None:
                on_event(event)

    def write() -> None:
        if dest is not None:
            from slidekit.report import read_qc_table, write_qc_table

            # Read now: another run may have written there since this one began.
            write_qc_table(dest, list(ended.values()), before=read_qc_table(dest / _TABLE))

    try:
        reports = {job.path: _of_command(report) for job, report in run_here(jobs, spec, tell)}
    except KeyboardInterrupt:
        with lock:
            write()
        raise
    write()
    return {job.path: reports[job.path] for job in jobs}


def _of_command(report: SlideReport) -> SlideReport:
    """A report whose advice fits: where QC alone is run there is no table of annotations."""
    return report.model_copy(update={"reason": report.reason.replace(MPP_MEND, "Give it by mpp= (--mpp).")})


def _check_folders(dest: Path | None, save: Path | None) -> None:
    """See that folders can be written, and that no table is replaced that is not of such a run."""
    for option, folder in (("dest", dest), ("save", save)):
        if folder is None:
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise SpecError(
                f"Nothing can be written there ({error.strerror or error}).",
                mend=f"Name another folder by --{option} ({option}=...).",
                path=folder,
            ) from error
    if dest is None:
        return
    if any((dest / name).exists() for name in ("extraction.json", "extraction_report.csv")):
        raise SpecError(
            "holds an extraction, whose table of QC would be replaced.",
            mend="Name another folder by --dest (dest=...).",
            path=dest,
        )
    from slidekit.report import read_qc_table

    read_qc_table(dest / _TABLE)


def _check_labels(jobs: Sequence[SlideJob], rois: Path | None, spec: ExtractionSpec) -> None:
    """See that some region has each artifact label, of these slides or of others in the folder."""
    files = [job.rois for job in jobs if job.rois is not None]
    folder = () if rois is None or not rois.is_dir() else sorted(rois.iterdir())
    others = [path for path in folder if path.suffix.lower() in SUFFIXES and path not in files]
    refuse_unknown_labels(files, spec.artifact_labels, others=others)


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


def slide_job(path: Path, rois: Path | None) -> SlideJob:
    """The job of a slide that is no dataset's.

    Parameters
    ----------
    path
        Its file.
    rois
        File of its regions of interest, or folder of such files.
    """
    name = slide_name(path)
    regions = find_roi_file(rois, name) if rois is not None and rois.is_dir() else rois
    return SlideJob(name=name, path=path, rois=regions)
