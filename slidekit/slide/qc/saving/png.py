"""Masks as PNG of one bit a pixel: white is what is discarded."""

from __future__ import annotations

import struct

import cv2
import numpy as np

from slidekit.slide.qc.base import BoolMask

__all__ = ["decode_mask", "encode_mask"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY = 0


def encode_mask(mask: BoolMask) -> bytes:
    """A mask (rows, columns) of bool as the bytes of a PNG."""
    pixels = mask.astype(np.uint8) * 255
    _, encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_BILEVEL, 1])
    return encoded.tobytes()


def decode_mask(content: bytes, size: tuple[int, int]) -> BoolMask:
    """The mask of a PNG.

    Parameters
    ----------
    content
        Bytes of the file.
    size
        Columns and rows that it must have.

    Raises
    ------
    ValueError
        If it is damaged, of another size, or has more than one bit a pixel.
    """
    # What the header says is looked at before anything is unpacked.
    if len(content) < 26 or content[:8] != _SIGNATURE or content[12:16] != b"IHDR":
        raise ValueError("it is not a PNG")
    columns, rows, bits, colour = struct.unpack(">IIBB", content[16:26])
    if (columns, rows) != tuple(size) or (bits, colour) != (1, _GRAY):
        raise ValueError(f"it has {columns} × {rows} pixels of {bits} bits, not {size[0]} × {size[1]} of 1 bit")
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    except cv2.error as error:
        raise ValueError(str(error)) from error
    if pixels is None or pixels.shape != (rows, columns):
        raise ValueError("its pixels cannot be decoded")
    return np.asarray(pixels > 0, dtype=np.bool_)
