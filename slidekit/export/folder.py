"""Folders that appear whole: what is exported takes its name when all of it is written."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from slidekit.errors import DatasetError
from slidekit.io.atomic import PART

__all__ = ["FACTS_NAME", "folder_size", "whole_folder"]

FACTS_NAME = "_export.json"
"""What stands beside the tiles. Readers of parquet pass over names that begin with an underscore."""

_ANOTHER = "Choose another dest."


@contextmanager
def whole_folder(dest: Path, *, overwrite: bool) -> Iterator[Path]:
    """Make a folder that takes its name only when the block ends without an error.

    Parameters
    ----------
    dest
        Final name.
    overwrite
        Replace what an earlier export has left there, at the end and in two renames; nothing else is ever
        replaced.

    Yields
    ------
    Path
        A new, empty folder beside it.

    Raises
    ------
    DatasetError
        If there is something under the final name, or the folder that it shall lie in does not exist.
    OSError
        If the folder cannot be written.
    """
    _check_free(dest, overwrite=overwrite)
    part = dest.with_name(f"{dest.name}.{uuid.uuid4().hex[:8]}{PART}")
    part.mkdir()
    try:
        yield part
        _sync(part)
        _check_free(dest, overwrite=overwrite)  # hours may have passed
        _publish(part, dest)
    except BaseException:
        # Whatever went wrong, an interrupt included: leave no half export behind.
        shutil.rmtree(part, ignore_errors=True)
        raise


def folder_size(folder: Path) -> tuple[int, int]:
    """Count the files in a folder and those below it, and their bytes."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return len(sizes), sum(sizes)


def _check_free(dest: Path, *, overwrite: bool) -> None:
    if not dest.parent.is_dir():
        raise DatasetError("is no folder to export into.", mend="Make it, or correct dest.", path=dest.parent)
    if not os.path.lexists(dest):
        return
    if not overwrite:
        raise DatasetError("exists already.", mend="Choose another dest, or give overwrite.", path=dest)
    if dest.is_symlink() or not dest.is_dir() or not (_is_export(dest) or _is_empty(dest)):
        raise DatasetError("is no export of slidekit, and is not replaced.", mend=_ANOTHER, path=dest)


def _is_empty(folder: Path) -> bool:
    return next(folder.iterdir(), None) is None


def _is_export(folder: Path) -> bool:
    """Whether a folder was exported: it says so itself, a zarr group among its attributes."""
    for name in (FACTS_NAME, "zarr.json"):
        try:
            content = json.loads((folder / name).read_bytes())
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(content, dict) and isinstance(content.get("attributes", content), dict):
            return "slidekit_version" in content.get("attributes", content)
    return False


def _publish(part: Path, dest: Path) -> None:
    old = part.with_suffix(".old")
    if dest.exists():
        dest.rename(old)
    try:
        part.rename(dest)
    except OSError:
        if old.exists():
            old.rename(dest)
        raise
    _sync_folder(dest.parent)
    shutil.rmtree(old, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Make sure that all is on disk before it takes its name."""
    for place, _, names in os.walk(folder):
        for name in names:
            with (Path(place) / name).open("rb") as file:
                os.fsync(file.fileno())
        _sync_folder(Path(place))


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
