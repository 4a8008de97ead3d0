"""Files that appear whole: a name exists only when what it names is complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["PART", "atomic_write", "atomic_write_text", "publish"]

PART = ".part"
"""Suffix of files that are being written."""


@contextmanager
def atomic_write(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only when the block ends without an error.

    Parameters
    ----------
    path
        Final name; an existing file is replaced at the end, in one step.

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
    try:
        with part.open("w+b") as file:
            yield file
        publish(part, path)
    except BaseException:
        # Whatever went wrong, an interrupt included: leave no half file behind.
        part.unlink(missing_ok=True)
        raise


def atomic_write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text so that `path` holds either the old or the whole new content."""
    with atomic_write(path) as file:
        file.write(text.encode("utf-8"))


def publish(part: Path, path: Path) -> None:
    """Give a finished file its final name, durably: fsync of the file, rename, fsync of the folder."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
