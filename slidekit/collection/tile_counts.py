"""How many tiles a TFRecord file holds, found in the cheapest place that says so."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from pathlib import Path
from zipfile import BadZipFile

from slidekit.errors import RecordError

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
        If a file has neither manifest nor index and ends within a record.
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
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {Path(name).name: int(entry["total"]) for name, entry in content.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # A manifest is a convenience: without a usable one the files themselves are asked.
        return {}


def _count_in_index(path: Path) -> int | None:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as arrays:
            return len(arrays["arr_0"])
    except (OSError, ValueError, KeyError, BadZipFile):
        return None


def _count_in_file(path: Path) -> int:
    # TFRecord framing: length (uint64, little endian), its CRC, the record, its CRC.
    size, place, count = path.stat().st_size, 0, 0
    with path.open("rb") as file:
        while place < size:
            file.seek(place)
            head = file.read(_LENGTH_AND_CRC)
            if len(head) == _LENGTH_AND_CRC:
                place += _LENGTH_AND_CRC + struct.unpack("<Q", head[:8])[0] + _CRC
            if len(head) < _LENGTH_AND_CRC or place > size:
                raise RecordError(f"ends within record {count + 1}.", mend="Extract this slide again.", path=path)
            count += 1
    return count
