"""``slidekit export``: tiles of TFRecords into the formats of other training stacks."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.text import Text

from slidekit.cli.bars import make_progress

if TYPE_CHECKING:
    from slidekit.export import ExportResult

__all__ = ["export"]

_INTERRUPTED = 130
_SIZE_HINT = "--tile-px, --tile-um"


def export(
    folder: Annotated[
        Path,
        typer.Argument(help="Project, or any folder with TFRecords.", metavar="FOLDER", exists=True, file_okay=False),
    ],
    to: Annotated[str, typer.Option("--to", help="webdataset, zarr or parquet.", metavar="FORMAT")],
    dest: Annotated[Path, typer.Option("--dest", help="Folder to make.", metavar="PATH")],
    tile_px: Annotated[
        int | None, typer.Option("--tile-px", help="Edge of a tile in pixels, if there are several.", metavar="N")
    ] = None,
    tile_um: Annotated[
        list[str] | None,
        typer.Option(
            "--tile-um",
            help="Edge in microns, or a magnification such as 10x; of concentric tiles all, in their order.",
            metavar="TEXT",
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option("--labels", help="Column of the annotations, or a table (CSV, parquet).", metavar="TEXT"),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--column", help="Column of the annotations that goes along. Repeatable.", metavar="TEXT"),
    ] = None,
    annotations: Annotated[
        Path | None,
        typer.Option("--annotations", help="CSV, where there is no project.", metavar="PATH", exists=True),
    ] = None,
    shard_mb: Annotated[
        float | None, typer.Option("--shard-mb", help="Begin a new file at this size, 10⁶ bytes.", metavar="X")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", metavar="", help="Replace an earlier export.")] = False,
) -> None:
    """Write tiles as WebDataset, zarr or parquet, for other training stacks."""
    console = Console()
    progress = make_progress(console)
    task = progress.add_task("tiles", total=None)
    size = _tile_size(folder, tile_px, tile_um)
    options: dict[str, Any] = {"labels": labels, "columns": columns or (), "shard_mb": shard_mb, "overwrite": overwrite}
    options["on_progress"] = lambda _, done, total: progress.update(task, completed=done, total=total)
    started = time.monotonic()
    try:
        with progress:
            if _is_project(folder):
                if annotations is not None:
                    raise typer.BadParameter("a project has annotations of its own", param_hint="--annotations")
                result = _export_project(folder, size, to, dest, options)
            else:
                result = _export_folder(folder, size, to, dest, annotations, options)
    except KeyboardInterrupt:
        Console(stderr=True).print("Interrupted. Nothing was written.")
        raise typer.Exit(_INTERRUPTED) from None
    _show(console, result, seconds=time.monotonic() - started)


def _is_project(folder: Path) -> bool:
    return (folder / "settings.json").is_file()


def _export_project(folder: Path, size: str, to: Any, dest: Path, options: Mapping[str, Any]) -> ExportResult:
    from slidekit.dataset.record_folders import read_tile_size
    from slidekit.project import load_project

    px_um = read_tile_size(size)
    if px_um is None:
        raise typer.BadParameter(f"{size} is not named after a size of tile", param_hint="FOLDER")
    return load_project(folder).dataset(*px_um).export(to, dest, **options)


def _export_folder(
    folder: Path, size: str, to: Any, dest: Path, annotations: Path | None, options: Mapping[str, Any]
) -> ExportResult:
    from slidekit.annotations import Annotations, manifest_of_slides
    from slidekit.dataset.exporting import export_records
    from slidekit.dataset.record_folders import records_by_size

    paths = records_by_size(folder)[size]
    if annotations is None:
        _check_without_annotations(options)
        return export_records(paths, manifest_of_slides(path.stem for path in paths), to, dest, **options)
    return export_records(paths, Annotations.read(annotations), to, dest, **options)


def _check_without_annotations(options: Mapping[str, Any]) -> None:
    """Refuse columns where there is no table that could have them: a folder knows no more than its slides' names."""
    labels = options["labels"]
    is_column = labels is not None and Path(labels).suffix.lower() not in (".csv", ".parquet")
    names = [*([labels] if is_column else []), *options["columns"]]
    if unknown := [name for name in names if name not in ("patient", "slide")]:
        what = f"{', '.join(unknown)}: a folder without a project has no annotations; give --annotations"
        raise typer.BadParameter(what, param_hint="--labels" if is_column else "--column")


def _tile_size(folder: Path, tile_px: int | None, tile_um: list[str] | None) -> str:
    """Name of the folder of the size of tile that is meant."""
    from slidekit.dataset.record_folders import records_by_size
    from slidekit.units import tile_size_label

    if (tile_px is None) != (tile_um is None):
        raise typer.BadParameter("give both or neither", param_hint=_SIZE_HINT)
    sizes = _sizes_of_project(folder) if _is_project(folder) else list(records_by_size(folder))
    if not sizes:
        raise typer.BadParameter(f"there are no TFRecords in {folder}", param_hint="FOLDER")
    there = f"there are {', '.join(sizes)}"
    if tile_px is not None and tile_um is not None:
        size = tile_size_label(tile_px, tile_um)
        if size not in sizes:
            raise typer.BadParameter(f"there are no tiles of {size}; {there}", param_hint=_SIZE_HINT)
        return size
    if len(sizes) > 1:
        raise typer.BadParameter(f"{there}; say which", param_hint=_SIZE_HINT)
    return sizes[0]


def _sizes_of_project(folder: Path) -> list[str]:
    from slidekit.dataset.record_folders import records_by_size
    from slidekit.project import load_project

    homes = {source.tfrecords for source in load_project(folder).dataset().sources if source.tfrecords is not None}
    return sorted({size for home in homes for size in records_by_size(home)})


def _show(console: Console, result: ExportResult, *, seconds: float) -> None:
    counted = f"{result.tiles} tiles of {result.slides} slides"
    files = f"{result.files} file{'' if result.files == 1 else 's'}"
    console.print(Text(f"{counted}: {files}, {decimal(result.size)} in {seconds:.1f} s"))
    if result.unlabeled:
        console.print(Text(f"{result.unlabeled} tiles have no label and were left out", "yellow"))
    # One line, however long: it is there to be copied.
    console.print(Text.assemble(("exported:", "bold"), f" {result.dest}"), soft_wrap=True)
