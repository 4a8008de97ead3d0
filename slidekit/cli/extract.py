"""The command that cuts slides into tiles."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from slidekit.cli.options import require_tile_size, spec_options

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from slidekit.extraction.progress import ProgressEvent

__all__ = ["extract"]


@spec_options(
    notes={
        "tile_px": "Required.",
        "tile_um": "Required, unless --tile-mpp is given."
        " Repeatable: concentric tiles of further sizes around those of the first.",
    },
    kinds={"coordinates": Path},
)
def extract(
    project: Annotated[Path, typer.Argument(help="Folder of the project.", metavar="PROJECT")],
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            help="Only slides with this value in an annotations column: site=A. Repeatable.",
            metavar="COLUMN=VALUE",
        ),
    ] = None,
    review: Annotated[
        Path | None,
        typer.Option("--review", help="Leave out the slides that a review.csv excludes.", metavar="PATH", exists=True),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", help="Let the workers of this Dask scheduler do it: tcp://HOST:8786.", metavar="URL"),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard", help="Only the i-th of n parts of the slides, for job arrays: 3/16. No PDF.", metavar="I/N"
        ),
    ] = None,
    cells: Annotated[
        Path | None,
        typer.Option(
            "--cells",
            help="Cut a tile around every cell in this folder of {slide}.cells.zarr, which slidekit cells writes.",
            metavar="PATH",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    apply_masks: Annotated[
        bool,
        typer.Option(
            "--apply-masks/--no-apply-masks",
            metavar="",
            help="With --cells: what is not the cell is black, or stays as it is.",
        ),
    ] = True,
    log: Annotated[
        Path | None, typer.Option("--log", help="Add what happens to this file, as JSON lines.", metavar="PATH")
    ] = None,
    **options: Any,
) -> None:
    """Cut the slides of a project into tiles, and write the report."""
    from slidekit.cli.run_log import RunLog
    from slidekit.cli.run_progress import RunProgress
    from slidekit.cli.show import report_places, show_results
    from slidekit.project import load_project
    from slidekit.slide.spec import ExtractionSpec

    console = Console()
    require_tile_size(options)
    spec = ExtractionSpec.create(**options)
    dataset = load_project(project).dataset(spec.tile_px, spec.sizes, filters=_read_filters(filters))
    if review is not None:
        dataset = dataset.filter(review=review)
    started, since = time.monotonic(), time.time()
    part = None if shard is None else _read_shard(shard)
    with ExitStack() as stack:
        run_log = None if log is None else stack.enter_context(RunLog(log, project, spec, shard))
        executor = None if cluster is None else stack.enter_context(_open_cluster(cluster))
        progress = stack.enter_context(RunProgress(console, _count(dataset.slides(), part)))

        def on_event(event: ProgressEvent) -> None:
            progress(event)
            if run_log is not None:
                run_log.note(event)

        given = {name: value for name, value in options.items() if name not in ("tile_px", "tile_um", "tile_mpp")}
        if cells is not None:
            given |= {"cells": cells, "apply_masks": apply_masks}
        reports = dataset.extract_tiles(on_event=on_event, executor=executor, shard=part, **given)
    seconds = time.monotonic() - started
    written = since if spec.report and part is None else None
    folders = dataset.report_dirs(dry_run=spec.dry_run, save_tfrecords=spec.save_tfrecords)
    places = [place for folder in folders for place in report_places(folder, since=written)]
    show_results(console, reports.values(), seconds=seconds, places=places)
    if any(report.status == "failed" for report in reports.values()):
        raise typer.Exit(1)


def _open_cluster(address: str) -> AbstractContextManager[Executor]:
    from slidekit.extraction.cluster import open_cluster

    return open_cluster(address)


def _read_shard(text: str) -> tuple[int, int]:
    part, slash, parts = text.partition("/")
    if not (slash and part.isascii() and part.isdigit() and parts.isascii() and parts.isdigit()):
        raise typer.BadParameter(f"{text!r} is not i/n, such as 3/16", param_hint="--shard")
    return int(part), int(parts)


def _count(slides: list[str], part: tuple[int, int] | None) -> int:
    from slidekit.collection.jobs import take_shard

    return len(slides if part is None else take_shard(slides, part))


def _read_filters(texts: list[str] | None) -> dict[str, list[str]] | None:
    filters: dict[str, list[str]] = {}
    for text in texts or []:
        column, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r} is not column=value", param_hint="--filter")
        filters.setdefault(column, []).append(value)
    return filters or None
