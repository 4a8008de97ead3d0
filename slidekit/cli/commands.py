"""The commands of everyday work but extract: create, report, info, preview."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from slidekit.cli.options import require_tile_size, spec_options
from slidekit.io.url import as_url

__all__ = ["check_output", "create", "info", "preview", "report"]


def _check_slides(slides: str) -> str:
    if as_url(slides) is None and not Path(slides).exists():
        raise typer.BadParameter(f"Path {slides!r} does not exist.")
    return slides


_SLIDES = typer.Option(
    "--slides", help="Folder of slides, or a URL such as s3://bucket/cohort.", metavar="PATH", callback=_check_slides
)
_PROJECT = typer.Argument(help="Folder of the project.", metavar="PROJECT")


def create(
    project: Annotated[Path, _PROJECT],
    slides: Annotated[str, _SLIDES],
    rois: Annotated[
        Path | None,
        typer.Option("--rois", help="Folder of ROI files ({slide}.csv, .geojson, .xml).", metavar="PATH", exists=True),
    ] = None,
    annotations: Annotated[
        Path | None,
        typer.Option(
            "--annotations", help="CSV with columns patient and slide, and labels.", metavar="PATH", exists=True
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the project; default that of its folder.", metavar="TEXT")
    ] = None,
) -> None:
    """Make a project of a folder of slides."""
    from slidekit.collection.summary import summary_table
    from slidekit.project import create_project

    made = create_project(project, slides=slides, rois=rois, annotations=annotations, name=name)
    console = Console()
    console.print(summary_table(made.dataset()))
    command = f"slidekit extract {shlex.quote(str(project))} --tile-px 256 --tile-um 128 --qc both"
    # One line, however long: it is there to be copied.
    console.print(f"Next: {command}", highlight=False, markup=False, soft_wrap=True)


def report(
    folder: Annotated[
        Path, typer.Argument(help="Project, or any folder with TFRecords.", metavar="FOLDER", exists=True)
    ],
    dest: Annotated[
        Path | None, typer.Option("--dest", help="Where to write it; default beside the TFRecords.", metavar="PATH")
    ] = None,
) -> None:
    """Make the PDF report from TFRecords that exist, slidekit's or Slideflow's."""
    from slidekit.extraction.report import report_from_records

    folders = sorted({path.parent for path in folder.rglob("*.tfrecords")})
    if not folders:
        raise typer.BadParameter(f"there are no TFRecords in {folder}", param_hint="FOLDER")
    console = Console()
    for path in report_from_records(folders, slides={}, dest=dest):
        console.print(Text.assemble(("report:", "bold"), f" {path}"), soft_wrap=True)


_SLIDE = typer.Argument(help="File of a slide.", metavar="SLIDE")
_ROIS = typer.Option(
    "--rois", help="File of regions of interest, or folder of such files.", metavar="PATH", exists=True
)


def info(
    slide: Annotated[Path, _SLIDE],
    rois: Annotated[Path | None, _ROIS] = None,
    mpp: Annotated[
        float | None, typer.Option("--mpp", help="µm/px of level 0, over what the file says.", metavar="X")
    ] = None,
) -> None:
    """Say what a slide is, and what is wrong with its regions of interest."""
    from slidekit.cli.slide_info import show_slide

    if not show_slide(Console(), slide, rois=rois, mpp=mpp):
        raise typer.Exit(1)


_PREVIEW_OPTIONS = {
    *("coordinates", "coordinates_unit", "coordinates_anchor"),
    *("tile_px", "tile_um", "tile_mpp", "stride_div", "use_edge_tiles", "mpp", "reader"),
    *("roi_method", "roi_filter_method", "roi_origin", "artifact_labels"),
    *("qc", "qc_filter_threshold", "qc_blur_radius", "qc_blur_threshold", "qc_blur_mpp"),
}


def check_output(output: Path | None) -> Path | None:
    """Refuse a picture that is neither PNG nor JPEG, or has no folder to lie in."""
    if output is None:
        return None
    if output.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise typer.BadParameter(f"{output.name} does not end in .png, .jpg or .jpeg.")
    if not output.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {str(output.parent)!r}.")
    return output


def _check_width(width: int | None) -> int | None:
    if width is not None and not 16 <= width <= 20000:
        raise typer.BadParameter(f"{width} is not from 16 to 20000.")
    return width


@spec_options(
    only=_PREVIEW_OPTIONS,
    notes={
        "tile_px": "Default 256.",
        "tile_um": "Required, unless --tile-mpp is given. Repeatable: tiles of the first are drawn.",
    },
    kinds={"coordinates": Path},
)
def preview(
    slide: Annotated[Path, _SLIDE],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Picture to write: .png or .jpg.",
            metavar="PATH",
            dir_okay=False,
            callback=check_output,
        ),
    ],
    rois: Annotated[Path | None, _ROIS] = None,
    width: Annotated[
        int | None,
        typer.Option("--width", help="Columns of the picture, 16 to 20000.", metavar="N", callback=_check_width),
    ] = None,
    **options: Any,
) -> None:
    """Draw a slide with its tiles, regions of interest and QC masks."""
    from slidekit.io.atomic import atomic_write
    from slidekit.slide.coordinate_table import coordinates_of
    from slidekit.slide.encode import encode_image
    from slidekit.slide.roi import warn_of_unknown_labels
    from slidekit.slide.spec import ExtractionSpec
    from slidekit.slide.wsi import WSI

    options = {"tile_px": 256, **options}
    require_tile_size(options)
    spec = ExtractionSpec.create(**options)
    file = options.get("coordinates")
    places = None if file is None else coordinates_of(file, slide, spec)
    with WSI.from_spec(slide, spec, rois=rois, coordinates=places) as wsi:
        if spec.artifact_labels and wsi.roi_set.path is not None:
            warn_of_unknown_labels([wsi.roi_set.path], spec.artifact_labels)
        wsi.qc(spec.qc)
        picture = wsi.preview(width)
        kept, candidates = len(wsi), len(wsi.grid)
    with atomic_write(output) as file:
        file.write(encode_image(picture, "png" if output.suffix.lower() == ".png" else "jpg"))
    said = f"{kept} of {candidates} tiles are left by ROIs and QC: {output}"
    Console().print(said, highlight=False, markup=False, soft_wrap=True)
