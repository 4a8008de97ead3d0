"""How many tiles a TFRecord file holds, found in the cheapest place that says so."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from slidekit.errors import RecordError
from slidekit.io.index_layout import IndexReader
from slidekit.io.user_file import check_regular, parse_json, read_bytes

__all__ = ["count_tiles"]

_LENGTH_AND_CRC = 12
_CRC = 4

_SCRATCH = 1 << 14
"""Records for which memory is used again and again."""


def count_tiles(paths: Iterable[Path]) -> dict[Path, int]:
    """Count the records of TFRecord files, slidekit's or Slideflow's.

    An index beside a file that fits it is believed first, as loaders do, then ``manifest.json``, which an extraction
    or another tool may have left behind, then the file itself.

    Parameters
    ----------
    paths
        TFRecord files.

    Raises
    ------
    RecordError
        If a file has neither manifest nor index and ends within a record, or cannot be read.
    """
    manifests: dict[Path, dict[str, int]] = {}
    counts = {}
    reader, scratch = IndexReader(), np.empty((_SCRATCH, 2), np.int64)
    for path in paths:
        count = _count_in_index(path, reader, scratch)
        folder = path.parent
        if count is None:
            if folder not in manifests:
                manifests[folder] = _read_manifest(folder / "manifest.json")
            count = manifests[folder].get(path.name)
        counts[path] = _count_in_file(path) if count is None else count
    return counts


def _read_manifest(path: Path) -> dict[str, int]:
    """Counts by the name of the file; what is no count is left out, for a manifest is a convenience."""
    try:
        text = read_bytes(path, error=RecordError).decode("utf-8")
        content = parse_json(text, path=path, error=RecordError, mend="")
    except (RecordError, UnicodeDecodeError):
        return {}
    counts: dict[str, int] = {}
    for name, entry in content.items() if isinstance(content, dict) else ():
        total = entry.get("total") if isinstance(entry, dict) else None
        if isinstance(total, int) and not isinstance(total, bool) and total >= 0:
            counts[Path(name).name] = total
    return counts


def _count_in_index(path: Path, reader: IndexReader, scratch: npt.NDArray[np.int64]) -> int | None:
    """Records of an index that fits its file, whatever it is called in the versions of Slideflow."""
    from slidekit.io.index_bulk import index_text
    from slidekit.io.legacy_index import read_any_index
    from slidekit.io.record_scan import are_all_records

    try:
        size = path.stat().st_size
    except OSError:
        return None  # counting in the file says what is wrong
    extents = reader.read_extents(index_text(str(path)), scratch)
    if extents is None or not are_all_records(extents, size):
        index = read_any_index(path, size)
        return None if index is None else len(index)
    return len(extents)


def _count_in_file(path: Path) -> int:
    # TFRecord framing: length (uint64, little endian), its CRC, the record, its CRC.
    size, place, count = check_regular(path, error=RecordError), 0, 0
    try:
        with path.open("rb") as file:
            while place < size:
                file.seek(place)
                head = file.read(_LENGTH_AND_CRC)
                if len(head) == _LENGTH_AND_CRC:
                    place += _LENGTH_AND_CRC + struct.unpack("<Q", head[:8])[0] + _CRC
                if len(head) < _LENGTH_AND_CRC or place > size:
                    what = f"ends within record {count + 1}."
                    raise RecordError(what, mend="Extract this slide again.", path=path)
                count += 1
    except OSError as error:
        what = f"cannot be read: {error.strerror or error}."
        raise RecordError(what, mend="Check the path and the permissions.", path=path) from error
    return count
