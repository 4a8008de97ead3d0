"""Which slide a file is, without reading all of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from slidekit.io.remote import read_ends, remote_state
from slidekit.io.url import RemotePath

__all__ = ["file_digest", "has_identity", "slide_identity"]

_SAMPLE = 1 << 20


def slide_identity(path: Path) -> str:
    """Size of a file and hash of its first and last MiB: changes when the slide does, costs two reads.

    Parameters
    ----------
    path
        File of the slide, which may lie in a remote store: two short reads over the network then.

    Returns
    -------
    str
        ``{bytes}-{32 hex digits}``.

    Raises
    ------
    OSError
        If the file is missing or cannot be read.
    """
    if isinstance(path, RemotePath):
        return _remote_identity(path, remote_state(path)[0])
    size = path.stat().st_size
    digest = hashlib.sha256()
    with path.open("rb") as file:
        digest.update(file.read(_SAMPLE))
        if size > _SAMPLE:
            file.seek(max(_SAMPLE, size - _SAMPLE))
            digest.update(file.read(_SAMPLE))
    return f"{size}-{digest.hexdigest()[:32]}"


def has_identity(path: Path, identity: str | None) -> bool:
    """Whether a file is there, can be read, and is the slide that `identity` was taken of."""
    try:
        if not isinstance(path, RemotePath):
            return path.is_file() and slide_identity(path) == identity
        # Of another size it is another slide, which is cheaper to ask than its bytes.
        size, _ = remote_state(path)
        return (identity or "").startswith(f"{size}-") and _remote_identity(path, size) == identity
    except OSError:
        return False


def _remote_identity(path: RemotePath, size: int) -> str:
    return f"{size}-{hashlib.sha256(read_ends(path, size, _SAMPLE)).hexdigest()[:32]}"


def file_digest(path: Path) -> str:
    """SHA-256 of a whole file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
