"""Folders that appear whole: what is exported takes its name when all of it is written."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from slidekit.errors import DatasetError
from slidekit.io.atomic import is_private_part, private_part
from slidekit.io.lock import LOCK, take_lock
from slidekit.wording import some_of

__all__ = ["FACTS_NAME", "FILES_KEY", "check_free", "folder_size", "list_files", "whole_folder"]

_log = logging.getLogger("slidekit")

FACTS_NAME = "_export.json"
"""What stands beside the tiles. Readers of parquet pass over names that begin with an underscore."""

FILES_KEY = "files"
"""Under which the files of an export are listed there: only these are ever replaced."""

_OLD = ".old"
"""Suffix of an earlier export between the two renames."""

_ANOTHER = "Choose another dest."


@contextmanager
def whole_folder(dest: Path, *, overwrite: bool, sources: Sequence[Path] = ()) -> Iterator[Path]:
    """Make a folder that takes its name only when the block ends without an error.

    Parameters
    ----------
    dest
        Final name.
    overwrite
        Replace what an earlier export has left there, at the end and in two renames; nothing else is ever
        replaced or removed.
    sources
        Files that are read meanwhile, which must not lie in `dest`.

    Yields
    ------
    Path
        A new, empty folder beside it.

    Raises
    ------
    DatasetError
        If there is something else than an export under the final name, a source is in it, or another run is at the
        same; or the folder that it shall lie in does not exist.
    OSError
        If the folder cannot be written.
    """
    check_free(dest, overwrite=overwrite, sources=sources)
    with _only_run(dest) as part:
        check_free(dest, overwrite=overwrite, sources=sources)
        made = False
        try:
            part.mkdir()
            made = True
            yield part
            _sync(part)
            check_free(dest, overwrite=overwrite, sources=sources)  # hours may have passed
            _publish(part, dest)
        except BaseException:
            # Whatever went wrong, an interrupt included: leave no half export behind.
            if made:
                shutil.rmtree(part, ignore_errors=True)
            raise


@contextmanager
def _only_run(dest: Path) -> Iterator[Path]:
    """Be the only one who makes a folder; gives the name that it has until then, which stands in the lock."""
    lock_path = dest.with_name(dest.name + LOCK)
    earlier = _note_of(lock_path)
    part = private_part(dest)
    lock = take_lock(lock_path, part.name)
    if lock is None:
        what = "is being made by another run of slidekit."
        raise DatasetError(what, mend="Wait until it has ended, or choose another dest.", path=dest)
    with lock:
        if lock.was_abandoned and earlier is not None:
            # Of a run that was killed, which said there what it calls its folder.
            shutil.rmtree(dest.with_name(earlier), ignore_errors=True)
            if (old := dest.with_name(earlier).with_suffix(_OLD)).is_dir() and not os.path.lexists(dest):
                old.rename(dest)
        yield part


def _note_of(lock: Path) -> str | None:
    """Name of the unfinished folder in a lock, whoever holds it or does no more."""
    try:
        note = json.loads(lock.read_bytes())["note"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    begins = lock.name.removesuffix(LOCK) + "."
    return note if isinstance(note, str) and note.startswith(begins) and is_private_part(note) else None


def list_files(folder: Path) -> list[str]:
    """Files in a folder and those below it, by their paths from there, sorted; a link counts as a file."""
    found: list[str] = []
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        found += [(Path(place) / name).relative_to(folder).as_posix() for name in (*names, *links)]
    return sorted(found)


def folder_size(folder: Path) -> tuple[int, int]:
    """Count the files in a folder and those below it, and their bytes."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return len(sizes), sum(sizes)


def check_free(dest: Path, *, overwrite: bool, sources: Sequence[Path] = ()) -> None:
    """Make sure that an export may take a name; parameters and errors are those of `whole_folder`."""
    if not dest.parent.is_dir():
        raise DatasetError("is no folder to export into.", mend="Make it, or correct dest.", path=dest.parent)
    if not os.path.lexists(dest):
        return
    if not overwrite:
        raise DatasetError("exists already.", mend="Choose another dest, or give overwrite.", path=dest)
    if dest.is_symlink() or not dest.is_dir():
        raise DatasetError("is no export of slidekit, and is not replaced.", mend=_ANOTHER, path=dest)
    real = dest.resolve()
    for source in sources:
        if source.resolve().is_relative_to(real):
            what = f"holds what is to be exported, {source}, and is not replaced."
            raise DatasetError(what, mend=_ANOTHER, path=dest)
    written, there = _written(dest), list_files(dest)
    if written is None and next(dest.iterdir(), None) is not None:
        raise DatasetError("is no export of slidekit, and is not replaced.", mend=_ANOTHER, path=dest)
    if foreign := sorted({*there, *_empty_folders(dest)} - (written or frozenset())):
        raise DatasetError(
            f"holds what the earlier export has not written: {some_of(foreign, 3)}.",
            mend="Move it away, or choose another dest.",
            path=dest,
        )


def _written(folder: Path) -> frozenset[str] | None:
    """Files that an export wrote, as it says itself, a zarr group in its attributes; None if a folder is none."""
    for name in (FACTS_NAME, "zarr.json"):
        try:
            content = json.loads((folder / name).read_bytes())
        except (OSError, ValueError, RecursionError):
            continue
        facts = content.get("attributes", content) if isinstance(content, dict) else None
        if isinstance(facts, dict) and "slidekit_version" in facts:
            files = facts.get(FILES_KEY, [])
            return frozenset({name, *map(str, files)}) if isinstance(files, list) else frozenset({name})
    return None


def _empty_folders(folder: Path) -> list[str]:
    return [
        Path(place).relative_to(folder).as_posix()
        for place, folders, names in os.walk(folder)
        if not folders and not names and Path(place) != folder
    ]


def _publish(part: Path, dest: Path) -> None:
    old = part.with_suffix(_OLD)
    try:
        if dest.exists():
            dest.rename(old)
        part.rename(dest)
    except BaseException:
        # Ctrl-C may come between the two.
        if old.exists() and not dest.exists():
            old.rename(dest)
        raise
    _sync_folder(dest.parent)
    _remove_old(old)


def _remove_old(old: Path) -> None:
    """Remove an earlier export; what somebody has put into it in this moment stays, and is named in the log."""
    try:
        for name in (_written(old) or frozenset()) & set(list_files(old)):
            (old / name).unlink()
        for place, _, _ in os.walk(old, topdown=False):
            if not any(Path(place).iterdir()):
                Path(place).rmdir()
    except OSError as error:
        _log.warning("%s cannot be removed: %s", old, error.strerror)
        return
    if old.exists():
        _log.warning("%s holds files that are no part of an export, and stays", old)


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
