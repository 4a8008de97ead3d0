"""What other decoders than slidekit's give for the bytes of a damaged slide, and whether a kept tile is explained.

tifffile finds the tiles and imagecodecs decodes them; a JPEG counts only where libjpeg has no warning for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import simplejpeg
import tifffile
from PIL import Image

from slidekit.io.tfrecord import TileRecord, iter_records
from slidekit.pixels.readers.tiff_levels import TIFF_ERRORS

__all__ = ["Decoded", "decodings", "explain", "read_tiles"]

_JPEG = 7
_SAME = 2
"""Grey levels; the same bytes by two builds of one decoder."""

_SAME_REDUCED = 8
"""Mean grey levels between a reduction by slidekit and an area average; a blank quarter of a tile makes it 20."""

_MOST_SEGMENTS, _MOST_PIXELS = 100_000, 1 << 26
_DECODER_ERRORS = (*TIFF_ERRORS, imagecodecs.DelayedImportError)


@dataclass(frozen=True)
class Decoded:
    """Level 0 as one decoder gives it: pixels, where there are any, and where the file declares none."""

    image: np.ndarray
    known: np.ndarray
    absent: np.ndarray


def read_tiles(path: Path) -> dict[tuple[int, int], np.ndarray]:
    """Kept tiles of a TFRecord by their cell."""
    tiles = {}
    for _, payload in iter_records(path):
        record = TileRecord.decode(payload, path=path)
        image = cv2.imdecode(np.frombuffer(record.image_raw, np.uint8), cv2.IMREAD_COLOR)
        tiles[record.grid_x, record.grid_y] = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return tiles


def decodings(path: Path) -> list[Decoded]:
    """Level 0 by each way of understanding the file."""
    if path.suffix in (".png", ".jpg"):
        return _picture(path)
    try:
        with tifffile.TiffFile(path, _multifile=False) as tiff:
            pages = [page for page in tiff.pages if isinstance(page, tifffile.TiffPage)]
            page = max((page for page in pages if page.is_tiled), key=lambda page: page.imagewidth, default=pages[0])
            width, height = int(page.imagewidth), int(page.imagelength)
            if width * height > _MOST_PIXELS or len(page.dataoffsets) > _MOST_SEGMENTS:
                return []
            spaces = (None, "ycbcr", "rgb") if page.compression == _JPEG else (None,)
            return [_page(tiff, page, space) for space in spaces]
    except TIFF_ERRORS:
        return []


def _picture(path: Path) -> list[Decoded]:
    with contextlib.suppress(*_DECODER_ERRORS, SyntaxError):
        if path.suffix == ".jpg":
            simplejpeg.decode_jpeg(path.read_bytes(), strict=True)
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
        return [Decoded(pixels, np.ones(pixels.shape[:2], np.bool_), np.zeros(pixels.shape[:2], np.bool_))]
    return []


def _page(tiff: tifffile.TiffFile, page: Any, space: str | None) -> Decoded:
    height, width = int(page.imagelength), int(page.imagewidth)
    image = np.full((height, width, 3), 255, np.uint8)
    known, absent = np.zeros((2, height, width), np.bool_)
    for number, (offset, count) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=False)):
        for y, x, block in _segment(tiff, page, number, (int(offset), int(count)), space):
            rows, columns = slice(y, y + block.shape[0]), slice(x, x + block.shape[1])
            inside = image[rows, columns]
            image[rows, columns] = block[: inside.shape[0], : inside.shape[1]]
            known[rows, columns] = True
            absent[rows, columns] = count == 0
    return Decoded(image, known, absent)


def _segment(
    tiff: tifffile.TiffFile, page: Any, number: int, place: tuple[int, int], space: str | None
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Place and pixels of a tile or strip, if it can be decoded."""
    offset, count = place
    across = -(-page.imagewidth // page.tilewidth) if page.is_tiled else 1
    size = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
    y, x = number // across * size[0], number % across * size[1]
    if count == 0:
        yield y, x, np.full((*size, 3), 255, np.uint8)
        return
    if offset + count > tiff.filehandle.size:
        return
    tiff.filehandle.seek(offset)
    data = tiff.filehandle.read(count)
    with contextlib.suppress(*_DECODER_ERRORS):
        tables, header = page.jpegtables, page.jpegheader
        if page.compression == _JPEG and header is None:
            _check_jpeg(tables[:-2] + data[2:] if tables else data)
        if space is not None:
            block = imagecodecs.jpeg8_decode(data, tables=tables, header=header, colorspace=space, outcolorspace="rgb")
            yield y, x, block
            return
        try:
            block = page.decode(data, number, jpegtables=tables, jpegheader=header)[0]
        except (RuntimeError, ValueError):
            # The last strip is shorter than the others: of what stands in its place the first rows count.
            block = page.decode(data, 0, jpegtables=tables, jpegheader=header)[0]
        if block is not None:
            block = block[0] if block.ndim == 4 else block
            yield y, x, np.broadcast_to(block, (*block.shape[:2], 3))


def _check_jpeg(stream: bytes) -> None:
    """Raise ValueError where libjpeg warns; not where it does so behind the last row, which OpenSlide does not read."""
    try:
        simplejpeg.decode_jpeg(stream, strict=True)
    except ValueError as error:
        if "before marker 0xd9" not in str(error):
            raise


def explain(
    tile: np.ndarray, cell: tuple[int, int], scale: int, sound: np.ndarray | None, decoded: list[Decoded]
) -> str | None:
    """Where the pixels of a kept tile can come from.

    Parameters
    ----------
    tile, cell, scale
        Its pixels, its place in the grid, and level-0 pixels per pixel.
    sound
        The same tile of the undamaged slide, if it has it.
    decoded
        Level 0 of the damaged slide by others.

    Returns
    -------
    str or None
        ``equal`` to the undamaged slide, ``decoded`` from the damaged bytes by others as well, ``absent``: white where
        the file declares that there is no tile; None if nothing explains it.
    """
    if sound is not None and np.abs(tile.astype(np.int16) - sound).max() <= _SAME:
        return "equal"
    edge = tile.shape[0] * scale
    place = np.s_[cell[1] * edge : (cell[1] + 1) * edge, cell[0] * edge : (cell[0] + 1) * edge]
    for level in decoded:
        if level.image[place].shape[:2] != (edge, edge) or not level.known[place].all():
            continue
        expected = cv2.resize(level.image[place], tile.shape[1::-1], interpolation=cv2.INTER_AREA)
        off = np.abs(tile.astype(np.int16) - expected)
        if (off.max() <= _SAME) if scale == 1 else (off.mean() <= _SAME_REDUCED):
            return "absent" if level.absent[place].any() else "decoded"
    return None
