"""Images of a batch of records to one array."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import RecordError
from slidekit.io.tile_image import decode_into, image_shape
from slidekit.loading.options import whole_number
from slidekit.loading.stream import TileStream
from slidekit.loading.tiles import RawTiles

__all__ = ["Decoder", "decode_tiles", "image_size"]

_MOST_THREADS = 4
"""More wait for each other: reading records is Python's."""


def decode_tiles(tiles: RawTiles, out: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Decode the images of a batch.

    Parameters
    ----------
    tiles
        What was read.
    out
        (n, h, w, 3), uint8, C-contiguous: where they go.

    Returns
    -------
    ndarray (n, h, w, 3), uint8, RGB
        `out`.

    Raises
    ------
    RecordError
        If an image cannot be decoded, or is of another size; names file, slide and tile.
    """
    _decode_some(tiles, out, range(len(tiles)))
    return out


class Decoder:
    """Decodes batches in several threads; the pixels are the same whatever their number.

    Parameters
    ----------
    num_threads
        How many; None takes one for each core that this process may use, up to four.

    Raises
    ------
    SpecError
        If it is not a number of threads.
    """

    def __init__(self, num_threads: int | None = None) -> None:
        if num_threads is None:
            num_threads = min(_MOST_THREADS, len(os.sched_getaffinity(0)))
        self._num_threads = whole_number("num_threads", num_threads, 1)
        # With the process that it is of: one that is forked gets the pool without its threads.
        self._pool: tuple[int, ThreadPoolExecutor] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pool": None}

    def decode(self, tiles: RawTiles, out: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """As `decode_tiles`."""
        threads = min(self._num_threads, len(tiles))
        if threads == 1:
            return decode_tiles(tiles, out)
        pool = self._own_pool()
        parts = [range(first, len(tiles), threads) for first in range(threads)]
        for _ in pool.map(lambda part: _decode_some(tiles, out, part), parts):
            pass
        return out

    def _own_pool(self) -> ThreadPoolExecutor:
        process = os.getpid()
        if self._pool is None or self._pool[0] != process:
            self._pool = (process, ThreadPoolExecutor(self._num_threads, thread_name_prefix="slidekit-decode"))
        return self._pool[1]


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


def _decode_some(tiles: RawTiles, out: NDArray[np.uint8], numbers: Iterable[int]) -> None:
    for number in numbers:
        _decode(tiles, number, out[number])


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
        f"the tile at ({x}, {y}) of slide {tiles.slides[number]!r}{tiles.size and f', {tiles.size},'} {what}.",
        mend="Extract the slide again; slidekit verify names all that is damaged.",
        path=tiles.paths[number],
    )
