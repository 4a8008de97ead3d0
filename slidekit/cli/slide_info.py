"""What `slidekit info` prints of a slide and its regions of interest."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from slidekit.errors import MissingMPPError
from slidekit.io.url import refuse_remote
from slidekit.pixels.discovery import slide_name
from slidekit.pixels.mpp import settle_mpp
from slidekit.pixels.readers import SlideReader, open_slide
from slidekit.slide.roi import ROISet, find_roi_file, load_rois

__all__ = ["show_slide"]


def show_slide(console: Console, path: Path, *, rois: Path | None = None, mpp: float | None = None) -> bool:
    """Print a slide's facts; with `rois`, what the file of regions holds and everything that is wrong in it.

    Parameters
    ----------
    console
        Where to print.
    path
        The slide.
    rois
        File of regions of interest, or a folder that holds the slide's.
    mpp
        µm/px of level 0, over what the file says.

    Returns
    -------
    bool
        Whether the slide can be cut into tiles as it is: its µm/px is known, and regions that were given are usable.
    """
    refuse_remote(path)
    with open_slide(path) as reader:
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        fine = _add_facts(table, path, reader, mpp)
        console.print(table)
        if rois is None:
            return fine
        file = find_roi_file(rois, slide_name(path)) if rois.is_dir() else rois
        if file is None:
            console.print(Text(f"There is no file of regions of {slide_name(path)} in {rois}.", "bold red"))
            return False
        loaded = load_rois(
            file, slide_size=reader.dimensions, bounds_origin=reader.metadata.bounds_origin, roi_origin=None
        )
    _show_rois(console, loaded)
    return fine and len(loaded) > 0


def _add_facts(table: Table, path: Path, reader: SlideReader, given: float | None) -> bool:
    width, height = reader.dimensions
    table.add_row("slide", Text(slide_name(path)))
    table.add_row("format", reader.metadata.vendor)
    table.add_row("reader", reader.name)
    try:
        mpp = settle_mpp(path, reader.metadata, given=given)
    except MissingMPPError as error:
        table.add_row("size", f"{width} × {height} px")
        table.add_row("µm/px", Text(f"{error.message} {error.mend}", "bold red"))
        fine = False
    else:
        table.add_row("size", f"{width} × {height} px, {width * mpp.x / 1e3:.2f} × {height * mpp.y / 1e3:.2f} mm")
        value = f"{mpp.x:.6g}" if mpp.x == mpp.y else f"{mpp.x:.6g} × {mpp.y:.6g}"
        table.add_row("µm/px", f"{value} ({mpp.source})")
        if mpp.doubt:
            table.add_row("", Text(mpp.doubt, "yellow"))
        fine = True
    if reader.metadata.objective_power:
        table.add_row("objective", f"{reader.metadata.objective_power:g}x")
    for number, level in enumerate(reader.levels):
        table.add_row(
            "levels" if number == 0 else "", f"{number}: {level.width} × {level.height}, 1/{level.downsample_x:.5g}"
        )
    return fine


def _show_rois(console: Console, rois: ROISet) -> None:
    console.print()
    labels = ", ".join(rois.labels) or "none"
    console.print(Text(f"{len(rois)} regions of interest; labels: {labels}", "bold"))
    for roi in rois:
        holes = len(roi.polygon.interiors)
        with_holes = f", {holes} hole{'s' if holes > 1 else ''}" if holes else ""
        console.print(Text(f"  {roi.name}: {roi.label or 'no label'}, {roi.polygon.area:.0f} px²{with_holes}"))
    if rois.origin != (0.0, 0.0):
        console.print(f"Coordinates were moved by {rois.origin[0]:g}, {rois.origin[1]:g} px (the slide's bounds).")
    if not rois.problems:
        console.print("No problems found.", style="green")
    for problem in rois.problems:
        console.print(Text(f"  {problem}", "yellow" if problem.kind != "skipped" else "red"))
