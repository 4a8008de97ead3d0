"""Pages of a TIFF slide: where their pixels come from, how they are encoded, and how they reach the file.

`slidekit.io.slide_tiff` builds whole slides from these.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import numpy as np
import simplejpeg
import tifffile
from numpy.typing import NDArray

from slidekit.errors import SpecError
from slidekit.io.atomic import atomic_write

__all__ = [
    "Codec",
    "Compression",
    "Image",
    "Level",
    "Page",
    "Photometric",
    "Subsampling",
    "TileSource",
    "as_source",
    "check_levels",
    "check_tiling",
    "write_pages",
]

Image = NDArray[np.uint8]
Compression = Literal["jpeg", "deflate", "none"]
Photometric = Literal["ycbcr", "rgb"]
Subsampling = Literal["444", "422", "420"]

_SAMPLING = {"444": (1, 1), "422": (2, 1), "420": (2, 2)}
_ADOBE_SEGMENT = slice(2, 18)  # SOI is 2 bytes; libjpeg puts its 16-byte Adobe segment right behind it
_CLASSIC_LIMIT = 2**31  # raw bytes that surely stay below classic TIFF's 4 GiB, even where JPEG gains nothing


class TileSource(NamedTuple):
    """A level whose pixels are made on demand.

    Attributes
    ----------
    width, height
        Size of the level, in its own pixels.
    read_tile
        ``read_tile(x, y, w, h)`` returns the pixels of a rectangle that lies wholly inside the level as an
        array of shape (h, w, 3), uint8, RGB; x and y are in pixels of this level.
    """

    width: int
    height: int
    read_tile: Callable[[int, int, int, int], Image]


Level = Image | tuple[int, int, Callable[[int, int, int, int], Image]]
"""One level of a pyramid: an array of shape (height, width, 3), uint8, or a `TileSource` (or its tuple)."""


@dataclass(frozen=True)
class Codec:
    """How the pixels of all pages are stored."""

    compression: Compression
    quality: int
    subsampling: Subsampling
    photometric: Photometric

    def encode(self, block: Image) -> Image | bytes:
        """Bytes of a JPEG tile; for the lossless kinds the pixels themselves, which tifffile encodes."""
        if self.compression != "jpeg":
            return block
        if self.photometric == "ycbcr":
            jpeg = simplejpeg.encode_jpeg(block, quality=self.quality, colorsubsampling=self.subsampling)
            return bytes(jpeg)
        import imagecodecs

        jpeg = bytes(
            imagecodecs.jpeg8_encode(
                block, level=self.quality, colorspace="rgb", outcolorspace="rgb", subsampling=self.subsampling
            )
        )
        start, stop = _ADOBE_SEGMENT.start, _ADOBE_SEGMENT.stop
        return jpeg[:start] + jpeg[stop:] if jpeg[start : start + 2] == b"\xff\xee" else jpeg

    def options(self) -> dict[str, Any]:
        """Arguments of tifffile's ``write`` that describe the codec."""
        if self.compression == "jpeg":
            return {
                "compression": "jpeg",
                "compressionargs": {"outcolorspace": self.photometric},
                "subsampling": _SAMPLING[self.subsampling],
            }
        return {"compression": "zlib", "predictor": True} if self.compression == "deflate" else {}


@dataclass(frozen=True)
class Page:
    """One image of the file; `tile_size` None is one strip."""

    source: TileSource
    description: str | None
    tile_size: int | None
    kind: int = 0
    resolution: tuple[tuple[int, int], tuple[int, int]] | None = None

    def blocks(self) -> Iterator[Image]:
        """Tiles in row order, those at the edges filled up by repeating their last pixels."""
        width, height, read_tile = self.source
        if self.tile_size is None:
            yield _check_block(read_tile(0, 0, width, height), width, height)
            return
        size = self.tile_size
        for y in range(0, height, size):
            for x in range(0, width, size):
                w, h = min(size, width - x), min(size, height - y)
                block = _check_block(read_tile(x, y, w, h), w, h)
                if (w, h) != (size, size):
                    block = np.pad(block, ((0, size - h), (0, size - w), (0, 0)), mode="edge")
                yield block


def write_pages(path: Path, pages: Sequence[Page], codec: Codec) -> Path:
    """Write the pages in their order; `path` appears when all of them are written."""
    raw = sum(page.source.width * page.source.height * 3 for page in pages)
    with atomic_write(path) as file, tifffile.TiffWriter(file, bigtiff=raw > _CLASSIC_LIMIT) as tiff:
        for page in pages:
            tiff.write(
                cast(Iterator[Any], map(codec.encode, page.blocks())),
                shape=(page.source.height, page.source.width, 3),
                dtype=np.uint8,
                photometric="rgb",
                tile=None if page.tile_size is None else (page.tile_size, page.tile_size),
                rowsperstrip=page.source.height if page.tile_size is None else None,
                description=page.description,
                subfiletype=page.kind,
                resolution=page.resolution,
                resolutionunit=None if page.resolution is None else "CENTIMETER",
                software="slidekit",
                metadata=None,
                **codec.options(),
            )
    return path


def check_levels(path: str | Path, levels: Sequence[Level], *mpps: float | None) -> list[TileSource]:
    """Levels as sources, once they and the µm/px make sense; raises `SpecError`."""
    sources = [as_source(path, level) for level in levels]
    if not sources:
        raise SpecError("A slide needs at least one level.", mend="Give the full-size image.", path=path)
    for larger, smaller in itertools.pairwise(sources):
        if smaller.width > larger.width or smaller.height > larger.height:
            raise SpecError("Levels grow.", mend="Give them from the largest to the smallest.", path=path)
    for mpp in mpps:
        if mpp is not None and not (math.isfinite(mpp) and mpp > 0):
            raise SpecError(f"{mpp!r} is not a µm/px.", mend="Give a positive number, or None.", path=path)
    return sources


def check_tiling(path: str | Path, tile_size: int, quality: int) -> None:
    """Raise `SpecError` unless the tiles can be stored."""
    if tile_size < 16 or tile_size % 16:
        message = f"tile_size={tile_size!r} cannot be stored."
        raise SpecError(message, mend="Give a multiple of 16.", path=path)
    if not 1 <= quality <= 100:
        raise SpecError(f"quality={quality!r} is not a JPEG quality.", mend="Give 1 to 100.", path=path)


def as_source(path: str | Path, level: Level) -> TileSource:
    """One way of reading for arrays and functions; raises `SpecError` for what is not RGB uint8."""
    if isinstance(level, tuple):
        source = TileSource(*level)
    else:
        if level.ndim != 3 or level.shape[2] != 3 or level.dtype != np.uint8:
            raise SpecError(
                f"A level has shape {level.shape} and dtype {level.dtype}.",
                mend="Give arrays of shape (height, width, 3), uint8, RGB.",
                path=path,
            )
        source = TileSource(level.shape[1], level.shape[0], functools.partial(_crop, level))
    if source.width < 1 or source.height < 1:
        raise SpecError("A level has no pixels.", mend="Give levels of at least 1 × 1 px.", path=path)
    return source


def _crop(image: Image, x: int, y: int, w: int, h: int) -> Image:
    return np.ascontiguousarray(image[y : y + h, x : x + w])


def _check_block(block: Image, width: int, height: int) -> Image:
    if block.shape != (height, width, 3) or block.dtype != np.uint8:
        raise SpecError(
            f"read_tile returned shape {block.shape}, dtype {block.dtype} for {width} × {height} px.",
            mend="Return an array of shape (h, w, 3), uint8.",
        )
    return np.ascontiguousarray(block)
