"""Whether a slide can be as large as its header says."""

from __future__ import annotations

from slidekit.errors import SlideOpenError
from slidekit.pixels.readers.base import SlideReader

__all__ = ["check_size"]

_MOST_PIXELS = 1 << 17
"""Pixels that a byte of a TIFF may stand for: even an absent tile of 1024 × 1024 takes 8 bytes of a table."""

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def check_size(reader: SlideReader) -> SlideReader:
    """Refuse a size that lies: a grid of tiles over 2³¹ pixels would fill the memory before the first one is read.

    Parameters
    ----------
    reader
        An open slide; of formats that are several files, nothing can be said.

    Returns
    -------
    SlideReader
        `reader`.

    Raises
    ------
    SlideOpenError
        If a TIFF claims more pixels than its bytes can hold; the reader is closed then.
    """
    width, height = reader.dimensions
    with reader.path.open("rb") as file:
        is_tiff = file.read(4) in _TIFF
        size = file.seek(0, 2)
    if is_tiff and width * height > _MOST_PIXELS * size:
        reader.close()
        raise SlideOpenError(
            f"it claims {width} × {height} pixels, but has only {size} bytes.", mend="Copy it again.", path=reader.path
        )
    return reader
