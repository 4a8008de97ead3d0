"""Decoded native tiles of many slides within one budget of memory: those that were not asked for longest go first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from slidekit.pixels.image import RGBImage
from slidekit.pixels.native import Plane, TileCache

__all__ = ["SlideTiles", "TileStore"]

_Key = tuple[int, Plane, int, int]


class TileStore:
    """Tiles of the slides of one process; for one thread.

    Patches come back to a slide in each window of look-ahead. What an earlier window decoded is of use again, so
    nothing is let go before memory runs out, unlike in `TileCache`, which serves one pass down a slide.

    Parameters
    ----------
    budget
        Bytes of pixels to hold at most; one tile is held in any case.

    Attributes
    ----------
    held
        Bytes of pixels that are held.
    decodes
        Tiles that were put here so far, each of which was decoded for it.
    """

    def __init__(self, budget: int) -> None:
        self.held = 0
        self.decodes = 0
        self._budget = budget
        self._tiles: OrderedDict[_Key, RGBImage] = OrderedDict()

    def of(self, slide: int) -> SlideTiles:
        """The tiles of a slide, as its reader wants them."""
        return SlideTiles(self, slide)

    def get(self, key: _Key) -> RGBImage | None:
        """A tile, if it is held."""
        tile = self._tiles.get(key)
        if tile is not None:
            self._tiles.move_to_end(key)
        return tile

    def put(self, key: _Key, tile: RGBImage) -> None:
        """Hold a tile; others go if there is no room."""
        self.decodes += 1
        self._tiles[key] = tile
        self.held += tile.nbytes
        while self.held > self._budget and len(self._tiles) > 1:
            self.held -= self._tiles.popitem(last=False)[1].nbytes

    def drop(self, slide: int) -> None:
        """Let go of all tiles of a slide."""
        for key in [key for key in self._tiles if key[0] == slide]:
            self.held -= self._tiles.pop(key).nbytes


class SlideTiles(TileCache):
    """The tiles of one slide in a `TileStore`.

    Parameters
    ----------
    store
        Where they are held.
    slide
        Number of the slide.
    """

    def __init__(self, store: TileStore, slide: int) -> None:
        super().__init__(0)
        self._store = store
        self._slide = slide

    @contextmanager
    def reading(self, plane: Plane, first_row: int, last_row: int) -> Iterator[None]:
        """As `TileCache.reading`; nothing goes because of it."""
        yield

    def get(self, plane: Plane, row: int, column: int) -> RGBImage | None:
        """The tile at a place, if it is held."""
        return self._store.get((self._slide, plane, row, column))

    def put(self, plane: Plane, row: int, column: int, tile: RGBImage) -> None:
        """Hold a tile."""
        self._store.put((self._slide, plane, row, column), tile)

    def clear(self) -> None:
        """Let go of all tiles of the slide."""
        self._store.drop(self._slide)
