"""Tiles of a stored level where a mask says that there is something: by level and pixels, without microns.

hi-ml's way of cutting, for work that has to match it; `WSI` cuts by physical size. A region of the level is padded to
whole tiles with white, the mask under it with nothing, and read row by row: memory is that of one row of tiles.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slidekit.errors import SlideReadError, SpecError
from slidekit.pixels.image import WHITE, RGBImage
from slidekit.pixels.readers import Level, SlideReader
from slidekit.pixels.tiling import padding, slide_locations, tile_corners
from slidekit.slide.foreground import Box, MaskSource

__all__ = ["LevelRegion", "LevelTile", "find_region", "read_level_tiles"]

_ROUNDING = 1e-6


@dataclass(frozen=True)
class LevelRegion:
    """A rectangle of a level that is cut into tiles.

    Attributes
    ----------
    number
        Of the level.
    level
        Its geometry.
    x, y
        Top-left corner, pixels of the level.
    width, height
        Size, the same.
    tile_px
        Edge of a tile, the same.
    """

    number: int
    level: Level
    x: int
    y: int
    width: int
    height: int
    tile_px: int

    @property
    def locations(self) -> npt.NDArray[np.int64]:
        """(n, 2): (x, y) of the tiles in the region, row by row, pixels of the level; negative where it is padded."""
        return tile_corners(self.width, self.height, self.tile_px)

    @property
    def corners(self) -> npt.NDArray[np.float64]:
        """(n, 2): (x, y) of the tiles on the slide, level-0 pixels, exact."""
        downsample = self.level.downsample_x, self.level.downsample_y
        return slide_locations(self.locations, downsample, origin=(self.x * downsample[0], self.y * downsample[1]))

    @property
    def tile_size(self) -> tuple[float, float]:
        """Edge of a tile along x and y, level-0 pixels."""
        return self.tile_px * self.level.downsample_x, self.tile_px * self.level.downsample_y


@dataclass(frozen=True)
class LevelTile:
    """A tile, kept or not.

    Attributes
    ----------
    location
        (x, y) in the region, pixels of the level.
    corner
        (x, y) on the slide, level-0 pixels.
    occupancy
        Share of its pixels that the mask says to be foreground, 0–1.
    image
        (tile_px, tile_px, 3), uint8, RGB; None where the occupancy is too small, or the tile cannot be read.
    mask
        (tile_px, tile_px), bool; None where there is no image.
    error
        Why it cannot be read.
    """

    location: tuple[int, int]
    corner: tuple[float, float]
    occupancy: float
    image: RGBImage | None = None
    mask: npt.NDArray[np.bool_] | None = None
    error: SlideReadError | None = None


def find_region(
    reader: SlideReader, box: Box | None, *, level: int, tile_px: int, margin: float = 64
) -> LevelRegion | None:
    """The part of a level that holds a box with a margin around it, within the slide.

    Parameters
    ----------
    reader
        The slide.
    box
        Level-0 pixels; None for nothing, which has no region.
    level
        Number of the level.
    tile_px
        Edge of a tile, pixels of the level.
    margin
        Pixels of the slide's lowest level.

    Raises
    ------
    SpecError
        If there is no such level, or a size makes no sense.
    """
    if not 0 <= level < len(reader.levels):
        message = f"The slide has no level {level}, but 0 to {len(reader.levels) - 1}."
        raise SpecError(message, mend="Choose one of these.", path=reader.path)
    if tile_px < 1 or not 0 <= margin < math.inf:
        raise SpecError(f"tile_px={tile_px}, margin={margin} make no sense.", mend="Give a positive tile_px.")
    if box is None:
        return None
    at, lowest = reader.levels[level], reader.levels[-1]
    around = margin * lowest.downsample_x, margin * lowest.downsample_y
    left = max(0, math.floor((box[0] - around[0]) / at.downsample_x + _ROUNDING))
    top = max(0, math.floor((box[1] - around[1]) / at.downsample_y + _ROUNDING))
    right = min(at.width, math.ceil((box[2] + around[0]) / at.downsample_x - _ROUNDING))
    bottom = min(at.height, math.ceil((box[3] + around[1]) / at.downsample_y - _ROUNDING))
    if right <= left or bottom <= top:
        return None
    return LevelRegion(level, at, left, top, right - left, bottom - top, tile_px)


def read_level_tiles(
    reader: SlideReader, mask: MaskSource, region: LevelRegion, *, min_occupancy: float = 0.05
) -> Iterator[LevelTile]:
    """Cut a region, keeping the tiles whose occupancy is strictly above a limit.

    Parameters
    ----------
    reader
        The slide.
    mask
        Its foreground.
    region
        What to cut.
    min_occupancy
        The limit.

    Yields
    ------
    LevelTile
        All of the region's, row by row; those that are not kept, too. Of a row without a tile to keep no pixel of the
        slide is read, and of others only from the first to the last tile that is kept.
    """
    px = region.tile_px
    locations, corners = region.locations, region.corners
    columns = -(-region.width // px)
    for first in range(0, len(locations), columns):
        row = slice(first, first + columns)
        masks = _mask_row(mask, region, locations[row])
        occupancies = masks.reshape(columns, -1).mean(axis=1)
        kept = occupancies > min_occupancy
        images = _read_row(reader, region, locations[row], kept)
        for k, image in enumerate(images):
            tile = LevelTile(
                (int(locations[first + k, 0]), int(locations[first + k, 1])),
                (float(corners[first + k, 0]), float(corners[first + k, 1])),
                float(occupancies[k]),
                image=image if isinstance(image, np.ndarray) else None,
                mask=masks[k] if isinstance(image, np.ndarray) else None,
                error=image if isinstance(image, SlideReadError) else None,
            )
            yield tile


def _mask_row(mask: MaskSource, region: LevelRegion, locations: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Masks (n, tile_px, tile_px) of a row of tiles; nothing outside the region."""
    px = region.tile_px
    y = int(locations[0, 1])
    row = np.zeros((px, len(locations) * px), np.bool_)
    top, bottom = max(y, 0), min(y + px, region.height)
    left = padding(region.width, px)[0]
    part = mask.read(region.level, region.x, region.y + top, region.width, bottom - top)
    row[top - y : bottom - y, left : left + region.width] = part
    return np.ascontiguousarray(row.reshape(px, len(locations), px).swapaxes(0, 1))


def _read_row(
    reader: SlideReader, region: LevelRegion, locations: npt.NDArray[np.int64], kept: npt.NDArray[np.bool_]
) -> list[RGBImage | SlideReadError | None]:
    """Pixels of the tiles of a row that are kept; where the row is damaged they are read one by one."""
    px = region.tile_px
    images: list[RGBImage | SlideReadError | None] = [None] * len(locations)
    (wanted,) = np.nonzero(kept)
    if not len(wanted):
        return images
    first, last = int(wanted[0]), int(wanted[-1])
    try:
        strip = _read_padded(reader, region, locations[first], last + 1 - first)
    except SlideReadError:
        for k in wanted.tolist():
            try:
                images[k] = _read_padded(reader, region, locations[k], 1)
            except SlideReadError as error:
                images[k] = error
        return images
    for k in wanted.tolist():
        images[k] = np.ascontiguousarray(strip[:, (k - first) * px : (k - first + 1) * px])
    return images


def _read_padded(reader: SlideReader, region: LevelRegion, location: npt.NDArray[np.int64], count: int) -> RGBImage:
    """Neighbouring tiles of a row as one image; white outside the region, whatever the slide has there."""
    px = region.tile_px
    x, y = (int(value) for value in location)
    image = np.full((px, count * px, 3), WHITE, np.uint8)
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + count * px, region.width), min(y + px, region.height)
    image[top - y : bottom - y, left - x : right - x] = reader.read(
        region.number, region.x + left, region.y + top, right - left, bottom - top
    )
    return image
