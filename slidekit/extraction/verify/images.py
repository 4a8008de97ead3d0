"""Whether an encoded tile is whole: what merely warns a decoder is a fault, and every chunk of a PNG is checked."""

from __future__ import annotations

import zlib

from slidekit.pixels.jpeg import decode_jpeg

__all__ = ["decode_strictly"]

_JPEG = b"\xff\xd8"
_PNG = b"\x89PNG\r\n\x1a\n"
_CHUNK_FRAMING = 12
"""Bytes of a PNG chunk beside its data: length, type, CRC-32 (PNG specification, section 5.3)."""

_MOST = 16384
"""Largest edge of a tile that can be asked for: a damaged header may claim gigabytes."""


def decode_strictly(data: bytes) -> tuple[int, int]:
    """Decode a tile, and tell its size.

    Parameters
    ----------
    data
        A whole JPEG or PNG.

    Returns
    -------
    (int, int)
        Rows and columns.

    Raises
    ------
    ValueError
        If it is neither, is damaged in any way that can be seen, or claims more pixels than a tile can have.
    """
    if data.startswith(_JPEG):
        rows, columns = decode_jpeg(data, most=(_MOST, _MOST)).shape[:2]
        return rows, columns
    if data.startswith(_PNG):
        return _decode_png(data)
    raise ValueError("it is neither a JPEG nor a PNG")


def _decode_png(data: bytes) -> tuple[int, int]:
    # Decoders leave the checksum of the pixels' chunks aside, or stop when they have their rows.
    _check_chunks(data)
    columns, rows = (int.from_bytes(data[place : place + 4], "big") for place in (16, 20))
    if max(rows, columns) > _MOST:
        raise ValueError(f"it claims {rows} × {columns} pixels, more than a tile has")
    import imagecodecs

    try:
        rows, columns = imagecodecs.png_decode(data).shape[:2]
    except imagecodecs.PngError as error:
        raise ValueError(str(error)) from error
    return rows, columns


def _check_chunks(data: bytes) -> None:
    """Walk over the chunks of a PNG up to its end."""
    view, position, kind = memoryview(data), len(_PNG), b""
    while kind != b"IEND":
        end = position + _CHUNK_FRAMING + int.from_bytes(view[position : position + 4], "big")
        if end > len(view):
            raise ValueError("it is cut off")
        kind = bytes(view[position + 4 : position + 8])
        if position == len(_PNG) and kind != b"IHDR":
            raise ValueError("it has no header")
        if zlib.crc32(view[position + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise ValueError(f"the checksum of its {kind.decode('ascii', 'replace')} chunk is wrong")
        position = end
