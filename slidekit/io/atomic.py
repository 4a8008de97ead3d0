"""Files that appear whole: a name exists only when what it names is complete."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["PART", "atomic_write", "atomic_write_text", "is_private_part", "private_part", "publish", "remove_part"]

PART = ".part"
"""Suffix of files that are being written."""

_PRIVATE = re.compile(rf".+\.[0-9a-f]{{8}}{re.escape(PART)}(?:{re.escape(PART)})?", re.DOTALL)


def private_part(path: Path) -> Path:
    """A temporary name beside a final one that nobody else uses: ``{name}.{8 hexadecimal digits}.part``."""
    return path.with_name(f"{path.name}.{secrets.token_hex(4)}{PART}")


def is_private_part(name: str) -> bool:
    """Whether a name is one that `private_part` gives, or that of a file on its way to one."""
    return _PRIVATE.fullmatch(name) is not None


@contextmanager
def atomic_write(
    path: str | Path, *, before: Callable[[], None] | None = None, private: bool = False
) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only when the block ends without an error.

    Parameters
    ----------
    path
        Final name; an existing file is replaced at the end, in one step.
    before
        Called just before the file takes its name; what it raises keeps that from happening.
    private
        Write under a name that nobody else uses. Without, the name is known, so that a later run may clean up after
        one that was killed: who writes must then be the only one who does.

    Yields
    ------
    BinaryIO
        A seekable binary file beside the final name: ``{path}.part``, or as `private_part` says. What a symbolic
        link of that name points at is never written into.

    Raises
    ------
    OSError
        If the file cannot be written; nothing stands under the final name that was not there before.
    """
    path = Path(path)
    part = private_part(path) if private else path.with_name(path.name + PART)
    with _open_part(part, private=private) as file:
        made = os.fstat(file.fileno())
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if before is not None:
                before()
            publish(part, path)
        except BaseException:
            # Whatever went wrong, an interrupt included: leave no half file behind.
            remove_part(part, made)
            raise


def atomic_write_text(
    path: str | Path, text: str, *, before: Callable[[], None] | None = None, private: bool = False
) -> None:
    """Write UTF-8 text so that `path` holds either the old or the whole new content.

    Parameters are those of `atomic_write`.
    """
    with atomic_write(path, before=before, private=private) as file:
        file.write(text.encode("utf-8"))


def _open_part(part: Path, *, private: bool) -> BinaryIO:
    def opener(name: str, flags: int) -> int:
        # Where a link of this name leads is somebody's file.
        return os.open(name, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)

    # Not `Path.open`, which has no opener; and libraries ask a file for its name.
    return open(part, "x+b" if private else "w+b", opener=opener)


def publish(part: Path, path: Path) -> None:
    """Give a file that has been written and synced its final name, durably: rename, fsync of the folder."""
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
        if os.path.samestat(made, part.lstat()):
            part.unlink()
    except FileNotFoundError:
        return
