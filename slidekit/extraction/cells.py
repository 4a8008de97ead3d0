"""The cells of many slides: found in child processes with an extraction's limits, and resumed like one."""

from __future__ import annotations

import csv
import io
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from slidekit.cells.methods import resolve_method
from slidekit.cells.segment import segment_slide
from slidekit.cells.segmentation import Segmentation
from slidekit.cells.store import SUFFIX, check_dest, zarr_library
from slidekit.cells.tile_cells import cells_digest
from slidekit.cells.tissue import searched_mm2
from slidekit.errors import CellError, SpecError
from slidekit.extraction.elsewhere import run_elsewhere
from slidekit.extraction.here import run_here
from slidekit.extraction.progress import ProgressEvent
from slidekit.io.atomic import atomic_write_text
from slidekit.slide.cell_tiles import SegmentPlan
from slidekit.slide.fate import Fate
from slidekit.slide.identity import has_identity, slide_identity
from slidekit.slide.image import SlideImage
from slidekit.slide.job import SlideJob, job_hash
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.wsi import WSI

__all__ = [
    "TABLE",
    "CellCounts",
    "cells_path",
    "counts_of",
    "imported_report",
    "run_cells",
    "segment_job",
    "write_cells_table",
]

TABLE = "cells_report.csv"

_FORMAT = "slidekit cells report"


@dataclass(frozen=True)
class CellCounts:
    """What was found on a slide.

    Attributes
    ----------
    cells
        Number of cells.
    tissue_mm2
        Area of the tissue in which they count; see `slidekit.cells.tissue.searched_mm2`.
    problems
        What went wrong on the way, for a person to read.
    """

    cells: int
    tissue_mm2: float
    problems: tuple[str, ...] = ()

    @property
    def per_mm2(self) -> float | None:
        """Cells per mm² of tissue; None where there is none."""
        return self.cells / self.tissue_mm2 if self.tissue_mm2 > 0 else None


def cells_path(folder: Path, slide: str) -> Path:
    """Where the cells of a slide lie in a folder of cells."""
    return folder / f"{slide}{SUFFIX}"


def run_cells(
    jobs: Sequence[SlideJob],
    spec: ExtractionSpec,
    plan: SegmentPlan,
    *,
    on_event: Callable[[ProgressEvent], None] | None = None,
    executor: Executor | None = None,
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

    Returns
    -------
    dict
        Path of each slide to its report, whose ``kept`` counts cells; see `counts_of` for more. A slide that failed
        has the status ``failed`` and its reason. ``cells_report.csv`` in the folder says what it holds of them.

    Raises
    ------
    SpecError, CellError, MissingExtraError
        Before any work: the method makes no sense, or needs what is not there.
    OSError
        If the table cannot be written.
    """
    zarr_library()
    made_by = _method_text(plan)
    # A dry run takes no lock, and leaves no records.
    spec = spec.model_copy(update={"dry_run": True, "report": False})
    plan = replace(plan, dest=plan.dest.expanduser().absolute())
    plan.dest.mkdir(parents=True, exist_ok=True)
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
    note = _note_path(plan.dest, job.name)
    options = dict(plan.options)
    store = cells_path(plan.dest, job.name)
    # What a run that was cut off had written is its own.
    before = _read_note(note)
    options["overwrite"] = bool(options.get("overwrite")) or (before is not None and not before.get("digest"))
    _check_dest(store, overwrite=options["overwrite"])
    pixels = job.copy or job.path
    facts = {"format": _FORMAT, "slide": job.name, "identity": slide_identity(pixels), "made_by": job_hash(job, spec)}
    with WSI.from_spec(pixels, spec, rois=job.rois, annotated_mpp=job.mpp) as wsi:
        wsi.path = job.path
        wsi.qc(spec.qc)
        _write_note(note, {**facts, "digest": None})
        found = segment_slide(
            wsi,
            plan.method,
            dest=store,
            workers=spec.threads,
            on_progress=lambda done, total: tell(done, total, 0),
            **options,
        )
        counts = CellCounts(len(found), searched_mm2(wsi, options.get("mask"), found.mpp), found.problems)
    _write_note(note, {**facts, "digest": cells_digest(found), **_figures(counts)})
    return _report(job, counts)


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
    facts = {"format": _FORMAT, "slide": job.name, "identity": None, "made_by": found.parameters["name"]}
    _write_note(_note_path(folder, job.name), {**facts, "digest": cells_digest(found), **_figures(counts)})
    return _report(job, counts)


def counts_of(folder: Path, slide: str) -> CellCounts | None:
    """What was found on a slide, by the note beside its cells; None where there is none, or it was cut off."""
    note = _read_note(_note_path(folder, slide))
    if note is None or not note.get("digest"):
        return None
    try:
        return CellCounts(int(note["cells"]), float(note["tissue_mm2"]), tuple(map(str, note["problems"])))
    except (KeyError, TypeError, ValueError):
        return None


def _method_text(plan: SegmentPlan) -> str:
    """How cells are found, as JSON; also finds mistakes before any work."""
    given = dict(plan.options)
    for name in ("overwrite", "window_px", "window_size"):
        given.pop(name, None)
    mask, diam_um = given.pop("mask", None), given.pop("diam_um", 8.0)
    method = given.pop("model", plan.method) if plan.method == "classical" else plan.method
    if (diam_mean := given.pop("diam_mean", None)) is not None:
        given["mpp"] = diam_um / diam_mean
    chosen = resolve_method(method, diam_um, **given)
    if mask is not None and not isinstance(mask, str | list | tuple):
        raise SpecError("A mask is that of one slide.", mend="Name QC methods: qc= or mask=, such as otsu.")
    return json.dumps([chosen.name, chosen.parameters(), mask], sort_keys=True, default=repr)


def _check_dest(store: Path, *, overwrite: bool) -> None:
    try:
        check_dest(store, overwrite=overwrite)
    except CellError as error:
        if overwrite:
            raise
        what = "There are cells of this slide that were found with other parameters, or by hand."
        raise CellError(what, mend="Use overwrite=True (--overwrite), or another folder.", path=error.path) from error


def _finished(job: SlideJob, spec: ExtractionSpec) -> CellCounts | None:
    """What an earlier run has found with the same parameters on the same slide, if it is still there."""
    assert job.segment is not None
    folder = job.segment.dest
    note, counts = _read_note(_note_path(folder, job.name)), counts_of(folder, job.name)
    if note is None or counts is None:
        return None
    try:
        if note.get("made_by") != job_hash(job, spec) or not has_identity(job.path, note.get("identity")):
            return None
        same = cells_digest(Segmentation.open(cells_path(folder, job.name))) == note["digest"]
    except (OSError, CellError):
        return None  # whoever looks for its cells will say so
    return counts if same else None


def _figures(counts: CellCounts) -> dict[str, Any]:
    return {"cells": counts.cells, "tissue_mm2": counts.tissue_mm2, "problems": list(counts.problems)}


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


def _note_path(folder: Path, slide: str) -> Path:
    return folder / f"{slide}.cells.json"


def _read_note(path: Path) -> Mapping[str, Any] | None:
    try:
        note = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return note if isinstance(note, dict) and note.get("format") == _FORMAT else None


def _write_note(path: Path, note: Mapping[str, Any]) -> None:
    atomic_write_text(path, json.dumps(note, indent=1, ensure_ascii=False) + "\n")


def write_cells_table(folder: Path, reports: Sequence[SlideReport]) -> None:
    """Write ``cells_report.csv``: slides of this run, by name; no time or date in it.

    Parameters
    ----------
    folder
        Of the cells.
    reports
        One a slide.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("slide", "status", "cells", "tissue_mm2", "cells_per_mm2", "reason"))
    for report in sorted(reports, key=lambda report: report.slide):
        counts = None if report.status == "failed" else counts_of(folder, report.slide)
        figures: tuple[object, ...] = ("", "", "")
        if counts is not None:
            density = "" if counts.per_mm2 is None else f"{counts.per_mm2:.1f}"
            figures = (counts.cells, f"{counts.tissue_mm2:.4f}", density)
        status = "done" if report.status == "skipped" and counts is not None else report.status
        writer.writerow((report.slide, status, *figures, "" if status == "done" else report.reason))
    atomic_write_text(folder / TABLE, text.getvalue())
