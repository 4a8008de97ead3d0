"""PNG of one bit a pixel, small, with texts in it (W3C, Portable Network Graphics, 3rd edition)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

import numpy as np

from slidekit.sampling.masks.packed import PackedMask

__all__ = ["encode_png"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_WINDOW, _MEMORY = 15, 9
_LEVEL = 8
"""Of zlib: level 9 takes three times as long, as long as all the rest of making a mask, for 2 % of the bytes."""


def encode_png(mask: PackedMask, texts: Mapping[str, str]) -> bytes:
    """Encode a mask as a PNG image, white where it is set.

    Parameters
    ----------
    mask
        The mask; at least one pixel.
    texts
        What tEXt chunks say, by keyword; Latin-1.

    Returns
    -------
    bytes
        Rows are stored as they are (filter 0): on masks of tissue that is a tenth to a third smaller than the best of
        other filters, and than what Pillow writes.
    """
    rows, columns = mask.shape
    lines = np.hstack([np.zeros((rows, 1), np.uint8), mask.rows]).tobytes()
    compress = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY)
    chunks = [_chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 1, 0, 0, 0, 0))]
    chunks += [_chunk(b"tEXt", f"{key}\0{text}".encode("latin-1")) for key, text in texts.items()]
    chunks += [_chunk(b"IDAT", compress.compress(lines) + compress.flush()), _chunk(b"IEND", b"")]
    return _SIGNATURE + b"".join(chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
