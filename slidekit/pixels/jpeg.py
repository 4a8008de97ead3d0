"""JPEG tiles out of TIFF files: whole streams with the right colours, decoded in full or reduced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import simplejpeg

from slidekit.pixels.image import RGBImage

__all__ = ["EOI", "JpegFrame", "decode_jpeg", "join_tables", "jpeg_frame", "with_colour_marker"]

_SOI = b"\xff\xd8"
_SOF0, _SOS, _DRI = 0xC0, 0xDA, 0xDD

EOI = b"\xff\xd9"
"""The marker that ends a JPEG."""


def join_tables(tables: bytes | None, data: bytes) -> bytes:
    """Make a whole JPEG of a tile that leaves its tables to the TIFF tag ``JPEGTables``.

    Parameters
    ----------
    tables
        Content of the tag, or None.
    data
        The tile.
    """
    if not tables:
        return data
    return tables.removesuffix(EOI) + data.removeprefix(_SOI)


def with_colour_marker(stream: bytes, *, ycbcr: bool) -> bytes:
    """Make a JPEG stream say its own colour space where only the TIFF knew it.

    A decoder goes by the JFIF marker (YCbCr) or Adobe's (its transform byte). A stream with neither is what the
    TIFF's photometric tag says; Aperio writes such streams in RGB, which decoders would take for YCbCr.

    Parameters
    ----------
    stream
        A whole JPEG.
    ycbcr
        What the photometric tag says.
    """
    if _has_colour_marker(stream):
        return stream
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + (b"\x01" if ycbcr else b"\x00")
    return stream[:2] + adobe + stream[2:]


def _has_colour_marker(stream: bytes) -> bool:
    position = 2
    while position + 4 <= len(stream) and stream[position] == 0xFF:
        marker = stream[position + 1]
        if marker == 0xDA:
            return False
        start = stream[position + 4 : position + 9]
        if (marker == 0xE0 and start == b"JFIF\x00") or (marker == 0xEE and start == b"Adobe"):
            return True
        position += 2 + int.from_bytes(stream[position + 2 : position + 4], "big")
    return False


@dataclass(frozen=True)
class JpegFrame:
    """What the header of a baseline JPEG says of its blocks.

    Attributes
    ----------
    size_at
        Where height and width stand in the header, two bytes each, big-endian.
    precision
        Bits of a sample.
    sampling
        Horizontal and vertical sampling factor of each component.
    restart_interval
        MCUs between restart markers; 0 without any.
    """

    size_at: int
    precision: int
    sampling: tuple[tuple[int, int], ...]
    restart_interval: int


def jpeg_frame(header: bytes) -> JpegFrame:
    """Parse the header of a baseline JPEG whose components share one scan (ITU-T T.81, annex B).

    Parameters
    ----------
    header
        The stream up to its first scan, the start-of-scan segment included.

    Raises
    ------
    ValueError
        If there is no such header.
    """
    size_at, precision, interval, position = 0, 0, 0, len(_SOI)
    sampling: tuple[tuple[int, int], ...] = ()
    while position + 4 <= len(header) and header[position] == 0xFF:
        marker, start = header[position + 1], position + 4
        position += 2 + int.from_bytes(header[position + 2 : start], "big")
        segment = header[start:position]
        if marker == _DRI:
            interval = int.from_bytes(segment[:2], "big")
        elif marker == _SOF0 and len(segment) >= 6 and len(segment) >= 6 + 3 * segment[5]:
            size_at, precision = start + 1, segment[0]
            sampling = tuple((factor >> 4, factor & 15) for factor in segment[7 : 6 + 3 * segment[5] : 3])
        elif marker == _SOS:
            if size_at and segment[:1] == bytes([len(sampling)]):
                return JpegFrame(size_at, precision, sampling, interval)
            break
    raise ValueError("no header of a baseline JPEG with one scan")


def decode_jpeg(stream: bytes, shrink: int = 1, *, most: tuple[int, int] | None = None) -> RGBImage:
    """Decode to RGB, reduced in the DCT domain if asked.

    Parameters
    ----------
    stream
        A whole JPEG.
    shrink
        1, 2, 4 or 8.
    most
        Rows and columns that the stream may have at most: a damaged header may claim gigabytes.

    Returns
    -------
    ndarray (rows, columns, 3), uint8
        Rows and columns are those of the stream divided by `shrink`, rounded up.

    Raises
    ------
    ValueError
        If the stream is damaged or too large; any warning of the decoder counts, because a damaged tile decodes
        to plausible rubbish.
    """
    options: dict[str, Any] = {}
    height, width, _, _ = simplejpeg.decode_jpeg_header(stream)
    if most is not None and (height > most[0] or width > most[1]):
        raise ValueError(f"it claims {width} × {height} pixels, more than a tile has")
    if shrink > 1:
        # The decoder picks the smallest of its scales (n/8) that is not below these.
        options = {"min_height": -(-height // shrink), "min_width": -(-width // shrink)}
    image = simplejpeg.decode_jpeg(stream, colorspace="RGB", strict=True, **options)
    return np.asarray(image, dtype=np.uint8)
