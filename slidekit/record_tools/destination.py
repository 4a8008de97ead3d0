"""Where tools write: nothing is replaced unasked, no source is written over, one writer a folder at a time."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from slidekit.errors import RecordError, SpecError
from slidekit.io.atomic import is_private_part
from slidekit.io.lock import LOCK, FileLock, take_lock
from slidekit.io.tfrecord import index_path
from slidekit.record_tools.batch import named_disk_errors
from slidekit.wording import some_of

__all__ = ["check_destination", "check_sources", "no_empty_folders", "writing_into"]

_log = logging.getLogger("slidekit")

_EXTRACTED = "extraction.json"
"""Stands in folders that `slidekit extract` wrote: what else is in them would have no report of its own."""

_LOCK = "extraction" + LOCK
"""That of what stands once in a folder, such as its manifest, which extractions take as well."""

_SECONDS_BETWEEN_LOOKS = 0.1
_SECONDS_UNTIL_TOLD = 5.0


def check_destination(paths: Iterable[Path], *, overwrite: bool) -> None:
    """Make sure, before any work, that files may be written.

    Parameters
    ----------
    paths
        TFRecord files that are about to be written.
    overwrite
        Whether existing ones are replaced.

    Raises
    ------
    RecordError
        If one exists and is not to be replaced; or stands in a folder of an extraction, whose reports would not
        know of it.
    """
    paths = list(paths)
    for folder in dict.fromkeys(path.parent for path in paths):
        if (folder / _EXTRACTED).exists():
            raise RecordError(
                "is a folder of slidekit extract: what other tools write there would have no report.",
                mend="Give another folder as the destination.",
                path=folder,
            )
    there = [path for path in paths if not overwrite and (path.exists() or index_path(path).exists())]
    if there:
        which = f" So do {some_of([path.name for path in there[1:]], 3)}." if len(there) > 1 else ""
        mend = "Give another destination, or overwrite=True, which makes all of them anew."
        raise RecordError(f"exists already.{which}", mend=mend, path=there[0])


def check_sources(pairs: Iterable[tuple[Path, Path]], sources: Iterable[Path] = ()) -> None:
    """Make sure, before any work, that no file is written over what it is made of, and none twice.

    Parameters
    ----------
    pairs
        Source, a file or a folder, and the file that is made of it.
    sources
        Further files that are read.

    Raises
    ------
    SpecError
        If a file to be written is one of those that are read, also by a link; or is to be made of two sources.
    """
    pairs = list(pairs)
    read = {source.resolve(): source for source in (*sources, *(source for source, _ in pairs))}
    inodes = {_inode(source) for source in read} - {None}
    made: dict[Path, Path] = {}
    for source, dest in pairs:
        real = dest.resolve()
        if real in read or _inode(real) in inodes:
            what = f"{dest} would be written over the file that it is made of, or another that is read."
            raise SpecError(what, mend="Give another destination.")
        if real in made:
            what = f"{made[real]} and {source} would both become {dest}."
            raise SpecError(what, mend="Give each a destination of its own.")
        made[real] = source


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def writing_into(folders: Iterable[Path]) -> Iterator[None]:
    """Be the only one who writes into folders; waits while another run does.

    Parameters
    ----------
    folders
        Folders for TFRecords; they are made, and those that are empty at the end are removed again.

    Raises
    ------
    RecordError
        If a lock cannot be written.
    """
    # By the real path: two names of one folder must not wait for each other.
    wanted = sorted({folder.resolve() for folder in folders})
    with no_empty_folders(wanted), ExitStack() as stack:
        for folder in wanted:
            lock = _wait_for(folder)
            stack.enter_context(lock)
            if lock.was_abandoned:
                _remove_parts(folder)
        yield


@contextmanager
def no_empty_folders(folders: Iterable[Path]) -> Iterator[None]:
    """Remove folders, and those above them, at the end that were not there before and are empty."""
    made = {place for folder in folders for place in (folder, *folder.parents) if not place.exists()}
    try:
        yield
    finally:
        for place in sorted(made, key=lambda path: len(path.parts), reverse=True):
            with suppress(OSError):  # not empty, which is what it was made for
                place.rmdir()


def _wait_for(folder: Path) -> FileLock:
    began, is_told = time.monotonic(), False
    while True:
        with named_disk_errors(folder):
            lock = take_lock(folder / _LOCK)
        if lock is not None:
            return lock
        if not is_told and time.monotonic() - began > _SECONDS_UNTIL_TOLD:
            _log.warning("waiting for %s, which writes into %s", _owner(folder / _LOCK), folder)
            is_told = True
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _owner(lock: Path) -> str:
    try:
        content = json.loads(lock.read_bytes())
        return f"process {content['process']} on {content['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another run"


def _remove_parts(folder: Path) -> None:
    """Remove what a run that was killed has left: the names are those of `RecordWriter`, and nobody else writes."""
    for path in _parts(folder):
        with suppress(OSError):
            path.unlink()


def _parts(folder: Path) -> Sequence[Path]:
    kinds = (".tfrecords.", ".index.npz.", "manifest.json.")
    return [
        path
        for path in folder.iterdir()
        if is_private_part(path.name) and any(kind in path.name for kind in kinds) and not path.is_dir()
    ]
