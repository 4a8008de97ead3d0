"""Reader for tiled TIFF (SVS, generic, OME-TIFF): each native tile is read, decoded once and kept for a while.

JPEG tiles decode to the very pixels that OpenSlide gives, and can be reduced in the DCT domain while decoding.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import imagecodecs
import numpy as np

from slidekit.errors import SlideReadError
from slidekit.pixels.image import WHITE, RGBImage
from slidekit.pixels.jpeg import decode_jpeg, join_tables, with_colour_marker
from slidekit.pixels.metadata import SlideMetadata
from slidekit.pixels.native import TileCache
from slidekit.pixels.readers.base import SlideReader, UnsuitableError, make_levels
from slidekit.pixels.readers.tiff_levels import OTHER_LAYOUTS, TiffLevel, tiff_levels

__all__ = ["NativeTiffReader"]

_NONE, _LZW, _JPEG, _ADOBE_DEFLATE = 1, 5, 7, 8
_RGB, _YCBCR = 2, 6
_NO_PREDICTOR, _DIFFERENCES = 1, 2


class NativeTiffReader(SlideReader):
    """Pixels from a TIFF's own tiles."""

    name = "native"

    def __init__(self, path: Path, metadata: SlideMetadata) -> None:
        super().__init__(path, metadata)
        if metadata.vendor in OTHER_LAYOUTS:
            raise UnsuitableError(f"the layout of {metadata.vendor} needs its own reader")
        self._tiff = tiff_levels(path)
        for level in self._tiff:
            _check_suitable(level)
        if metadata.vendor == "aperio" and len(self._tiff) > 1 and any(0 in level.counts for level in self._tiff):
            # Aperio's smaller levels hold rubbish wherever a larger one has no tile; OpenSlide makes them anew.
            raise UnsuitableError("an Aperio slide with absent tiles, whose smaller levels cannot be trusted there")
        self.levels = make_levels([(level.width, level.height) for level in self._tiff])
        self._file = os.open(path, os.O_RDONLY)
        self._size = os.fstat(self._file).st_size
        self._cache = TileCache()

    def shrinks(self, level: int) -> tuple[int, ...]:
        """DCT reductions; only where tile borders fall on pixel borders of the reduced image."""
        tiff = self._tiff[level]
        if tiff.compression != _JPEG:
            return (1,)
        return tuple(s for s in (1, 2, 4, 8) if tiff.tile_width % s == 0 and tiff.tile_height % s == 0)

    def _read_inside(self, level: int, x: int, y: int, width: int, height: int, shrink: int) -> RGBImage:
        tiff = self._tiff[level]
        tile_width, tile_height = tiff.tile_width // shrink, tiff.tile_height // shrink
        image = np.empty((height, width, 3), np.uint8)
        columns, rows = _spans(x, width, tile_width), _spans(y, height, tile_height)
        plane = (level, shrink)
        with self._cache.reading(plane, rows[0][0], rows[-1][0]):
            for row, into_rows, of_rows in rows:
                first = row * tiff.columns
                for column, into_columns, of_columns in columns:
                    tile = self._cache.get(plane, row, column)
                    if tile is None:
                        tile = self._decode(level, first + column, shrink)
                        self._cache.put(plane, row, column, tile)
                    image[into_rows, into_columns] = tile[of_rows, of_columns]
        return image

    def _decode(self, level: int, index: int, shrink: int) -> RGBImage:
        tiff = self._tiff[level]
        whole = (tiff.tile_height // shrink, tiff.tile_width // shrink, 3)
        try:
            data = self._tile_bytes(tiff, index)
            tile = _decode_bytes(tiff, data, shrink) if data else np.full(whole, WHITE, np.uint8)
            if tile.shape != whole and not _covers(tile, self._needed(tiff, index, shrink)):
                raise ValueError(f"it holds {tile.shape[1]} × {tile.shape[0]} pixels, too few")
        except (ValueError, RuntimeError, OSError, OverflowError, zlib.error) as error:
            row, column = divmod(index, tiff.columns)
            raise SlideReadError(
                f"native tile at x={column * tiff.tile_width}, y={row * tiff.tile_height} of level {level}"
                f" cannot be decoded: {error}.",
                path=self.path,
            ) from error
        return tile

    def _tile_bytes(self, tiff: TiffLevel, index: int) -> bytes:
        """What the file holds of a tile; nothing for an absent one."""
        if index >= min(len(tiff.counts), len(tiff.offsets)):
            raise ValueError("the file's table of tiles ends before it")
        count, offset = tiff.counts[index], tiff.offsets[index]
        # Before pread makes room for it: a damaged count may be any number.
        if count and offset + count > self._size:
            raise ValueError("the file ends before it")
        data = os.pread(self._file, count, offset)
        if len(data) < count:
            raise ValueError("the file ends before it")
        return data

    @staticmethod
    def _needed(tiff: TiffLevel, index: int, shrink: int) -> tuple[int, int]:
        """Rows and columns of a tile that lie inside the image: files may store less of the last ones."""
        row, column = divmod(index, tiff.columns)
        rows = min(tiff.tile_height, tiff.height - row * tiff.tile_height)
        columns = min(tiff.tile_width, tiff.width - column * tiff.tile_width)
        return -(-rows // shrink), -(-columns // shrink)

    def _close(self) -> None:
        self._cache.clear()
        os.close(self._file)
        self._file = -1


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


def _check_suitable(level: TiffLevel) -> None:
    if not level.interleaved_rgb8:
        raise UnsuitableError("not 8-bit interleaved RGB")
    if level.compression not in (_NONE, _LZW, _JPEG, _ADOBE_DEFLATE):
        raise UnsuitableError(f"TIFF compression {level.compression}")
    if level.photometric not in ((_RGB, _YCBCR) if level.compression == _JPEG else (_RGB,)):
        raise UnsuitableError(f"TIFF photometric {level.photometric}")
    if level.predictor not in (_NO_PREDICTOR, _DIFFERENCES):
        raise UnsuitableError(f"TIFF predictor {level.predictor}")
    if level.tile_width * level.tile_height > 1 << 24:
        # A strip as tall as the image would be decoded whole for every read; libvips streams such files.
        raise UnsuitableError("not tiled")


def _decode_bytes(tiff: TiffLevel, data: bytes, shrink: int) -> RGBImage:
    if tiff.compression == _JPEG:
        stream = with_colour_marker(join_tables(tiff.tables, data), ycbcr=tiff.photometric == _YCBCR)
        return decode_jpeg(stream, shrink, most=(tiff.tile_height, tiff.tile_width))
    # Never more than a tile: a damaged or hostile stream may unpack to any size.
    most = tiff.tile_width * tiff.tile_height * 3
    if tiff.compression == _LZW:
        data = bytes(imagecodecs.lzw_decode(data, out=most))
    elif tiff.compression == _ADOBE_DEFLATE:
        data = _inflate(data, most)
    rows = len(data) // (tiff.tile_width * 3)
    tile = np.frombuffer(data, np.uint8, rows * tiff.tile_width * 3).reshape(rows, tiff.tile_width, 3)
    if tiff.predictor == _DIFFERENCES:
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
