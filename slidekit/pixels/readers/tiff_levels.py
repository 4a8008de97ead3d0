"""The pages of a TIFF that are the levels of one slide; labels, macros and thumbnails are not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from operator import index
from pathlib import Path
from struct import error as struct_error

import tifffile

from slidekit.errors import SlideOpenError
from slidekit.pixels.readers.base import UnsuitableError

__all__ = ["OTHER_LAYOUTS", "TIFF_ERRORS", "TiffLevel", "tiff_levels"]

_JPEG = 7
_RGB = 2
_REDUCED = 1  # of NewSubfileType: a smaller version of another page

OTHER_LAYOUTS = frozenset({"hamamatsu", "leica", "philips-tiff", "trestle", "ventana", "sakura"})
"""Formats whose TIFF pages are not simply the levels of one image: scattered scans, overlapping or padded tiles."""

TIFF_ERRORS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    struct_error,
)
"""What tifffile raises on damaged directories: it trusts counts, types and offsets."""


@dataclass(frozen=True)
class TiffLevel:
    """One level, and where its bytes are.

    Attributes
    ----------
    width, height
        Size in pixels.
    tile_width, tile_height
        Size of a tile; a strip is a tile as wide as the image.
    offsets, counts
        Place and length in bytes of each tile, row by row; a length of 0 is an absent tile.
    compression, photometric, predictor
        TIFF's codes.
    interleaved_rgb8
        Whether samples are 8-bit R, G, B, pixel by pixel.
    tables
        The tag ``JPEGTables``, or None.
    page, subifd
        Where libvips finds it.
    path
        The file.
    """

    width: int
    height: int
    tile_width: int
    tile_height: int
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    compression: int
    photometric: int
    predictor: int
    interleaved_rgb8: bool
    tables: bytes | None
    page: int
    subifd: int | None
    path: Path

    @property
    def columns(self) -> int:
        """Tiles in a row."""
        return -(-self.width // self.tile_width)

    def jfif_under_rgb_tag(self) -> bool:
        """Whether the tag says RGB but the JPEG stream says JFIF, which is YCbCr; QuPath's OME-TIFFs do."""
        if self.compression != _JPEG or self.photometric != _RGB:
            return False
        # The two are of unequal length in damaged files.
        first = next(((offset, count) for offset, count in zip(self.offsets, self.counts, strict=False) if count), None)
        if first is None:
            return False
        offset, count = first
        try:
            with self.path.open("rb") as file:
                file.seek(offset)
                return b"JFIF\x00" in file.read(min(count, 64))
        except (OSError, OverflowError, ValueError):
            return False


def tiff_levels(path: Path) -> tuple[TiffLevel, ...]:
    """Levels of the slide in a TIFF, largest first.

    Raises
    ------
    UnsuitableError
        If the file is not a TIFF, or its image is not one plane.
    SlideOpenError
        If its directories are damaged.
    """
    try:
        with tifffile.TiffFile(path) as tiff:
            return tuple(_level(path, page) for page in _pages(tiff))
    except tifffile.TiffFileError as error:
        raise UnsuitableError(str(error)) from error
    except TIFF_ERRORS as error:
        raise SlideOpenError(f"its TIFF directories are damaged ({error!r}).", path=path) from error


def _pages(tiff: tifffile.TiffFile) -> list[tifffile.TiffPage]:
    """Pages of the levels by the rules of OpenSlide where it knows the format.

    tifffile's own series lose levels: they take the second page of every SVS for a thumbnail, tiled or not, and leave
    out levels of generic TIFFs that are much smaller than the one before.
    """
    first = tiff.pages.first
    if first.is_tiled and not tiff.is_ome:
        pages = [page for page in tiff.pages if isinstance(page, tifffile.TiffPage) and page.is_tiled]
        if not tiff.is_svs:
            pages = [page for page in pages if page.index == 0 or page.subfiletype & _REDUCED]
        return sorted(pages, key=lambda page: -page.imagewidth)
    if not tiff.series:
        raise UnsuitableError("no image in the TIFF")
    series = tiff.series[0]
    if series.keyframe.samplesperpixel == 1 and len(series.levels[0].pages) > 1:
        raise UnsuitableError("several planes that are not one RGB image")
    return [level.keyframe for level in series.levels]


def _level(path: Path, page: tifffile.TiffPage) -> TiffLevel:
    if min(page.imagewidth, page.imagelength) < 1:
        raise ValueError("a page without pixels")
    tile_width = int(page.tilewidth or page.imagewidth)
    tile_height = int(page.tilelength or min(page.rowsperstrip or page.imagelength, page.imagelength))
    if min(tile_width, tile_height) < 1:
        raise ValueError("tiles without pixels")
    if not isinstance(page.jpegtables, bytes | None):
        raise TypeError("JPEG tables that are not bytes")
    where = page.treeindex
    return TiffLevel(
        width=int(page.imagewidth),
        height=int(page.imagelength),
        tile_width=tile_width,
        tile_height=tile_height,
        offsets=_whole_numbers(page.dataoffsets),
        counts=_whole_numbers(page.databytecounts),
        compression=int(page.compression),
        photometric=int(page.photometric),
        predictor=int(page.predictor),
        interleaved_rgb8=(page.samplesperpixel, page.bitspersample, page.planarconfig, page.imagedepth) == (3, 8, 1, 1),
        tables=page.jpegtables,
        page=int(where[0]),
        subifd=None if len(where) == 1 else _subifd(page),
        path=path,
    )


def _whole_numbers(values: Iterable[int]) -> tuple[int, ...]:
    numbers = tuple(values)
    # tifffile gives what a tag says, and damaged tags say fractions or text; all values of a tag are of one type.
    if numbers:
        index(numbers[0])
    return numbers


def _subifd(page: tifffile.TiffPage) -> int:
    # By its offset: the numbers that tifffile gives to pages of a series count the full-size page as well.
    parent = page.parent.pages[page.treeindex[0]]
    return list(parent.subifds or ()).index(page.offset) if isinstance(parent, tifffile.TiffPage) else 0
