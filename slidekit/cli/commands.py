"""The commands of everyday work: create, extract, report, info, preview."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from slidekit.cli.options import spec_options

__all__ = ["create", "extract", "info", "preview", "report"]

_SLIDES = typer.Option("--slides", help="Folder of slides.", exists=True)
_PROJECT = typer.Argument(help="Folder of the project.", metavar="PROJECT")


def create(
    project: Annotated[Path, _PROJECT],
    slides: Annotated[Path, _SLIDES],
    rois: Annotated[
        Path | None, typer.Option("--rois", help="Folder of ROI files ({slide}.csv, .geojson, .xml).", exists=True)
    ] = None,
    annotations: Annotated[
        Path | None, typer.Option("--annotations", help="CSV with columns patient and slide, and labels.", exists=True)
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the project; default that of its folder.")] = None,
) -> None:
    """Make a project of a folder of slides."""
    from slidekit.project import create_project

    made = create_project(project, slides=slides, rois=rois, annotations=annotations, name=name)
    console = Console()
    console.print(made.dataset().summary())
    console.print(f"Next: slidekit extract {project} --tile-px 256 --tile-um 128 --qc both", highlight=False)


@spec_options()
def extract(
    project: Annotated[Path, _PROJECT],
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", help="Only slides with this value in an annotations column: site=A. Repeatable."),
    ] = None,
    review: Annotated[
        Path | None,
        typer.Option("--review", help="Leave out the slides that a review.csv excludes.", exists=True),
    ] = None,
    **options: Any,
) -> None:
    """Cut the slides of a project into tiles, and write the report."""
    from slidekit.cli.show import RunProgress, report_places, show_results
    from slidekit.project import load_project
    from slidekit.slide.spec import ExtractionSpec

    console = Console()
    spec = ExtractionSpec.create(**options)
    dataset = load_project(project).dataset(spec.tile_px, spec.tile_um, filters=_read_filters(filters))
    if review is not None:
        dataset = dataset.filter(review=review)
    started = time.monotonic()
    sizes = {"tile_px", "tile_um", "tile_mpp"}
    with RunProgress(console, len(dataset.slides())) as progress:
        reports = dataset.extract_tiles(
            on_event=progress, **{name: value for name, value in options.items() if name not in sizes}
        )
    seconds = time.monotonic() - started
    places = [place for folder in dataset.report_dirs(dry_run=spec.dry_run) for place in report_places(folder)]
    show_results(console, reports.values(), seconds=seconds, places=places)
    if any(report.status == "failed" for report in reports.values()):
        raise typer.Exit(1)


def _read_filters(texts: list[str] | None) -> dict[str, list[str]] | None:
    filters: dict[str, list[str]] = {}
    for text in texts or []:
        column, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r} is not column=value", param_hint="--filter")
        filters.setdefault(column, []).append(value)
    return filters or None


def report(
    folder: Annotated[Path, typer.Argument(help="Project, or any folder with TFRecords.", exists=True)],
    dest: Annotated[
        Path | None, typer.Option("--dest", help="Where to write it; default beside the TFRecords.")
    ] = None,
) -> None:
    """Make the PDF report from TFRecords that exist, slidekit's or Slideflow's."""
    from slidekit.extraction.report import report_from_records

    folders = sorted({path.parent for path in folder.rglob("*.tfrecords")})
    if not folders:
        raise typer.BadParameter(f"there are no TFRecords in {folder}", param_hint="FOLDER")
    console = Console()
    for path in report_from_records(folders, slides={}, dest=dest):
        console.print(f"[bold]report:[/] {path}", highlight=False, soft_wrap=True)


def info(
    slide: Annotated[Path, typer.Argument(help="File of a slide.")],
    rois: Annotated[
        Path | None, typer.Option("--rois", help="File of regions of interest to check against the slide.", exists=True)
    ] = None,
    mpp: Annotated[float | None, typer.Option("--mpp", help="µm/px of level 0, over what the file says.")] = None,
) -> None:
    """Say what a slide is, and what is wrong with its regions of interest."""
    from slidekit.cli.slide_info import show_slide

    if not show_slide(Console(), slide, rois=rois, mpp=mpp):
        raise typer.Exit(1)


_PREVIEW_OPTIONS = {
    *("tile_px", "tile_um", "tile_mpp", "stride_div", "use_edge_tiles", "mpp", "reader"),
    *("roi_method", "roi_filter_method", "roi_origin"),
    *("qc", "qc_filter_threshold", "qc_blur_radius", "qc_blur_threshold", "qc_blur_mpp"),
}


@spec_options(only=_PREVIEW_OPTIONS)
def preview(
    slide: Annotated[Path, typer.Argument(help="File of a slide.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Picture to write: .png or .jpg.")],
    rois: Annotated[
        Path | None, typer.Option("--rois", help="File of regions of interest, or folder of them.", exists=True)
    ] = None,
    width: Annotated[int | None, typer.Option("--width", help="Columns of the picture.", min=16, max=20000)] = None,
    **options: Any,
) -> None:
    """Draw a slide with its tiles, regions of interest and QC masks."""
    from slidekit.io.atomic import atomic_write
    from slidekit.slide.encode import encode_image
    from slidekit.slide.spec import ExtractionSpec
    from slidekit.slide.wsi import WSI

    spec = ExtractionSpec.create(**{"tile_px": 256, **options})
    with WSI.from_spec(slide, spec, rois=rois) as wsi:
        wsi.qc(spec.qc)
        picture = wsi.preview(width)
        kept, candidates = len(wsi), len(wsi.grid)
    with atomic_write(output) as file:
        file.write(encode_image(picture, "png" if output.suffix.lower() == ".png" else "jpg"))
    Console().print(f"{kept} of {candidates} tiles are left by ROIs and QC: {output}", highlight=False, soft_wrap=True)
