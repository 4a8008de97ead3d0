"""Numbers as a TIFF file stores them: no palette, no inversion, no cut to eight bits (Adobe, TIFF Revision 6.0)."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Self

import numpy as np
import tifffile
from numpy.typing import NDArray

__all__ = ["TiffNumbers"]

_LOSSLESS = {1, 2, 3, 4, 5, 8, 32773, 32946, 34925, 50000}
"""None, the CCITT codes, LZW, Deflate, PackBits, Deflate, LZMA, Zstandard: what gives the samples as they were."""

_ASPECT = 0.03


class TiffNumbers:
    """First samples of the pixels of an open TIFF file, any depth, by level.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    OSError, ValueError
        If it cannot be read; `tifffile.TiffFileError` is a ValueError.
    """

    def __init__(self, path: Path) -> None:
        self._file = tifffile.TiffFile(path)
        self._lock = threading.Lock()
        # A strip may be the whole image, of which only some rows are wanted at a time.
        self._last: tuple[tuple[int, int], NDArray[Any] | None] | None = None
        try:
            self.levels: tuple[Any, ...] = _levels(self._file)
        except Exception:
            self._file.close()
            raise

    @classmethod
    def open(cls, path: Path) -> Self | None:
        """Open a file; None where it is lossy, so that its pixels are colours and a slide reader's to decode.

        Raises
        ------
        OSError, ValueError
            If it cannot be read, or holds lossy samples of other than 8 bits.
        """
        opened = cls(path)
        first = opened.levels[0]
        if int(first.compression) in _LOSSLESS:
            return opened
        opened.close()
        if first.bitspersample != 8:
            raise ValueError(f"{first.bitspersample} bits a sample in a compression that is not lossless")
        return None

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Width and height of each level, largest first."""
        return tuple((page.imagewidth, page.imagelength) for page in self.levels)

    def read(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[Any]:
        """A part of a level, (height, width), of the file's own type; what the file leaves out is 0.

        Raises
        ------
        OSError, ValueError
            If it cannot be decoded.
        """
        page = self.levels[level]
        tiled = page.is_tiled
        columns, rows = (page.tilewidth, page.tilelength) if tiled else (page.imagewidth, page.rowsperstrip)
        rows = min(rows, page.imagelength) if not tiled else rows
        across = -(-page.imagewidth // columns)
        numbers = np.zeros((height, width), page.dtype or np.uint8)
        for down in range(y // rows, (y + height - 1) // rows + 1):
            for right in range(x // columns, (x + width - 1) // columns + 1):
                part = self._segment(level, down * across + right)
                if part is None:
                    continue
                top, left = down * rows, right * columns
                y0, y1 = max(y, top), min(y + height, top + part.shape[0])
                x0, x1 = max(x, left), min(x + width, left + part.shape[1])
                if y1 > y0 and x1 > x0:
                    numbers[y0 - y : y1 - y, x0 - x : x1 - x] = part[y0 - top : y1 - top, x0 - left : x1 - left]
        return numbers

    def _segment(self, level: int, number: int) -> NDArray[Any] | None:
        with self._lock:
            if self._last is None or self._last[0] != (level, number):
                self._last = (level, number), self._decode(self.levels[level], number)
            return self._last[1]

    def _decode(self, page: Any, number: int) -> NDArray[Any] | None:
        offset, length = page.dataoffsets[number], page.databytecounts[number]
        if not length:
            return None
        self._file.filehandle.seek(offset)
        data = self._file.filehandle.read(length)
        part = page.decode(data, number)[0]
        # (depth, rows, columns, samples)
        return None if part is None else np.asarray(part[0, :, :, 0])

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _levels(file: tifffile.TiffFile) -> tuple[Any, ...]:
    """The first image and those that are said to be smaller copies of it."""
    pages = file.pages
    pages.useframes = False
    first: Any = pages[0]
    rest: list[Any] = [page for page in list(pages)[1:] if getattr(page, "is_reduced", False)]
    rest += list(first.pages or ())
    levels = [first]
    for page in sorted(rest, key=lambda page: -int(page.imagewidth)):
        shape = page.imagewidth / page.imagelength * first.imagelength / first.imagewidth
        slack = _ASPECT + 1 / page.imagewidth + 1 / page.imagelength
        if page.dtype == first.dtype and page.imagewidth < levels[-1].imagewidth and abs(shape - 1) <= slack:
            levels.append(page)
    return tuple(levels)
