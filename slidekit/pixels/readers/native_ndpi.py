"""Levels of Hamamatsu's NDPI: each is one JPEG as large as the level, cut into chunks by restart markers.

A chunk is one restart interval: so many MCUs of one row of MCUs, 8 pixels high. Decoding starts anew at each marker, so
that any rectangle of chunks makes a JPEG of its own: the header with another size, the chunks, markers between them
that count from 0 to 7 again and again (ITU-T T.81, B.2.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from slidekit.errors import SlideOpenError
from slidekit.pixels.image import RGBImage
from slidekit.pixels.jpeg import EOI, JpegFrame, decode_jpeg, jpeg_frame, with_colour_marker
from slidekit.pixels.readers.base import UnsuitableError
from slidekit.pixels.readers.directories import check_directories
from slidekit.pixels.readers.native_level import NativeFile, NativeLevel
from slidekit.pixels.readers.tiff_levels import TIFF_ERRORS

__all__ = ["ChunkedJpeg", "NdpiLevel", "ndpi_levels"]

_MAGNIFICATION, _FOCAL_PLANE = 65421, 65424
_JPEG, _YCBCR = 7, 6
_BLOCK = 8
_LARGEST_SIDE = 65_500  # of what libjpeg decodes
_RST0, _RST7 = 0xD0, 0xD7

_TILE_SIDE = (1024, 256)
"""Width and height in pixels up to which chunks are joined."""

_TILE_PIXELS = 1 << 20
"""The same in pixels, for chunks that are wider."""


_MOST_BYTES = 4
"""That a sample of baseline JPEG can take: a code of 16 bits and a number of 11, for each coefficient."""


@dataclass(frozen=True, eq=False)
class ChunkedJpeg:
    """A JPEG that is cut by restart markers.

    Attributes
    ----------
    width, height
        Its size in pixels.
    chunk_width
        Width of a chunk in pixels; a chunk is 8 pixels high.
    offsets, counts
        Place and length in bytes of each chunk, its marker included, row by row; int64, a large slide has a million.
    header
        All that stands before the first chunk.
    frame
        What the header says.
    """

    width: int
    height: int
    chunk_width: int
    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]
    header: bytes
    frame: JpegFrame

    @property
    def columns(self) -> int:
        """Chunks in a row."""
        return -(-self.width // self.chunk_width)

    @property
    def rows(self) -> int:
        """Rows of chunks."""
        return -(-self.height // _BLOCK)

    def join(self, file: NativeFile, rows: range, columns: range) -> bytes:
        """Make a JPEG of the chunks in a rectangle.

        Parameters
        ----------
        file
            Where they are read from.
        rows, columns
            The rectangle, in chunks.

        Returns
        -------
        bytes
            A whole JPEG, of no more pixels than the level has there.

        Raises
        ------
        ValueError
            If the file ends before them, or their places cannot be true: no restart marker stands where one must.
        """
        width = min(columns.stop * self.chunk_width, self.width) - columns.start * self.chunk_width
        height = min(rows.stop * _BLOCK, self.height) - rows.start * _BLOCK
        stream = bytearray(self.header)
        stream[self.frame.size_at : self.frame.size_at + 4] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
        most = len(columns) * self.chunk_width * _BLOCK * 3 * _MOST_BYTES
        number = 0
        for row in rows:
            first = row * self.columns + columns.start
            counts = self.counts[first : first + len(columns)].tolist()
            # Before room is made for them: places that decrease give counts below zero, others any number.
            if min(counts) < 2 or sum(counts) > most:
                raise ValueError("the file's table of chunks is damaged")
            end = len(stream)
            stream += file.read(int(self.offsets[first]), sum(counts))
            for index, count in enumerate(counts, first):
                end += count
                if index == len(self.counts) - 1:
                    break  # behind the last stands no restart marker
                if stream[end - 2] != 0xFF or not _RST0 <= stream[end - 1] <= _RST7:
                    raise ValueError("no restart marker stands where its table says")
                stream[end - 1] = _RST0 | number
                number = (number + 1) & 7
        # Behind a restart marker or another end: decoders have all blocks when they come to it.
        return bytes(stream + EOI)


class NdpiLevel(NativeLevel):
    """A level of joined chunks, or what such a level gives when it is decoded at 1/2, 1/4 or 1/8.

    OpenSlide makes levels of the latter where the file has none.

    Parameters
    ----------
    jpeg
        The level that is in the file.
    file
        Where its chunks are read from.
    scale
        1, 2, 4 or 8.
    """

    def __init__(self, jpeg: ChunkedJpeg, file: NativeFile, scale: int) -> None:
        self._jpeg = jpeg
        self._file = file
        self._scale = scale
        self._columns = max(1, min(jpeg.columns, _TILE_SIDE[0] // jpeg.chunk_width))
        width = self._columns * jpeg.chunk_width
        self._rows = max(1, min(_TILE_SIDE[1], _TILE_PIXELS // width) // _BLOCK)
        height = self._rows * _BLOCK
        shrinks = tuple(s for s in (1, 2, 4, 8) if s * scale <= _BLOCK)
        super().__init__((jpeg.width // scale, jpeg.height // scale), (width // scale, height // scale), shrinks)

    def decode(self, row: int, column: int, shrink: int) -> RGBImage:
        """As `NativeLevel.decode`."""
        rows = range(row * self._rows, min((row + 1) * self._rows, self._jpeg.rows))
        columns = range(column * self._columns, min((column + 1) * self._columns, self._jpeg.columns))
        return decode_jpeg(self._jpeg.join(self._file, rows, columns), shrink * self._scale)


def ndpi_levels(path: Path, file: NativeFile) -> list[NdpiLevel]:
    """Levels of the slide in an NDPI, largest first: those that OpenSlide reports.

    Raises
    ------
    UnsuitableError
        If the file is not of such JPEGs, or has several focal planes.
    SlideOpenError
        If its directories are damaged.
    """
    try:
        check_directories(path, ndpi=True)
        with tifffile.TiffFile(path, is_ndpi=True) as tiff:
            jpegs = [_chunked_jpeg(page) for page in tiff.pages if _is_level(page)]
    except tifffile.TiffFileError as error:
        raise UnsuitableError(str(error)) from error
    except TIFF_ERRORS as error:
        raise SlideOpenError(
            f"its TIFF directories are damaged ({error}).", mend="Copy it again.", path=path
        ) from error
    if not jpegs:
        raise UnsuitableError("no level in the NDPI")
    by_width: dict[int, NdpiLevel] = {}
    for jpeg in jpegs:
        for scale in (1, 2, 4, 8):
            if min(jpeg.width, jpeg.height) >= scale:
                # A stored level, and what is made from a smaller one, replace what is made from a larger one.
                by_width[jpeg.width // scale] = NdpiLevel(jpeg, file, scale)
    return [by_width[width] for width in sorted(by_width, reverse=True)]


def _is_level(page: Any) -> bool:
    """Whether a page is a level; pictures of the whole glass (-1) and the map of the scan (-2) are not."""
    magnification = page.tags.valueof(_MAGNIFICATION)
    if magnification is None or not magnification > 0:
        return False
    if page.tags.valueof(_FOCAL_PLANE, default=0) != 0:
        raise UnsuitableError("several focal planes")
    return True


def _chunked_jpeg(page: Any) -> ChunkedJpeg:
    if page.jpegheader is None or page.compression != _JPEG or page.photometric != _YCBCR:
        raise UnsuitableError("no JPEG in colour with restart markers")
    if (page.samplesperpixel, page.bitspersample, page.planarconfig, page.imagedepth) != (3, 8, 1, 1):
        raise UnsuitableError("not 8-bit RGB")
    header = with_colour_marker(page.jpegheader, ycbcr=True)
    try:
        frame = jpeg_frame(header)
    except ValueError as error:
        raise UnsuitableError(str(error)) from error
    if frame.precision != 8 or frame.sampling != ((1, 1),) * 3:
        # Decoders look across the borders of chunks for subsampled colours, and OpenSlide decodes each chunk alone.
        raise UnsuitableError("JPEG with subsampled colours")
    jpeg = ChunkedJpeg(
        width=int(page.imagewidth),
        height=int(page.imagelength),
        chunk_width=frame.restart_interval * _BLOCK,
        offsets=np.array(page.dataoffsets, np.int64),
        counts=np.array(page.databytecounts, np.int64),
        header=header,
        frame=frame,
    )
    if min(jpeg.width, jpeg.height) < 1 or not 0 < jpeg.chunk_width <= _LARGEST_SIDE:
        raise UnsuitableError("JPEG with chunks of a size that cannot be decoded")
    if -(-jpeg.width // _BLOCK) % frame.restart_interval or len(jpeg.offsets) != jpeg.rows * jpeg.columns:
        raise UnsuitableError("JPEG whose restart markers do not divide its rows")
    return jpeg
