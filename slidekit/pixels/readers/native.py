"""Reader of native tiles (SVS, generic TIFF, OME-TIFF, NDPI): each is read, decoded once and kept for a while.

How a tile is found and decoded is a matter of its level: `native_jpeg`, `native_jpeg2000`, `native_plain`,
`native_ndpi`.
"""

from __future__ import annotations

import zlib
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from slidekit.errors import SlideReadError
from slidekit.pixels.image import WHITE, RGBImage
from slidekit.pixels.metadata import SlideMetadata
from slidekit.pixels.native import TileCache
from slidekit.pixels.readers.base import SlideReader, UnsuitableError, make_levels
from slidekit.pixels.readers.native_jpeg import JPEG, JpegLevel
from slidekit.pixels.readers.native_jpeg2000 import APERIO_RGB, APERIO_YCBCR, JPEG2000, Jpeg2000Level
from slidekit.pixels.readers.native_level import NativeFile, NativeLevel, StoredLevel
from slidekit.pixels.readers.native_ndpi import ndpi_levels
from slidekit.pixels.readers.native_plain import ADOBE_DEFLATE, LZW, NO_COMPRESSION, PlainLevel
from slidekit.pixels.readers.tiff_levels import OTHER_LAYOUTS, tiff_levels

__all__ = ["NativeTiffReader"]

_KINDS: dict[int, type[JpegLevel | Jpeg2000Level | PlainLevel]] = {
    NO_COMPRESSION: PlainLevel,
    LZW: PlainLevel,
    JPEG: JpegLevel,
    ADOBE_DEFLATE: PlainLevel,
    APERIO_YCBCR: Jpeg2000Level,
    APERIO_RGB: Jpeg2000Level,
    JPEG2000: Jpeg2000Level,
}
"""Kinds of levels by TIFF's code of the compression."""

_BUDGET, _WIDE_BUDGET = 96 << 20, 192 << 20
"""Bytes of decoded tiles to keep; the latter for tiles as wide as a slide, of which a row of strips needs all."""

_WIDE = 32_768


class NativeTiffReader(SlideReader):
    """Pixels from a TIFF's own tiles."""

    name = "native"

    def __init__(self, path: Path, metadata: SlideMetadata) -> None:
        super().__init__(path, metadata)
        with ExitStack() as on_error:
            self._file = on_error.enter_context(NativeFile(path))
            self._native: list[NativeLevel] = (
                list(ndpi_levels(path, self._file))
                if metadata.vendor == "hamamatsu"
                else list(_stored_levels(path, metadata, self._file))
            )
            self.levels = make_levels([(level.width, level.height) for level in self._native])
            on_error.pop_all()
        wide = max(level.tile_width for level in self._native) > _WIDE
        self._cache = TileCache(_WIDE_BUDGET if wide else _BUDGET)

    @property
    def bytes_read(self) -> int:
        """Bytes of the file that tiles were decoded from so far."""
        return self._file.bytes_read

    def keep_tiles_in(self, cache: TileCache) -> None:
        """Keep decoded tiles in another cache, before anything is read."""
        self._cache = cache

    def shrinks(self, level: int) -> tuple[int, ...]:
        """DCT reductions; only where tile borders fall on pixel borders of the reduced image."""
        return self._native[level].shrinks

    def _read_inside(self, level: int, x: int, y: int, width: int, height: int, shrink: int) -> RGBImage:
        native = self._native[level]
        tile_width, tile_height = native.tile_width // shrink, native.tile_height // shrink
        image = np.empty((height, width, 3), np.uint8)
        columns, rows = _spans(x, width, tile_width), _spans(y, height, tile_height)
        plane = (level, shrink)
        with self._cache.reading(plane, rows[0][0], rows[-1][0]):
            for row, into_rows, of_rows in rows:
                for column, into_columns, of_columns in columns:
                    tile = self._cache.get(plane, row, column)
                    if tile is None:
                        tile = self._decode(level, row, column, shrink)
                        self._cache.put(plane, row, column, tile)
                    image[into_rows, into_columns] = tile[of_rows, of_columns]
        return image

    def _decode(self, level: int, row: int, column: int, shrink: int) -> RGBImage:
        native = self._native[level]
        whole = (native.tile_height // shrink, native.tile_width // shrink, 3)
        try:
            tile = native.decode(row, column, shrink)
            if tile is None:
                return np.full(whole, WHITE, np.uint8)
            if tile.shape != whole and not _covers(tile, _needed(native, row, column, shrink)):
                raise ValueError(f"it holds {tile.shape[1]} × {tile.shape[0]} pixels, too few")
        except (ValueError, RuntimeError, OSError, OverflowError, zlib.error) as error:
            raise SlideReadError(
                f"native tile at x={column * native.tile_width}, y={row * native.tile_height} of level {level}"
                f" cannot be decoded: {error}.",
                path=self.path,
            ) from error
        return tile

    def _close(self) -> None:
        self._cache.clear()
        self._file.close()


def _stored_levels(path: Path, metadata: SlideMetadata, file: NativeFile) -> list[StoredLevel]:
    if metadata.vendor in OTHER_LAYOUTS:
        raise UnsuitableError(f"the layout of {metadata.vendor} needs its own reader")
    levels = tiff_levels(path)
    for level in levels:
        if level.compression not in _KINDS:
            raise UnsuitableError(f"TIFF compression {level.compression}")
    if metadata.vendor == "aperio" and len(levels) > 1 and any(0 in level.counts for level in levels):
        # Aperio's smaller levels hold rubbish wherever a larger one has no tile; OpenSlide makes them anew.
        raise UnsuitableError("an Aperio slide with absent tiles, whose smaller levels cannot be trusted there")
    return [_KINDS[level.compression](level, file) for level in levels]


def _needed(native: NativeLevel, row: int, column: int, shrink: int) -> tuple[int, int]:
    """Rows and columns of a tile that lie inside the level: files may store less of the last ones."""
    rows = min(native.tile_height, native.height - row * native.tile_height)
    columns = min(native.tile_width, native.width - column * native.tile_width)
    return -(-rows // shrink), -(-columns // shrink)


def _spans(start: int, length: int, tile: int) -> list[tuple[int, slice, slice]]:
    """Along one axis: the tiles under a read; the pixels of the read that each fills; which of its own these are."""
    spans = []
    for number in range(start // tile, (start + length - 1) // tile + 1):
        edge = number * tile
        begin, end = max(start, edge), min(start + length, edge + tile)
        spans.append((number, slice(begin - start, end - start), slice(begin - edge, end - edge)))
    return spans


def _covers(tile: RGBImage, needed: tuple[int, int]) -> bool:
    return bool(tile.shape[0] >= needed[0] and tile.shape[1] >= needed[1])
