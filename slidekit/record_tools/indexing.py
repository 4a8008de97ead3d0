"""Indexes and manifests of TFRecords, made from the records themselves; nothing is ever removed."""

from __future__ import annotations

import json
import logging
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from slidekit.errors import RecordError
from slidekit.io.atomic import atomic_write_text, private_part, publish
from slidekit.io.record_scan import are_all_records
from slidekit.io.tfrecord import (
    FRAMING,
    RecordIndex,
    TileRecord,
    index_path,
    iter_records,
    read_index,
    write_index,
)
from slidekit.record_tools.batch import check_stop, for_each, named_disk_errors

__all__ = ["build_indexes", "scan_records", "write_manifest", "write_manifests"]

_log = logging.getLogger("slidekit")


def scan_records(path: Path) -> RecordIndex:
    """Find out where the records of a file are, from end to end, checking every CRC.

    Parameters
    ----------
    path
        A TFRecord file of tiles.

    Returns
    -------
    RecordIndex
        In the order of the file; locations are (0, 0) where a record says none.

    Raises
    ------
    RecordError
        At the first record that is damaged or no tile.
    """
    extents, locations = array("q"), array("q")
    for offset, payload in iter_records(path):
        check_stop()
        record = TileRecord.decode(payload, path=path)
        extents.extend((offset, len(payload) + FRAMING))
        locations.extend((record.loc_x, record.loc_y))
    return RecordIndex(_pairs(extents), _pairs(locations))


def _pairs(numbers: array[int]) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    return np.array(numbers, np.int64).reshape(-1, 2)


def _usable_index(path: Path) -> RecordIndex | None:
    """The index beside a file, with locations; None if there is none, or it is of another file."""
    try:
        index = read_index(index_path(path))
        size = path.stat().st_size
    except (RecordError, OSError):
        return None
    return index if index.locations is not None and are_all_records(index.extents, size) else None


def build_indexes(paths: Sequence[Path], *, force: bool = True, num_workers: int | None = None) -> list[Path]:
    """Write the indexes of TFRecord files.

    Parameters
    ----------
    paths
        The files.
    force
        Make all anew; else only those that are missing, without locations, or of another file by their size.
    num_workers
        Threads; one a core by default.

    Returns
    -------
    list of Path
        The indexes that were written.

    Raises
    ------
    RecordError
        If a file is damaged, when all others are finished; its index stays as it was.
    """

    def work(path: Path) -> Path | None:
        if not force and _usable_index(path) is not None:
            return None
        _replace_index(index_path(path), scan_records(path))
        return index_path(path)

    made = for_each(work, paths, name=lambda path: path.name, num_workers=num_workers)
    return [path for path in made if path is not None]


def _replace_index(path: Path, index: RecordIndex) -> None:
    """Write an index by a name of its own: another process may be at the same."""
    part = private_part(path)
    try:
        with named_disk_errors(path):
            write_index(part, index)
            publish(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_manifest(folder: Path) -> dict[str, int]:
    """Write ``manifest.json``: the number of tiles in each TFRecord file of a folder.

    A file that is damaged or empty stays where it is: it is left out of the manifest, and named in the log.

    Parameters
    ----------
    folder
        Folder of TFRecords.

    Returns
    -------
    dict
        Name of each file to its number of tiles.

    Raises
    ------
    RecordError
        If the manifest cannot be written.
    """
    totals: dict[str, int] = {}
    for path in sorted(folder.glob("*.tfrecords")):
        try:
            count = len(_usable_index(path) or scan_records(path))
        except RecordError as error:
            _log.warning("%s is left out of the manifest: %s", path.name, error.message)
            continue
        if count:
            totals[path.name] = count
        else:
            _log.warning("%s is left out of the manifest: it holds no records", path.name)
    text = json.dumps({name: {"total": count} for name, count in totals.items()}, indent=1, ensure_ascii=False)
    with named_disk_errors(folder / "manifest.json"):
        atomic_write_text(folder / "manifest.json", text + "\n", private=True)
    return totals


def write_manifests(folders: Iterable[Path]) -> None:
    """As `write_manifest`, for each of several folders once.

    Raises
    ------
    RecordError
        If a manifest cannot be written.
    """
    for folder in sorted(set(folders)):
        write_manifest(folder)
