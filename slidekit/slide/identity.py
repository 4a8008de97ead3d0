"""Which slide a file is, without reading all of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

__all__ = ["file_digest", "slide_identity"]

_SAMPLE = 1 << 20


def slide_identity(path: Path) -> str:
    """Size of a file and hash of its first and last MiB: changes when the slide does, costs two reads.

    Returns
    -------
    str
        ``{bytes}-{32 hex digits}``.
    """
    size = path.stat().st_size
    digest = hashlib.sha256()
    with path.open("rb") as file:
        digest.update(file.read(_SAMPLE))
        if size > _SAMPLE:
            file.seek(max(_SAMPLE, size - _SAMPLE))
            digest.update(file.read(_SAMPLE))
    return f"{size}-{digest.hexdigest()[:32]}"


def file_digest(path: Path) -> str:
    """SHA-256 of a whole file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
