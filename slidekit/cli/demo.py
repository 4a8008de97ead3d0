"""`slidekit demo`: slides drawn, extracted and reported, to see in a minute what slidekit does."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

__all__ = ["demo"]


def demo(
    folder: Annotated[Path, typer.Argument(help="Folder to make the demonstration in.", metavar="FOLDER")] = Path(
        "demo-project"
    ),
) -> None:
    """Draw synthetic slides, extract tiles from them, and write the report."""
    from slidekit.cli.run_progress import RunProgress
    from slidekit.cli.show import report_places, show_results
    from slidekit.demo.slides import draw_demo_slides
    from slidekit.project import create_project, load_project

    console = Console()
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("drawing slides")

        def drawn(name: str, done: int, total: int) -> None:
            progress.update(task, description=f"drawing {name}" if name else "drawn", completed=done, total=total)

        data = draw_demo_slides(folder / "data", on_progress=drawn)
    if (folder / "settings.json").is_file():
        project = load_project(folder)
    else:
        project = create_project(
            folder, slides=data.slides_dir, rois=data.rois_dir, annotations=data.annotations, name="demo"
        )
    dataset = project.dataset(tile_px=256, tile_um=128)
    started, since = time.monotonic(), time.time()
    with RunProgress(console, len(data.slides)) as watch:
        reports = dataset.extract_tiles(qc="both", normalizer="macenko", on_event=watch)
    seconds = time.monotonic() - started
    for slide in data.slides:
        console.print(f"[bold]{slide.name}[/] ({slide.mpp:g} µm/px): {slide.shows}", highlight=False)
    (records,) = dataset.report_dirs()
    places = [("drawn slides", data.slides_dir), *report_places(records, since=since)]
    show_results(console, reports.values(), seconds=seconds, places=places)
    if any(report.status == "failed" for report in reports.values()):
        raise typer.Exit(1)
