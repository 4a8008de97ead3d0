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
from slidekit.pixels.readers.directories import check_directories, check_ome

__all__ = ["OTHER_LAYOUTS", "TIFF_ERRORS", "TiffLevel", "tiff_levels"]

_NONE, _JPEG = 1, 7
_RGB = 2
_REDUCED = 1  # of NewSubfileType: a smaller version of another page
_SEPARATE = 2  # of PlanarConfiguration: a plane for each sample
_BYTE = 8  # of BitsPerSample

_OTHER_ASPECT = 0.05
"""By how much a level's proportions may differ from those of the largest."""

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
        If its directories are damaged, or a table of tiles does not fit the size of its image.
    """
    try:
        check_directories(path)
        # Planes are not looked for in other files: their names could lead anywhere.
        with tifffile.TiffFile(path, _multifile=False) as tiff:
            if tiff.is_ome and tiff.ome_metadata:
                check_ome(path, tiff.ome_metadata)
            levels = tuple(_level(path, page) for page in _pages(tiff))
    except tifffile.TiffFileError as error:
        raise UnsuitableError(str(error)) from error
    except TIFF_ERRORS as error:
        raise SlideOpenError(
            f"its TIFF directories are damaged ({error}).", mend="Copy it again.", path=path
        ) from error
    return tuple(level for level in levels if _is_reduction(level, levels[0]))


def _is_reduction(level: TiffLevel, largest: TiffLevel) -> bool:
    """Whether a page can show what the largest one does: a picture of other proportions is no level of it."""
    height = largest.height * level.width / largest.width
    # Sides are rounded, each by its own pixel or two.
    slack = 2 * (1 + largest.height / largest.width)
    return abs(level.height - height) <= _OTHER_ASPECT * height + slack


def _check_table(level: TiffLevel, planes: int) -> None:
    """Refuse a size that lies: tiles would be looked for in wrong places, or shown white where the table ends.

    TIFF 6.0, sections 3 and 15: one entry a tile, row by row, and that for each plane of samples.
    """
    needed = -(-level.height // level.tile_height) * level.columns * planes
    listed = min(len(level.offsets), len(level.counts))
    # Strips beyond the last row do no harm.
    if listed < needed or (listed > needed and level.columns > 1):
        raise SlideOpenError(
            f"its image of {level.width} × {level.height} px in tiles of {level.tile_width} × {level.tile_height}"
            f" would have {needed} tiles, but its table lists {listed}.",
            mend="Copy it again.",
            path=level.path,
        )


def _check_uncompressed(level: TiffLevel) -> None:
    """Refuse the wrong word for the compression, where tiles of it are too short: libtiff fills them up."""
    if level.compression == _NONE and 0 < max(level.counts, default=0) < level.tile_width * level.tile_height:
        raise SlideOpenError(
            "its pixels are said to be uncompressed, but take fewer bytes than that.",
            mend="Copy it again.",
            path=level.path,
        )


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
    level = TiffLevel(
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
    _check_table(level, page.samplesperpixel if page.planarconfig == _SEPARATE else 1)
    if page.bitspersample == _BYTE:
        _check_uncompressed(level)
    return level


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
