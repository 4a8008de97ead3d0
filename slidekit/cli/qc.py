"""The command that runs quality control alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from slidekit.cli.commands import check_output
from slidekit.cli.options import spec_options
from slidekit.errors import SpecError
from slidekit.slide.fate import Fate, reason_text
from slidekit.slide.report_model import SlideReport

__all__ = ["qc", "qc_results"]

_OPTIONS = {
    *("tile_px", "tile_um", "tile_mpp", "stride_div", "use_edge_tiles", "mpp", "reader"),
    *("roi_method", "roi_filter_method", "roi_origin", "artifact_labels"),
    *("qc", "qc_filter_threshold", "qc_blur_radius", "qc_blur_threshold", "qc_blur_mpp"),
    *("workers", "threads", "time_limit", "memory_limit"),
}

_MOST_NAMED = 20


@spec_options(only=_OPTIONS, notes={"tile_px": "Default 256.", "tile_um": "Default 128.", "qc": "Required."})
def qc(
    slides: Annotated[
        list[Path],
        typer.Argument(help="Files of slides, or folders that hold some.", metavar="SLIDES", exists=True),
    ],
    dest: Annotated[
        Path | None,
        typer.Option(
            "--dest",
            help="Folder for qc_report.csv and pictures; default that of --save, else 'qc' in the working directory.",
            metavar="PATH",
            file_okay=False,
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", help="Folder for the masks.", metavar="PATH", file_okay=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Picture of the one slide: .png or .jpg; default {slide}.jpg in previews.",
            metavar="PATH",
            dir_okay=False,
            callback=check_output,
        ),
    ] = None,
    rois: Annotated[
        Path | None,
        typer.Option(
            "--rois", help="File of regions of interest, or folder of such files.", metavar="PATH", exists=True
        ),
    ] = None,
    **options: Any,
) -> None:
    """Run quality control alone: a table, pictures, and masks; no tiles."""
    from slidekit.cli.run_progress import RunProgress
    from slidekit.cli.show import slides_to_look_at
    from slidekit.extraction.qc_only import list_slides, run_qc
    from slidekit.slide.spec import ExtractionSpec

    size = {} if options.keys() & {"tile_um", "tile_mpp"} else {"tile_um": 128}
    spec = ExtractionSpec.create(**{"tile_px": 256, **size, **options})
    if spec.artifact_labels and rois is None:
        raise SpecError(
            "Labels of artifact regions are given, and no regions.",
            mend="Name their file or folder by --rois, or leave --artifact-labels out.",
        )
    found = list_slides(slides)
    folder = dest or save or Path("qc")
    console = Console()
    try:
        with RunProgress(console, len(found), cut=False) as progress:
            reports = run_qc(found, spec, dest=folder, save=save, rois=rois, picture=output, on_event=progress)
    except KeyboardInterrupt as ended:
        file = folder / "qc_report.csv"
        done = f"The slides that were done are in {file}" if file.exists() else "No table was written"
        raise type(ended)(f"{done}; the same command begins with the first slide again.") from None
    table = qc_results(list(reports.values()))
    if table.row_count:
        console.print(table)
    for report in reports.values():
        if report.status in ("failed", "skipped"):
            style = "bold red" if report.status == "failed" else "cyan"
            console.print(Text.assemble((f"{report.status} ", style), f"{report.slide}: {report.reason}"))
    # There is no review.csv that names the others.
    if to_see := slides_to_look_at(list(reports.values()), most=_MOST_NAMED):
        console.print(Text.assemble(("look at: ", "bold"), to_see))
    console.print(Text.assemble(("table: ", "bold"), str(folder / "qc_report.csv")), soft_wrap=True)
    if any(report.status == "failed" for report in reports.values()):
        raise typer.Exit(1)


def qc_results(reports: Sequence[SlideReport]) -> Table:
    """Put what each method masks and drops into a table; slides that failed have no row.

    Parameters
    ----------
    reports
        One a slide, in the order of the rows.
    """
    table = Table(expand=True, box=None, header_style="bold", pad_edge=False)
    table.add_column("slide", ratio=1, overflow="ellipsis", no_wrap=True)
    table.add_column("method", ratio=1, overflow="ellipsis", no_wrap=True)
    for head in ("of slide", "of tissue", "mm²", "dropped"):
        table.add_column(head, justify="right", no_wrap=True)
    for report in reports:
        if report.status in ("failed", "skipped"):
            continue
        for place, one in enumerate(report.qc_figures):
            table.add_row(
                Text(report.slide if place == 0 else ""),
                Text(one.method),
                _percent(one.share_of_slide),
                _percent(one.share_of_tissue),
                "–" if one.area_mm2 is None else f"{one.area_mm2:.2f}",
                "–" if one.tiles_dropped is None else f"{one.tiles_dropped:,}",
            )
        for reason in (Fate.OUTSIDE_ROI, Fate.ARTIFACT):
            if number := report.counts.get(reason, 0):
                table.add_row("", Text(reason_text(reason), "dim"), "", "", "", Text(f"{number:,}", "dim"))
        left = f"{report.kept:,} of {report.candidates:,} left" if report.candidates else "no tile fits"
        table.add_row("", Text(left, "dim"), "", "", "", "")
    return table


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
