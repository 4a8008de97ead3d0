"""Native tiles that are JPEGs, as most slides have them: they decode to the very pixels that OpenSlide gives."""

from __future__ import annotations

from slidekit.pixels.image import RGBImage
from slidekit.pixels.jpeg import decode_jpeg, join_tables, with_colour_marker
from slidekit.pixels.readers.base import UnsuitableError
from slidekit.pixels.readers.native_level import NativeFile, StoredLevel
from slidekit.pixels.readers.tiff_levels import TiffLevel

__all__ = ["JPEG", "JpegLevel"]

JPEG = 7
"""TIFF's code of the compression."""

_RGB, _YCBCR = 2, 6


class JpegLevel(StoredLevel):
    """A level of JPEG tiles, which can be reduced in the DCT domain while they are decoded."""

    def __init__(self, tiff: TiffLevel, file: NativeFile) -> None:
        shrinks = tuple(s for s in (1, 2, 4, 8) if tiff.tile_width % s == 0 and tiff.tile_height % s == 0)
        super().__init__(tiff, file, shrinks)
        if tiff.photometric not in (_RGB, _YCBCR):
            raise UnsuitableError(f"TIFF photometric {tiff.photometric}")
        self._tables = tiff.tables
        self._ycbcr = tiff.photometric == _YCBCR
        self._most = (tiff.tile_height, tiff.tile_width)

    def _decode_bytes(self, data: bytes, shrink: int) -> RGBImage:
        stream = with_colour_marker(join_tables(self._tables, data), ycbcr=self._ycbcr)
        return decode_jpeg(stream, shrink, most=self._most)
