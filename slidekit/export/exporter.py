"""The one function that exports, whatever the format."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from slidekit import __version__
from slidekit.errors import DatasetError, RecordError, SpecError
from slidekit.export.base import ExportOptions, OnProgress, TileSource
from slidekit.export.folder import FACTS_NAME, FILES_KEY, folder_size, list_files, whole_folder
from slidekit.export.parquet import COLUMNS, write_parquet
from slidekit.export.webdataset import write_webdataset
from slidekit.export.zarr import list_in_zarr, write_zarr
from slidekit.io.atomic import atomic_write_text

__all__ = ["FORMATS", "ExportFormat", "ExportResult", "export_tiles"]

ExportFormat = Literal["webdataset", "zarr", "parquet"]

_Write = Callable[[TileSource, Path, ExportOptions, OnProgress | None], int]

_WRITERS: dict[ExportFormat, _Write] = {
    "webdataset": write_webdataset,
    "zarr": write_zarr,
    "parquet": write_parquet,
}
FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)


@dataclass(frozen=True)
class ExportResult:
    """What was exported.

    Attributes
    ----------
    dest
        The folder.
    slides, tiles
        How many slides (TFRecord files) and tiles were written.
    unlabeled
        Number of tiles that were left out because they have no label.
    files, size
        Number of files, and their bytes.
    """

    dest: Path
    slides: int
    tiles: int
    unlabeled: int
    files: int
    size: int


def export_tiles(
    source: TileSource,
    to: ExportFormat,
    dest: Path,
    options: ExportOptions | None = None,
    *,
    on_progress: OnProgress | None = None,
) -> ExportResult:
    """Write tiles into a folder of another format, which exists only when it is complete.

    Parameters
    ----------
    source
        The tiles.
    to
        ``webdataset``, ``zarr`` or ``parquet``.
    dest
        The folder; the one that it lies in must exist.
    options
        Sizes, and whether an earlier export is replaced.
    on_progress
        Called with the slide at work, the number of tiles done and their total.

    Raises
    ------
    SpecError
        If the format is unknown, a size is not positive, or a column has the name of one that every export has.
    DatasetError
        If there are no tiles, two files are of one name, or there is something at `dest`: with `overwrite`, something
        else than what an earlier export wrote.
    MissingExtraError
        If the format's library is not installed.
    RecordError
        If a record is damaged, or the disk is full; `dest` is as it was then.
    """
    options = options or ExportOptions()
    _check(source, to, options)
    facts = {
        "slidekit_version": __version__,
        "format": to,
        **source.facts,
        **({"classes": list(source.classes)} if source.label_kind == "class" else {}),
    }
    source = replace(source, facts=facts)
    dest = dest.expanduser().absolute()
    paths = [slide.path for slide in source.slides]
    try:
        with whole_folder(dest, overwrite=options.overwrite, sources=paths) as folder:
            tiles = _WRITERS[to](source, folder, options, on_progress)
            if tiles == 0:
                raise DatasetError("No tile has a label.", mend="Check labels.")
            if to == "zarr":  # in which all that is not zarr's own is warned about
                list_in_zarr(folder)
            else:
                written = {FILES_KEY: list_files(folder)}
                text = json.dumps({**facts, "tiles": tiles, **written}, indent=2, ensure_ascii=False)
                atomic_write_text(folder / FACTS_NAME, f"{text}\n")
        files, size = folder_size(dest)
    except OSError as error:
        what = f"the export cannot be written: {error.strerror or error}."
        raise RecordError(what, mend="Check the disk, and who may write there.", path=dest) from error
    return ExportResult(dest, len(source.slides), tiles, source.left_out + source.total - tiles, files, size)


def _check(source: TileSource, to: ExportFormat, options: ExportOptions) -> None:
    if to not in _WRITERS:
        raise SpecError(f"{to!r} is no format to export to.", mend=f"There are: {', '.join(FORMATS)}.")
    if options.shard_mb is not None and not 0 < options.shard_mb < math.inf:
        raise SpecError(f"shard_mb={options.shard_mb!r} is not a size.", mend="Give megabytes, such as 500.")
    if taken := sorted(set(source.annotations) & set(COLUMNS)):
        raise SpecError(
            f"Columns of the annotations cannot go along under the names {', '.join(taken)}.",
            mend="patient and slide always go along; rename the others.",
        )
    if source.total == 0:
        raise DatasetError("There are no tiles to export.", mend="Run extract_tiles, or check the filters.")
    seen: dict[str, Path] = {}
    for slide in source.slides:
        if slide.slide in seen:
            raise DatasetError(
                f"is of the same slide as {seen[slide.slide]}.", mend="Export one of them.", path=slide.path
            )
        seen[slide.slide] = slide.path
