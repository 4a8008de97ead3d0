"""The cells of many slides: found in child processes with an extraction's limits, and resumed like one."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

from slidekit.cells.methods import resolve_method
from slidekit.cells.options import take_options
from slidekit.cells.segment import segment_slide
from slidekit.cells.segmentation import Segmentation
from slidekit.cells.store import check_dest, make_folder, zarr_library
from slidekit.cells.tile_cells import cells_digest
from slidekit.cells.tissue import searched_mm2
from slidekit.errors import CellError, MissingMPPError, SpecError
from slidekit.extraction.cell_notes import (
    CellCounts,
    cells_path,
    claimed,
    counts_of,
    figures,
    note_path,
    read_note,
    write_cells_table,
    write_note,
)
from slidekit.extraction.elsewhere import run_elsewhere
from slidekit.extraction.here import run_here
from slidekit.extraction.progress import ProgressEvent
from slidekit.slide.cell_tiles import SegmentPlan
from slidekit.slide.fate import Fate
from slidekit.slide.fingerprint import describe_callable
from slidekit.slide.identity import has_identity, slide_identity
from slidekit.slide.image import SlideImage
from slidekit.slide.job import SlideJob, job_hash
from slidekit.slide.qc import resolve_methods
from slidekit.slide.report_model import SlideReport
from slidekit.slide.roi import refuse_unknown_labels
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.wsi import WSI

__all__ = ["imported_report", "run_cells", "segment_job"]


def run_cells(
    jobs: Sequence[SlideJob],
    spec: ExtractionSpec,
    plan: SegmentPlan,
    *,
    on_event: Callable[[ProgressEvent], None] | None = None,
    executor: Executor | None = None,
    other_rois: Iterable[Path] = (),
) -> dict[Path, SlideReport]:
    """Find the cells of slides; what was found before with the same parameters is left alone.

    Parameters
    ----------
    jobs
        One a slide; nothing in them that concerns output counts.
    spec
        Its regions, QC, reader and limits count; `dry_run` and `report` do not.
    plan
        Where cells go and how they are found; its option `overwrite` replaces what was made with other parameters.
    on_event
        Told of progress; never from two threads at once. What is ``decided`` are windows.
    executor
        Carries one call a slide; by default child processes of this machine do.
    other_rois
        Files of regions of further slides: a label among `spec.artifact_labels` that one of these has is no typo.

    Returns
    -------
    dict
        Path of each slide to its report, whose ``kept`` counts cells; see `counts_of` for more. A slide that failed
        has the status ``failed`` and its reason. ``cells_report.csv`` in the folder says what it holds of them.

    Raises
    ------
    SpecError, QCError, CellError, MissingExtraError
        Before any work: the method or the mask makes no sense, or needs what is not there; the folder cannot be made.
    OSError
        If the table cannot be written.
    """
    zarr_library()
    made_by = _method_text(plan)
    # A dry run takes no lock, and leaves no records.
    spec = spec.model_copy(update={"dry_run": True, "report": False})
    plan = replace(plan, dest=plan.dest.expanduser().absolute())
    if spec.artifact_labels:
        files = [job.rois for job in jobs if job.rois is not None]
        refuse_unknown_labels(files, spec.artifact_labels, others=other_rois)
    make_folder(plan.dest)
    lock = threading.Lock()

    def tell(event: ProgressEvent) -> None:
        if on_event is not None:
            with lock:
                on_event(event)

    reports: dict[Path, SlideReport] = {}
    waiting = []
    for job in jobs:
        job = replace(job, segment=plan, tfrecords=None, tiles=None, digest=f"{spec.digest()} {made_by}")
        if (counts := _finished(job, spec)) is None:
            waiting.append(job)
            continue
        found = _report(job, counts).model_copy(update={"status": "skipped", "reason": "Finished before."})
        reports[job.path] = found
        tell(ProgressEvent("ended", job.name, kept=found.kept, report=found))
    ended = run_here(waiting, spec, tell) if executor is None else run_elsewhere(waiting, spec, tell, executor)
    reports |= {job.path: report for job, report in ended}
    ordered = {job.path: reports[job.path] for job in jobs}
    write_cells_table(plan.dest, list(ordered.values()))
    return ordered


def segment_job(job: SlideJob, spec: ExtractionSpec, tell: Callable[[int, int, int], None]) -> SlideReport:
    """Find the cells of one slide, in the process that reads it; see `run_cells`.

    Raises
    ------
    SlidekitError
        As `segment_slide` does.
    """
    plan = job.segment
    assert plan is not None
    note = note_path(plan.dest, job.name)
    options = dict(plan.options)
    store = cells_path(plan.dest, job.name)
    # What a run that was cut off had written is its own.
    before = read_note(note)
    options["overwrite"] = bool(options.get("overwrite")) or (before is not None and not before.get("digest"))
    _check_dest(store, overwrite=options["overwrite"])
    pixels = job.copy or job.path
    facts = {"slide": job.name, "identity": slide_identity(pixels), "made_by": job_hash(job, spec)}
    with _opened(pixels, job, spec) as wsi:
        wsi.path = job.path
        wsi.qc(spec.qc)
        with claimed(note, facts, before):
            found = segment_slide(
                wsi,
                plan.method,
                dest=store,
                workers=spec.threads,
                on_progress=lambda done, total: tell(done, total, 0),
                **options,
            )
        counts = CellCounts(len(found), searched_mm2(wsi, options.get("mask"), found.mpp), found.problems)
    write_note(note, {**facts, "digest": cells_digest(found), **figures(counts)})
    return _report(job, counts)


def _opened(pixels: Path, job: SlideJob, spec: ExtractionSpec) -> WSI:
    try:
        return WSI.from_spec(pixels, spec, rois=job.rois, annotated_mpp=job.mpp)
    except MissingMPPError as error:
        # mpp= is something else where cells are looked for: what the method works at.
        mend = "Give it in the annotations column `mpp`, or for all slides by slide_mpp= (slidekit cells --mpp)."
        raise MissingMPPError(error.message, mend=mend, path=error.path) from error


def imported_report(job: SlideJob, slide: SlideImage, found: Segmentation, folder: Path) -> SlideReport:
    """Note what was imported beside its cells, and make the report.

    Parameters
    ----------
    job, slide
        The slide.
    found
        Its cells, saved in the folder.
    folder
        Of the cells.
    """
    counts = CellCounts(len(found), searched_mm2(slide, None, found.mpp), found.problems)
    facts = {"slide": job.name, "identity": None, "made_by": found.parameters["name"]}
    write_note(note_path(folder, job.name), {**facts, "digest": cells_digest(found), **figures(counts)})
    return _report(job, counts)


def _method_text(plan: SegmentPlan) -> str:
    """How cells are found, as JSON; also finds mistakes before any work."""
    options = dict(plan.options)
    mask, diam_um = options.pop("mask", None), options.pop("diam_um", 8.0)
    mpp, window_px = options.pop("mpp", None), options.pop("window_px", 1024)
    given = take_options(plan.method, diam_um, options, mpp=mpp, window_px=window_px)
    chosen = resolve_method(given.method, diam_um, mpp=given.mpp, **given.rest)
    if mask is not None and not (isinstance(mask, str | list | tuple) or callable(mask)):
        raise SpecError("A mask is that of one slide.", mend="Name QC methods: qc= or mask=, such as otsu.")
    methods = [describe_callable(method) for method in resolve_methods(mask)]
    return json.dumps([chosen.name, chosen.parameters(), methods], sort_keys=True)


def _check_dest(store: Path, *, overwrite: bool) -> None:
    try:
        check_dest(store, overwrite=overwrite)
    except CellError as error:
        if overwrite:
            raise
        Segmentation.open(store)  # if it is damaged, that is what matters
        what = "There are cells of this slide that were found with other parameters, or by hand."
        raise CellError(what, mend="Use overwrite=True (--overwrite), or another folder.", path=error.path) from error


def _finished(job: SlideJob, spec: ExtractionSpec) -> CellCounts | None:
    """What an earlier run has found with the same parameters on the same slide, if it is still there."""
    assert job.segment is not None
    folder = job.segment.dest
    note, counts = read_note(note_path(folder, job.name)), counts_of(folder, job.name)
    if note is None or counts is None:
        return None
    try:
        if note.get("made_by") != job_hash(job, spec) or not has_identity(job.path, note.get("identity")):
            return None
        same = cells_digest(Segmentation.open(cells_path(folder, job.name))) == note["digest"]
    except (OSError, CellError):
        return None  # whoever looks for its cells will say so
    return counts if same else None


def _report(job: SlideJob, counts: CellCounts) -> SlideReport:
    return SlideReport(
        slide=job.name,
        path=str(job.path),
        status="done" if counts.cells else "empty",
        reason="" if counts.cells else "No cells were found.",
        counts={str(Fate.KEPT): counts.cells} if counts.cells else {},
        candidates=counts.cells,
        tissue_mm2=counts.tissue_mm2,
        warnings=counts.problems,
    )
