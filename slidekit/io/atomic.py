"""Files that appear whole: a name exists only when what it names is complete."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["PART", "atomic_write", "atomic_write_text", "remove_part"]

PART = ".part"
"""Suffix of files that are being written."""


@contextmanager
def atomic_write(path: str | Path, *, before: Callable[[], None] | None = None) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only when the block ends without an error.

    Parameters
    ----------
    path
        Final name; an existing file is replaced at the end, in one step.
    before
        Called just before the file takes its name; what it raises keeps that from happening.

    Yields
    ------
    BinaryIO
        A seekable binary file ``{path}.part`` beside the final name.

    Raises
    ------
    OSError
        If the file cannot be written; nothing stands under the final name that was not there before.
    """
    path = Path(path)
    part = path.with_name(path.name + PART)
    with part.open("w+b") as file:
        made = part.stat()
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if before is not None:
                before()
            _publish(part, path)
        except BaseException:
            # Whatever went wrong, an interrupt included: leave no half file behind.
            remove_part(part, made)
            raise


def atomic_write_text(path: str | Path, text: str, *, before: Callable[[], None] | None = None) -> None:
    """Write UTF-8 text so that `path` holds either the old or the whole new content; `before` as for `atomic_write`."""
    with atomic_write(path, before=before) as file:
        file.write(text.encode("utf-8"))


def _publish(part: Path, path: Path) -> None:
    """Give a file that has been synced its final name, durably: rename, fsync of the folder."""
    part.replace(path)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def remove_part(part: Path, made: os.stat_result) -> None:
    """Remove a temporary file, if it is still the one that was `made`: another run may have begun it anew."""
    try:
        if os.path.samestat(made, part.stat()):
            part.unlink()
    except FileNotFoundError:
        return
