"""Whether an index says where the records of its file are."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import numpy as np

from slidekit.errors import RecordError
from slidekit.extraction.verify.faults import MEND_ACCESS, MEND_FOREIGN, MEND_OURS, Fault
from slidekit.io.tfrecord import RecordIndex, index_path, read_index

__all__ = ["index_faults"]

_MEND_INDEX = "Remove it: Slideflow makes a new one."
_END_SIZE, _END_COUNT_AT = 22, 10
"""Bytes of a ZIP file's last record, and where the number of members stands in it (APPNOTE.TXT, section 4.3.16)."""


def index_faults(tfrecord: Path, truth: RecordIndex | None, *, claimed: bool) -> list[Fault]:
    """Compare an index with the file that it belongs to.

    Parameters
    ----------
    tfrecord
        The TFRecord file.
    truth
        What was found in it; None if it is damaged: then the index needs only be one.
    claimed
        Whether a ``{slide}.json`` says that slidekit made the file: an index must be there then, with locations.
    """
    path = index_path(tfrecord)
    mend = MEND_OURS if claimed else _MEND_INDEX
    if not path.exists():
        return [Fault(path, "is missing.", mend)] if claimed else []
    try:
        index = read_index(path)
        is_whole = _has_all_members(path)
    except RecordError as error:
        # What a disk says has a number; what only looks like it comes of damage.
        is_away = isinstance(error.__cause__, OSError) and error.__cause__.errno is not None
        return [Fault(path, error.message, MEND_ACCESS if is_away else mend)]
    except OSError as error:
        return [Fault(path, f"cannot be read: {error.strerror or type(error).__name__}.", MEND_ACCESS)]
    if not is_whole:
        return [Fault(path, "is damaged: it does not hold what its own table of contents says.", mend)]
    if claimed and index.locations is None:
        return [Fault(path, "has no locations of tiles.", mend)]
    if truth is None:
        return []
    if not claimed and len(truth) < len(index) and np.array_equal(index.extents[: len(truth)], truth.extents):
        what = f"ends after {len(truth)} records, where its index lists {len(index)}: it is cut off."
        return [Fault(tfrecord, what, MEND_FOREIGN)]
    difference = _difference(index, truth)
    return [Fault(path, difference, mend)] if difference else []


def _has_all_members(path: Path) -> bool:
    """Whether an ``.npz`` holds as many members as it says: damage can hide one in the comment of another."""
    try:
        with zipfile.ZipFile(path) as archive:
            members, comment = len(archive.namelist()), len(archive.comment)
        with path.open("rb") as file:
            file.seek(-_END_SIZE - comment, 2)
            (count,) = struct.unpack_from("<H", file.read(_END_SIZE), _END_COUNT_AT)
    except (zipfile.BadZipFile, struct.error, ValueError):
        return False
    return bool(members == count)


def _difference(index: RecordIndex, truth: RecordIndex) -> str | None:
    if len(index) != len(truth):
        return f"is not the index of this file: it lists {len(index)} records, the file holds {len(truth)}."
    if (number := _first_difference(index.extents, truth.extents)) is not None:
        said, found = index.extents[number], truth.extents[number]
        return (
            f"is not the index of this file: record {number} has {found[1]} bytes from byte {found[0]}, not {said[1]}"
            f" from {said[0]}."
        )
    if index.locations is None or truth.locations is None:
        return None
    if (number := _first_difference(index.locations, truth.locations)) is not None:
        said, found = index.locations[number], truth.locations[number]
        return f"puts the tile of record {number} at ({said[0]}, {said[1]}), the record at ({found[0]}, {found[1]})."
    return None


def _first_difference(one: np.ndarray, other: np.ndarray) -> int | None:
    rows = np.flatnonzero((one != other).any(axis=1))
    return int(rows[0]) if len(rows) else None
