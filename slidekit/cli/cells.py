"""The command that finds cells, or takes them from other programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import TaskID
from rich.table import Table
from rich.text import Text

from slidekit.cli.bars import make_progress
from slidekit.cli.options import spec_options
from slidekit.slide.report_model import SlideReport

if TYPE_CHECKING:
    from slidekit.extraction.progress import ProgressEvent

__all__ = ["cells", "cells_results"]

_OPTIONS = {
    *("mpp", "reader", "roi_method", "roi_origin", "artifact_labels", "overwrite"),
    *("qc", "qc_filter_threshold", "qc_blur_radius", "qc_blur_threshold", "qc_blur_mpp"),
    *("workers", "threads", "time_limit", "memory_limit"),
}


@spec_options(only=_OPTIONS, notes={"qc": "What it masks has no cells.", "overwrite": "Of cells: found otherwise."})
def cells(
    slides: Annotated[
        list[Path], typer.Argument(help="Files of slides, or folders that hold some.", metavar="SLIDES", exists=True)
    ],
    dest: Annotated[
        Path, typer.Option("--dest", help="Folder for {slide}.cells.zarr.", metavar="PATH", file_okay=False)
    ] = Path("cells"),
    method: Annotated[str, typer.Option("--method", help="classical, or cellpose.", metavar="NAME")] = "classical",
    diam_um: Annotated[
        float, typer.Option("--diam-um", help="Usual diameter of a nucleus, or cell, in microns.", metavar="X")
    ] = 8.0,
    method_mpp: Annotated[
        float | None, typer.Option("--method-mpp", help="µm/px to work at; default the method's own.", metavar="X")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", help="Weights of cellpose.", metavar="PATH", exists=True)
    ] = None,
    taken: Annotated[
        Path | None,
        typer.Option(
            "--import",
            help="Find none: take those of {slide}.geojson (QuPath), .csv or .parquet in this folder, or of this file.",
            metavar="PATH",
            exists=True,
        ),
    ] = None,
    nucleus: Annotated[
        bool, typer.Option("--nucleus", metavar="", help="With --import: of QuPath's cells take the nuclei.")
    ] = False,
    unit: Annotated[
        str, typer.Option("--unit", help="With --import: x and y of tables are px of level 0, or um.", metavar="NAME")
    ] = "px",
    rois: Annotated[
        Path | None,
        typer.Option(
            "--rois", help="File of regions of interest, or folder of such files.", metavar="PATH", exists=True
        ),
    ] = None,
    geojson: Annotated[
        bool, typer.Option("--geojson", metavar="", help="Write {slide}.cells.geojson for QuPath: outlines.")
    ] = False,
    points: Annotated[
        bool, typer.Option("--points", metavar="", help="Write centroids to {slide}.cells.geojson instead.")
    ] = False,
    csv: Annotated[bool, typer.Option("--csv", metavar="", help="Write {slide}.cells.csv, the measures.")] = False,
    **options: Any,
) -> None:
    """Find the cells of slides, or take those of QuPath; write them for extract --cells, QuPath and tables."""
    from slidekit.extraction.cell_files import export_cells, import_slides
    from slidekit.extraction.qc_only import list_slides

    if unit not in ("px", "um"):
        raise typer.BadParameter(f"{unit!r} is neither px nor um", param_hint="--unit")
    found, console = list_slides(slides), Console()
    with _CellProgress(console, len(found)) as progress:
        if taken is None:
            plan = {"mpp": method_mpp, "weights": weights, "diam_um": diam_um}
            given = {name: value for name, value in plan.items() if value is not None}
            reports = _find(found, dest, method, given, rois, options, progress)
        else:
            reports = import_slides(
                found,
                taken,
                dest,
                geometry="nucleus" if nucleus else "cell",
                unit="um" if unit == "um" else "px",
                mpp=options.get("mpp"),
                overwrite=bool(options.get("overwrite")),
                on_slide=progress.settle,
            )
        names = [report.slide for report in reports.values() if report.status != "failed"]
        written = export_cells(dest, names, kind="centroids" if points else "outlines" if geojson else None, csv=csv)
    console.print(cells_results(list(reports.values()), dest))
    for report in reports.values():
        if report.reason and report.status != "done":
            style = "bold red" if report.status == "failed" else "cyan"
            console.print(Text.assemble((f"{report.status} ", style), f"{report.slide}: {report.reason}"))
    for path in _of_earlier_cells(dest, reports.values(), written):
        console.print(Text.assemble(("old: ", "bold yellow"), f"{path} is of the cells that were there before"))
    for path in (*written, dest / "cells_report.csv"):
        console.print(Text.assemble(("written: ", "bold"), str(path)), soft_wrap=True)
    if any(report.status == "failed" for report in reports.values()):
        raise typer.Exit(1)


def _of_earlier_cells(dest: Path, reports: Iterable[SlideReport], written: Sequence[Path]) -> list[Path]:
    """Files that an earlier run wrote of cells that are now others."""
    names = [report.slide for report in reports if report.status == "done"]
    files = [dest / f"{name}.cells{suffix}" for name in names for suffix in (".geojson", ".csv")]
    fresh = {path.resolve() for path in written}
    return [path for path in files if path.exists() and path.resolve() not in fresh]


def _find(
    slides: Sequence[Path],
    dest: Path,
    method: str,
    given: dict[str, Any],
    rois: Path | None,
    options: dict[str, Any],
    on_event: Callable[[ProgressEvent], None],
) -> dict[Path, SlideReport]:
    from slidekit.extraction.cells import run_cells
    from slidekit.extraction.qc_only import slide_job
    from slidekit.slide.cell_tiles import SegmentPlan
    from slidekit.slide.roi.load import SUFFIXES
    from slidekit.slide.spec import ExtractionSpec

    overwrite = options.pop("overwrite", False)
    spec = ExtractionSpec.create(tile_px=256, tile_um=128, **options)
    plan = SegmentPlan(dest, method, {**given, "overwrite": overwrite})
    folder = sorted(rois.iterdir()) if rois is not None and rois.is_dir() else []
    others = [path for path in folder if path.suffix.lower() in SUFFIXES]
    jobs = [slide_job(path, rois) for path in slides]
    return run_cells(
        jobs, spec, plan, on_event=on_event, other_rois=[one for one in others if one.suffix.lower() in SUFFIXES]
    )


def cells_results(reports: Sequence[SlideReport], folder: Path) -> Table:
    """Put what was found into a table; slides that failed, and those without cells of their own, show a dash.

    Parameters
    ----------
    reports
        One a slide, in the order of the rows.
    folder
        Of the cells.
    """
    from slidekit.extraction.cell_notes import counts_of

    table = Table(expand=True, box=None, header_style="bold", pad_edge=False)
    table.add_column("slide", ratio=1, overflow="ellipsis", no_wrap=True)
    table.add_column("state")
    for head in ("cells", "tissue mm²", "per mm²", "seconds"):
        table.add_column(head, justify="right", no_wrap=True)
    for report in reports:
        counts = None if report.status == "failed" else counts_of(folder, report.slide)
        figures = ("–", "–", "–")
        if counts is not None:
            density = "–" if counts.per_mm2 is None else f"{counts.per_mm2:,.0f}"
            figures = (f"{counts.cells:,}", f"{counts.tissue_mm2:.2f}", density)
        seconds = f"{report.seconds:.1f}" if report.seconds else "–"
        table.add_row(Text(report.slide), Text(report.status), *figures, seconds)
    return table


class _CellProgress:
    """Slides done, and the windows of those in work; a line a slide where the output is no terminal."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._tasks: dict[str, TaskID] = {}
        self._progress = make_progress(console)
        self._all = self._progress.add_task("slides", total=total)

    def __enter__(self) -> _CellProgress:
        self._progress.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._progress.stop()

    def __call__(self, event: ProgressEvent) -> None:
        if event.kind == "started":
            self._tasks[event.slide] = self._progress.add_task(event.slide[:24], total=None)
        elif event.kind == "tiles" and event.slide in self._tasks:
            self._progress.update(self._tasks[event.slide], total=event.candidates, completed=event.decided)
        elif event.report is not None:
            if (task := self._tasks.pop(event.slide, None)) is not None:
                self._progress.remove_task(task)
            self.settle(event.report)

    def settle(self, report: SlideReport) -> None:
        """One slide is done."""
        self._progress.advance(self._all)
        if not self._console.is_terminal:
            line = f"{report.status:8} {report.slide}: {report.kept} cells"
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)
