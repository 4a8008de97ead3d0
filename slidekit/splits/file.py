"""``splits.json``: splits that were made, for people to read and for later runs to use again.

A list with an entry a split. Ours says who trains and who validates, patient by patient; Slideflow's entries list
slides under ``tfrecords``, by ``training`` and ``validation`` or by ``k-fold-1``, ``k-fold-2``…, each of which
validates once. Entries are added, and never changed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from slidekit.errors import DatasetError
from slidekit.io.atomic import atomic_write_text
from slidekit.io.lock import LOCK, FileLock, take_lock
from slidekit.io.user_file import parse_json, read_bytes

__all__ = ["locked", "read_entries", "write_entries"]

_MEND = "Mend the file or move it away."
_WIDTH = 100
_SECONDS = 60.0


def read_entries(path: Path) -> list[dict[str, Any]]:
    """Entries of a file; none if there is no file.

    Raises
    ------
    DatasetError
        If it cannot be read, or is no list of objects.
    """
    if not path.exists():
        return []
    try:
        text = read_bytes(path, error=DatasetError).decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise DatasetError("is not UTF-8 text.", mend=_MEND, path=path) from problem
    content = parse_json(text, path=path, error=DatasetError, mend=_MEND, damaged="is not JSON")
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise DatasetError("is no list of splits.", mend=_MEND, path=path)
    return content


def write_entries(path: Path, entries: Sequence[Mapping[str, Any]]) -> None:
    """Write a file in one step.

    Raises
    ------
    DatasetError
        If it cannot be written.
    """
    try:
        atomic_write_text(path, f"{_text(list(entries))}\n")
    except OSError as error:
        raise _unwritable(path, error) from error


def locked(path: Path) -> FileLock:
    """Hold a file of splits against other jobs, which wait.

    Raises
    ------
    DatasetError
        If another job holds it for a minute, or its folder cannot be written to.
    """
    place, end = path.with_name(path.name + LOCK), time.monotonic() + _SECONDS
    while time.monotonic() < end:
        try:
            lock = take_lock(place, "a split is being saved")
        except OSError as error:
            raise _unwritable(path, error) from error
        if lock is not None:
            return lock
        time.sleep(0.2)
    raise DatasetError("is held by another run.", mend=f"Wait for it, or remove {place.name}.", path=path)


def _unwritable(path: Path, error: OSError) -> DatasetError:
    return DatasetError(
        f"cannot be written: {error.strerror or error}.", mend="Give another splits=, or read_only=True.", path=path
    )


def _text(value: Any, indent: str = "") -> str:
    """JSON in which what fits into a line stands in one."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) <= _WIDTH - len(indent) or not isinstance(value, dict | list | tuple) or not value:
        return line
    inner = f"{indent}  "
    parts: Iterable[str]
    if isinstance(value, dict):
        parts = (f"{json.dumps(key, ensure_ascii=False)}: {_text(item, inner)}" for key, item in value.items())
    else:
        parts = (_text(item, inner) for item in value)
    left, right = "{}" if isinstance(value, dict) else "[]"
    return f"{left}\n{inner}" + f",\n{inner}".join(parts) + f"\n{indent}{right}"
