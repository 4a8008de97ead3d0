"""An image as tiles that do not overlap, and tiles as an image again: the one is the exact inverse of the other.

Locations of tiles are (x, y) of their top-left corner, in pixels of the image that they were cut from; where the image
was padded to whole tiles they may be negative. `slide_locations` says where that is on the slide.
"""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from slidekit.errors import SpecError
from slidekit.pixels.image import WHITE

__all__ = ["Layout", "assemble", "crop_back", "padding", "slide_locations", "tile_array", "tile_corners"]

Layout = Literal["NHWC", "NCHW"]
"""Order of the axes of tiles with channels: tile, row, column, channel, or the channel before row and column."""

Locations = npt.NDArray[np.int64]
"""(n, 2): x and y of top-left corners."""

T = TypeVar("T", bound=np.generic)


def padding(length: int, tile_px: int) -> tuple[int, int]:
    """Pixels to add before and after an axis so that it holds whole tiles; an odd one is added after.

    Parameters
    ----------
    length
        Pixels of the axis.
    tile_px
        Edge of a tile, pixels.

    Raises
    ------
    SpecError
        If either is not positive.
    """
    if isinstance(tile_px, bool) or not isinstance(tile_px, Integral):
        raise SpecError(f"tile_px={tile_px!r} is no number of pixels.", mend="Give a whole number.")
    if tile_px < 1 or length < 1:
        raise SpecError(f"{length} px cannot be cut into tiles of {tile_px} px.", mend="Give positive sizes.")
    missing = -length % tile_px
    return missing // 2, missing - missing // 2


def tile_corners(width: int, height: int, tile_px: int) -> Locations:
    """Where the tiles of an image lie, row by row.

    Parameters
    ----------
    width, height
        Size of the image, pixels.
    tile_px
        Edge of a tile, pixels.

    Returns
    -------
    ndarray (n, 2), int64
        (x, y) of top-left corners, pixels of the image; those of the first row and column are negative where it is
        padded.
    """
    left, top = padding(width, tile_px)[0], padding(height, tile_px)[0]
    xs, ys = np.arange(-left, width, tile_px), np.arange(-top, height, tile_px)
    return np.stack([np.tile(xs, len(ys)), np.repeat(ys, len(xs))], axis=1).astype(np.int64)


def tile_array(
    image: npt.NDArray[T], tile_px: int, *, fill: float = WHITE, layout: Layout = "NHWC"
) -> tuple[npt.NDArray[T], Locations]:
    """Cut an image into tiles that do not overlap and cover all of it.

    The image is padded alike on opposite sides to whole tiles; an odd pixel goes to the right and to the bottom.

    Parameters
    ----------
    image
        (h, w) or (h, w, c), of any dtype.
    tile_px
        Edge of a tile, pixels.
    fill
        Value of the padding: white for pictures; give 0 for masks.
    layout
        Axes of the tiles, where the image has channels.

    Returns
    -------
    (ndarray, ndarray)
        Tiles (n, tile_px, tile_px), with channels (n, tile_px, tile_px, c) or (n, c, tile_px, tile_px), row by row;
        and their (x, y) in the image, (n, 2) int64.

    Raises
    ------
    SpecError
        If the image has no pixels or other axes, or sizes or the layout make no sense.
    """
    _check_layout(layout)
    if not isinstance(image, np.ndarray):
        raise SpecError(f"A {type(image).__name__} is no image.", mend="Give a numpy array.")
    if image.ndim not in (2, 3):
        raise SpecError(f"An image of shape {image.shape} cannot be cut.", mend="Give (h, w) or (h, w, channels).")
    height, width = image.shape[:2]
    down, across = padding(height, tile_px), padding(width, tile_px)
    widths = [down, across] + [(0, 0)] * (image.ndim - 2)
    padded = np.pad(image, widths, constant_values=fill)
    rows, columns = padded.shape[0] // tile_px, padded.shape[1] // tile_px
    blocks = padded.reshape(rows, tile_px, columns, tile_px, *image.shape[2:]).swapaxes(1, 2)
    tiles = blocks.reshape(rows * columns, tile_px, tile_px, *image.shape[2:])
    if layout == "NCHW" and image.ndim == 3:
        tiles = np.moveaxis(tiles, 3, 1)
    return np.ascontiguousarray(tiles), tile_corners(width, height, tile_px)


def assemble(
    tiles: npt.NDArray[T], locations: npt.ArrayLike, *, fill: float = WHITE, layout: Layout = "NHWC"
) -> tuple[npt.NDArray[T], tuple[int, int]]:
    """Put tiles where they belong: the inverse of `tile_array`.

    Parameters
    ----------
    tiles
        As `tile_array` gives them; some may be missing, and they may be in any order. Where tiles overlap the last
        one shows.
    locations
        (n, 2): x and y of each, whole pixels.
    fill
        Value where there is no tile; of floats it may be NaN.
    layout
        Axes of the tiles, where they have channels.

    Returns
    -------
    (ndarray, (int, int))
        The smallest image (h, w) or (h, w, c) that holds all tiles, and the (x, y) of its first pixel in the frame of
        `locations`. `crop_back` takes both, and gives the image that was cut.

    Raises
    ------
    SpecError
        If there is no tile, or tiles and locations do not go together.
    """
    _check_layout(layout)
    corners = _whole(locations, len(tiles))
    if tiles.ndim not in (3, 4) or not len(tiles):
        raise SpecError(f"Tiles of shape {tiles.shape} cannot be put together.", mend="Give at least one tile.")
    if layout == "NCHW" and tiles.ndim == 4:
        tiles = np.moveaxis(tiles, 1, 3)
    rows, columns = tiles.shape[1:3]
    first_x, first_y = (int(value) for value in corners.min(axis=0))
    last_x, last_y = (int(value) for value in corners.max(axis=0))
    shape = (last_y - first_y + rows, last_x - first_x + columns, *tiles.shape[3:])
    image = np.full(shape, fill, tiles.dtype)
    for tile, (x, y) in zip(tiles, corners - (first_x, first_y), strict=True):
        image[y : y + rows, x : x + columns] = tile
    return image, (first_x, first_y)


def crop_back(
    image: npt.NDArray[T], offset: tuple[int, int], size: tuple[int, int], *, fill: float = WHITE
) -> npt.NDArray[T]:
    """Take the padding off an assembled image, and put back where tiles at its borders are missing.

    Parameters
    ----------
    image, offset
        What `assemble` gives.
    size
        Width and height of the image that was cut, pixels.
    fill
        Value where the assembled image does not reach.

    Returns
    -------
    ndarray (h, w) or (h, w, c)
        In the frame of the image that was cut: pixel (0, 0) is its first.
    """
    width, height = size
    whole = np.full((height, width, *image.shape[2:]), fill, image.dtype)
    x, y = offset
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + image.shape[1], width), min(y + image.shape[0], height)
    if right > left and bottom > top:
        whole[top:bottom, left:right] = image[top - y : bottom - y, left - x : right - x]
    return whole


def slide_locations(
    locations: npt.ArrayLike,
    downsample: float | tuple[float, float],
    *,
    origin: tuple[float, float] = (0.0, 0.0),
) -> npt.NDArray[np.float64]:
    """Level-0 places of tiles that were cut from a part of a level.

    Parameters
    ----------
    locations
        (n, 2): x and y in pixels of the level, relative to the part.
    downsample
        Level-0 pixels per pixel of the level, along x and y; not rounded: a level of 3.9998 lies 5 px off at
        x = 100 000 if 4 is taken for it, and at a quarter of the place if 3 is.
    origin
        (x, y) of the part's first pixel, **level-0** pixels.

    Returns
    -------
    ndarray (n, 2), float64
        (x, y), level-0 pixels, exact; round them last of all.

    Raises
    ------
    SpecError
        If the downsample is not positive and finite, or there are not two coordinates a tile.
    """
    scale = np.broadcast_to(np.asarray(downsample, np.float64), (2,))
    if not all(math.isfinite(value) and value > 0 for value in scale):
        raise SpecError(f"downsample={downsample!r} is none.", mend="Give level-0 pixels per pixel of the level.")
    places = np.asarray(locations, np.float64).reshape(-1, 2) if np.size(locations) else np.empty((0, 2))
    return np.asarray(places * scale + np.asarray(origin, np.float64))


def _whole(locations: npt.ArrayLike, count: int) -> Locations:
    places: npt.NDArray[Any] = np.asarray(locations)
    if places.shape != (count, 2):
        message = f"There are {count} tiles, and locations of shape {places.shape}."
        raise SpecError(message, mend="Give one (x, y) a tile.")
    whole: Locations = np.rint(places).astype(np.int64)
    if not np.array_equal(whole, places):
        raise SpecError("Locations are not whole pixels.", mend="Give them in pixels of the level that was cut.")
    return whole


def _check_layout(layout: str) -> None:
    if layout not in ("NHWC", "NCHW"):
        raise SpecError(f"layout={layout!r} is not a layout.", mend="Take NHWC or NCHW.")
