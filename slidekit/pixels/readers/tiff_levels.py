"""The pages of a TIFF that are the levels of one slide; labels, macros and thumbnails are not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from struct import error as struct_error

import tifffile

from slidekit.errors import SlideOpenError
from slidekit.pixels.readers.base import UnsuitableError

__all__ = ["TiffLevel", "tiff_levels"]

_JPEG = 7
_RGB = 2


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
        first = next((place for place, count in enumerate(self.counts) if count), None)
        if first is None:
            return False
        with self.path.open("rb") as file:
            file.seek(self.offsets[first])
            return b"JFIF\x00" in file.read(min(self.counts[first], 64))


def tiff_levels(path: Path) -> tuple[TiffLevel, ...]:
    """Levels of the slide in a TIFF, largest first.

    Raises
    ------
    UnsuitableError
        If the file is not a TIFF of 8-bit RGB.
    SlideOpenError
        If its directories are damaged.
    """
    try:
        with tifffile.TiffFile(path) as tiff:
            if not tiff.series:
                raise UnsuitableError("no image in the TIFF")
            series = tiff.series[0]
            pages = [level.keyframe for level in series.levels]
            return tuple(_level(path, page) for page in pages)
    except tifffile.TiffFileError as error:
        raise UnsuitableError(str(error)) from error
    except (ValueError, KeyError, IndexError, TypeError, struct_error, OverflowError) as error:
        raise SlideOpenError(f"its TIFF directories are damaged ({error}).", path=path) from error


def _level(path: Path, page: tifffile.TiffPage) -> TiffLevel:
    if page.samplesperpixel != 3 or page.bitspersample != 8 or page.planarconfig != 1 or page.imagedepth != 1:
        raise UnsuitableError("not 8-bit interleaved RGB")
    where = page.treeindex if isinstance(page.treeindex, tuple) else (page.index,)
    return TiffLevel(
        width=page.imagewidth,
        height=page.imagelength,
        tile_width=page.tilewidth or page.imagewidth,
        tile_height=page.tilelength or min(page.rowsperstrip or page.imagelength, page.imagelength),
        offsets=tuple(page.dataoffsets),
        counts=tuple(page.databytecounts),
        compression=int(page.compression),
        photometric=int(page.photometric),
        predictor=int(page.predictor),
        tables=page.jpegtables,
        page=int(where[0]),
        subifd=int(where[1]) if len(where) > 1 else None,
        path=path,
    )
