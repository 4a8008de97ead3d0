"""Native tiles without loss: LZW, Deflate, or the pixels as they are."""

from __future__ import annotations

import zlib

import imagecodecs
import numpy as np

from slidekit.pixels.image import RGBImage
from slidekit.pixels.readers.base import UnsuitableError
from slidekit.pixels.readers.native_level import NativeFile, StoredLevel
from slidekit.pixels.readers.tiff_levels import TiffLevel

__all__ = ["ADOBE_DEFLATE", "LZW", "NO_COMPRESSION", "PlainLevel"]

NO_COMPRESSION, LZW, ADOBE_DEFLATE = 1, 5, 8
"""TIFF's codes of the compressions."""

_RGB = 2
_NO_PREDICTOR, _DIFFERENCES = 1, 2


class PlainLevel(StoredLevel):
    """A level of lossless tiles."""

    def __init__(self, tiff: TiffLevel, file: NativeFile) -> None:
        super().__init__(tiff, file)
        if tiff.photometric != _RGB:
            raise UnsuitableError(f"TIFF photometric {tiff.photometric}")
        if tiff.predictor not in (_NO_PREDICTOR, _DIFFERENCES):
            raise UnsuitableError(f"TIFF predictor {tiff.predictor}")

    def _decode_bytes(self, data: bytes, shrink: int) -> RGBImage:
        # Never more than a tile: a damaged or hostile stream may unpack to any size.
        width = self.tile_width
        most = width * self.tile_height * 3
        if self._tiff.compression == LZW:
            data = bytes(imagecodecs.lzw_decode(data, out=most))
        elif self._tiff.compression == ADOBE_DEFLATE:
            data = _inflate(data, most)
        rows = len(data) // (width * 3)
        tile = np.frombuffer(data, np.uint8, rows * width * 3).reshape(rows, width, 3)
        if self._tiff.predictor == _DIFFERENCES:
            # Each sample is stored as its difference to the left neighbour, modulo 256.
            return np.cumsum(tile, axis=1, dtype=np.uint8)
        return tile


def _inflate(data: bytes, most: int) -> bytes:
    # One byte more than a tile, so that the stream's end is reached and its checksum is compared.
    stream = zlib.decompressobj()
    unpacked = stream.decompress(data, most + 1)
    if len(unpacked) > most or not stream.eof:
        raise ValueError("its stream does not end with the tile")
    return unpacked
