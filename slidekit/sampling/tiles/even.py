"""As many tiles for each replica, whatever cannot be read: others stand in for those."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import SlideReadError

if TYPE_CHECKING:
    from slidekit.sampling.feeding.batch import Batch

__all__ = ["even_batches"]

_Tile: TypeAlias = tuple[int, NDArray[np.uint8]]
"""Place of a tile in its share of an epoch, and its image."""

_Rows: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]


def even_batches(
    found: Iterable[Batch], again: Callable[[], Iterable[Batch]], size: int, first: int, count: int
) -> Iterator[_Rows]:
    """Batches of all places of a share; one that cannot be read has the next tile that can.

    Behind the last that can be read it is the last one; where there is none at all from `first` on, the first of the
    whole share.

    Parameters
    ----------
    found
        What is read of the places `first` to `count`: those that cannot be read are missing.
    again
        What is read of the share from its beginning.
    size
        Tiles of a batch; the last has what is left.
    first, count
        The first place, and the one behind the last.

    Yields
    ------
    (places, sources, images)
        (n,) int64: the places; the places whose tiles they have; (n, tile_px, tile_px, 3) uint8.

    Raises
    ------
    SlideReadError
        If no tile of the share can be read.
    """
    rows: list[tuple[int, int, NDArray[np.uint8]]] = []
    for place, (source, image) in enumerate(_all_places(_tiles(found), again, first, count), first):
        rows.append((place, source, image))
        if len(rows) == size or place + 1 == count:
            places, sources, images = zip(*rows, strict=True)
            yield np.array(places, np.int64), np.array(sources, np.int64), np.stack(images)
            rows.clear()


def _tiles(batches: Iterable[Batch]) -> Iterator[_Tile]:
    for batch in batches:
        yield from zip(batch.steps.tolist(), cast("NDArray[np.uint8]", batch.images), strict=True)


def _all_places(
    tiles: Iterator[_Tile], again: Callable[[], Iterable[Batch]], first: int, count: int
) -> Iterator[_Tile]:
    """The tile of each place."""
    place, last = first, None
    for last in tiles:
        for _ in range(place, last[0] + 1):
            yield last
        place = last[0] + 1
    if place < count:
        last = last or next(_tiles(again()), None)
        if last is None:
            raise SlideReadError("No tile of this replica's share can be read.", mend="Look at the report, and copy.")
        for _ in range(place, count):
            yield last
