"""Decoded native tiles, kept while a pass over the slide may ask for them again."""

from __future__ import annotations

import threading
from collections.abc import Callable

from slidekit.pixels.image import RGBImage

__all__ = ["Plane", "TileCache"]

Plane = tuple[int, int]
"""A level and the reduction that it was decoded with; their tiles are different tiles."""


class TileCache:
    """Tiles within a budget of bytes, for passes that go down a slide row by row; safe for threads.

    A pass asks for a tile again in the strip to the right and in the row of strips below. So when memory runs out,
    tiles of other planes go first, then those highest up, in the order in which they came: what lies below is still
    to be passed. Least-recently-used would let go of just the row of tiles that the next strips begin with.

    Parameters
    ----------
    budget
        Bytes of pixels to hold at most; one tile is held in any case.
    """

    def __init__(self, budget: int = 96 << 20) -> None:
        self._budget = budget
        self._held = 0
        self._rows: dict[tuple[Plane, int], dict[int, RGBImage]] = {}
        self._lock = threading.Lock()

    def begin(self, plane: Plane, last_row: int) -> None:
        """Say that a read begins whose lowest tiles lie in `last_row`.

        A read above everything that is held begins a new pass: what the old one left is of no use to it.
        """
        with self._lock:
            held = [key for key in self._rows if key[0] == plane]
            if held and last_row < min(row for _, row in held):
                for key in held:
                    self._held -= sum(tile.nbytes for tile in self._rows.pop(key).values())

    def get(self, plane: Plane, row: int, column: int, make: Callable[[], RGBImage]) -> RGBImage:
        """The tile at a place, made by `make` if it is not held.

        Two threads that miss the same tile at once both make it: cheaper than making one wait.
        """
        with self._lock:
            tile = self._rows.get((plane, row), {}).get(column)
        if tile is not None:
            return tile
        tile = make()
        with self._lock:
            tiles = self._rows.setdefault((plane, row), {})
            if column not in tiles:
                tiles[column] = tile
                self._held += tile.nbytes
                self._make_room(plane)
        return tile

    def _make_room(self, plane: Plane) -> None:
        while self._held > self._budget and (len(self._rows) > 1 or len(next(iter(self._rows.values()))) > 1):
            key = min(self._rows, key=lambda key: (key[0] == plane, key[1]))
            tiles = self._rows[key]
            self._held -= tiles.pop(next(iter(tiles))).nbytes
            if not tiles:
                del self._rows[key]

    def clear(self) -> None:
        """Let go of all tiles."""
        with self._lock:
            self._rows.clear()
            self._held = 0
