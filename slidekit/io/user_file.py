"""Files that people hand in: read whole, within a limit, and parsed; what is wrong with one is an error with a mend."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from slidekit.errors import SlidekitError

__all__ = ["MAX_BYTES", "check_regular", "parse_json", "read_bytes"]

MAX_BYTES = 1 << 29
"""Size from which a file of text is refused: nobody has typed or drawn that much."""

_CHECK = "Check the path and the permissions."


def check_regular(path: Path, *, error: type[SlidekitError], what: str = "The file", mend: str = _CHECK) -> int:
    """Make sure that a path leads to a regular file: to open a pipe is to wait for whoever writes into it.

    Parameters
    ----------
    path
        The file.
    error
        What to raise.
    what
        Subject of the message.
    mend
        What the user can do.

    Returns
    -------
    int
        Its size, bytes.

    Raises
    ------
    SlidekitError
        Of the kind `error`, if it is not a regular file or cannot be looked at.
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as problem:
        raise _unreadable(path, problem, error, what, mend) from problem
    if stat.S_ISDIR(found.st_mode):
        raise error(f"{what} cannot be read: it is a folder.", mend=mend, path=path)
    if not stat.S_ISREG(found.st_mode):
        raise error(f"{what} cannot be read: it is a pipe, a socket or a device.", mend=mend, path=path)
    return found.st_size


def read_bytes(
    path: str | Path,
    *,
    error: type[SlidekitError],
    what: str = "The file",
    mend: str = _CHECK,
    limit: int = MAX_BYTES,
    too_large: str = "Give the file that was meant.",
) -> bytes:
    """Read a file of bounded size.

    Parameters
    ----------
    path
        The file.
    error
        What to raise.
    what
        Subject of the message.
    mend
        What the user can do where the file cannot be read.
    limit
        Largest size, bytes.
    too_large
        What the user can do about a larger one.

    Raises
    ------
    SlidekitError
        Of the kind `error`, if it cannot be read or is larger.
    """
    path = Path(path)
    size = check_regular(path, error=error, what=what, mend=mend)
    if size > limit:
        message = f"{what} has {size >> 20} MiB, over the limit of {limit >> 20} MiB."
        raise error(message, mend=too_large, path=path)
    try:
        return path.read_bytes()
    except OSError as problem:
        raise _unreadable(path, problem, error, what, mend) from problem


def _unreadable(
    path: Path, problem: OSError | ValueError, error: type[SlidekitError], what: str, mend: str
) -> SlidekitError:
    # A path with a NUL byte is a ValueError, which has no strerror.
    why = getattr(problem, "strerror", None) or str(problem)
    return error(f"{what} cannot be read: {why}.", mend=mend, path=path)


def parse_json(
    text: str,
    *,
    path: Path,
    error: type[SlidekitError],
    mend: str,
    damaged: str = "The JSON is damaged",
    on_repeat: Callable[[str], None] | None = None,
) -> Any:
    """Parse JSON of any depth and content.

    Parameters
    ----------
    text
        Content of the file.
    path
        The file, for messages.
    error
        What to raise.
    mend
        What the user can do.
    damaged
        How the message begins.
    on_repeat
        Told of each key that stands twice in one object, where the last one counts.

    Raises
    ------
    SlidekitError
        Of the kind `error`, with the line where it is known.
    """
    hook = None if on_repeat is None else _telling(on_repeat)
    try:
        return json.loads(text, object_pairs_hook=hook)
    except json.JSONDecodeError as problem:
        raise error(f"{damaged}: {problem.msg}.", mend=mend, path=path, line=problem.lineno) from problem
    except (RecursionError, ValueError) as problem:
        what = f"{damaged}: it is nested too deep, or holds numbers of thousands of digits."
        raise error(what, mend=mend, path=path) from problem


def _telling(on_repeat: Callable[[str], None]) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    def make(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) < len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    on_repeat(key)
                seen.add(key)
        return content

    return make
