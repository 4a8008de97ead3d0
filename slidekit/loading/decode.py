"""Images of a batch of records to one array."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import RecordError
from slidekit.io.tile_image import decode_into, image_shape
from slidekit.loading.stream import RawTiles, TileStream

__all__ = ["decode_tiles", "image_size"]


def decode_tiles(
    tiles: RawTiles, out: NDArray[np.uint8], *, pool: ThreadPoolExecutor | None = None
) -> NDArray[np.uint8]:
    """Decode the images of a batch.

    Parameters
    ----------
    tiles
        What was read.
    out
        (n, h, w, 3), uint8, C-contiguous: where they go.
    pool
        Threads to decode in; None decodes here.

    Returns
    -------
    ndarray (n, h, w, 3), uint8, RGB
        `out`.

    Raises
    ------
    RecordError
        If an image cannot be decoded, or is of another size; names file, slide and tile.
    """
    run: Callable[..., Iterable[None]] = map if pool is None else pool.map
    for _ in run(lambda number: _decode(tiles, number, out[number]), range(len(tiles))):
        pass
    return out


def image_size(stream: TileStream) -> tuple[int, int]:
    """Rows and columns of the images of a stream: those that it was told, or those of its first tile.

    Raises
    ------
    RecordError
        If that one is damaged.
    """
    if stream.tile_px is not None:
        return stream.tile_px, stream.tile_px
    tiles = stream.read(stream.numbers(0, 0)[:1])
    try:
        return image_shape(tiles.images[0])
    except ValueError as error:
        raise _damage(tiles, 0, f"cannot be decoded: {error}") from error


def _decode(tiles: RawTiles, number: int, out: NDArray[np.uint8]) -> None:
    try:
        size = decode_into(tiles.images[number], out)
    except ValueError as error:
        raise _damage(tiles, number, f"cannot be decoded: {error}") from error
    if size != out.shape[:2]:
        raise _damage(tiles, number, f"has {size[1]} × {size[0]} px, not {out.shape[1]} × {out.shape[0]}")


def _damage(tiles: RawTiles, number: int, what: str) -> RecordError:
    x, y = tiles.locations[number]
    return RecordError(
        f"the tile at ({x}, {y}) of slide {tiles.slides[number]!r} {what}.",
        mend="Extract the slide again; slidekit verify names all that is damaged.",
        path=tiles.paths[number],
    )
