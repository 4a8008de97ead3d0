"""How many tiles a TFRecord file holds, found in the cheapest place that says so."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

from slidekit.errors import RecordError
from slidekit.io.user_file import check_regular, parse_json, read_bytes

__all__ = ["count_tiles"]

_LENGTH_AND_CRC = 12
_CRC = 4


def count_tiles(paths: Iterable[Path]) -> dict[Path, int]:
    """Count the records of TFRecord files, slidekit's or Slideflow's.

    The ``manifest.json`` beside a file is believed first, then the file's index, then the file itself.

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
    for path in paths:
        folder = path.parent
        if folder not in manifests:
            manifests[folder] = _read_manifest(folder / "manifest.json")
        count = manifests[folder].get(path.name)
        if count is None:
            count = _count_in_index(path.with_name(f"{path.stem}.index.npz"))
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


def _count_in_index(path: Path) -> int | None:
    from slidekit.io.record_index import read_index

    try:
        return len(read_index(path))
    except RecordError:
        return None


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
