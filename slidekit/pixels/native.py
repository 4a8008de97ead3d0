"""Decoded native tiles, kept while a pass over the slide may ask for them again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from slidekit.pixels.image import RGBImage

__all__ = ["Plane", "TileCache"]

Plane = tuple[int, int]
"""A level and the reduction that it was decoded with; their tiles are different tiles."""


class TileCache:
    """Tiles that a pass down the slide, row by row, will ask for again, within a budget of bytes; safe for threads.

    A pass asks for a tile again in the strip to the right and in the row of strips below. Where reads follow one
    another downwards, rows of tiles above all that are under way are let go; reads here and there keep what they had.
    When memory runs out, tiles of other planes go first, then those highest up, in the order in which they came.
    Least-recently-used would let go of just the row of tiles that the next strips begin with.

    Parameters
    ----------
    budget
        Bytes of pixels to hold at most; one tile is held in any case.
    """

    def __init__(self, budget: int = 96 << 20) -> None:
        self._budget = budget
        self._held = 0
        self._rows: dict[tuple[Plane, int], dict[int, RGBImage]] = {}
        self._under_way: list[tuple[Plane, int]] = []
        self._last_read: dict[Plane, tuple[int, int]] = {}
        self._next_to_go: tuple[Plane, int] | None = None
        self._lock = threading.Lock()

    @contextmanager
    def reading(self, plane: Plane, first_row: int, last_row: int) -> Iterator[None]:
        """Say that a read is under way of tiles in the rows from `first_row` to `last_row`.

        A read above everything that is held begins a new pass: what the old one left is of no use to it.
        """
        with self._lock:
            self._under_way.append((plane, first_row))
            held = [row for at, row in self._rows if at == plane]
            begun = [row for at, row in self._under_way if at == plane]
            before, self._last_read[plane] = self._last_read.get(plane), (first_row, last_row)
            goes_on = before is not None and before[0] <= first_row <= before[1] + 1
            # Only for want of room: two that read in turns, far apart, would take each other's tiles away.
            new_pass = bool(held) and last_row < min(held) and len(begun) == 1 and self._held > self._budget // 2
            for row in held:
                if new_pass or (goes_on and row < min(begun)):
                    self._held -= sum(tile.nbytes for tile in self._rows.pop((plane, row)).values())
        try:
            yield
        finally:
            with self._lock:
                self._under_way.remove((plane, first_row))

    def get(self, plane: Plane, row: int, column: int) -> RGBImage | None:
        """The tile at a place, if it is held."""
        with self._lock:
            tiles = self._rows.get((plane, row))
            return None if tiles is None else tiles.get(column)

    def put(self, plane: Plane, row: int, column: int, tile: RGBImage) -> None:
        """Hold a tile.

        Two threads that miss the same tile at once both make it: cheaper than making one wait.
        """
        with self._lock:
            tiles = self._rows.get((plane, row))
            if tiles is None:
                tiles = self._rows[plane, row] = {}
                self._next_to_go = None  # it may be this one
            if column not in tiles:
                tiles[column] = tile
                self._held += tile.nbytes
                if self._held > self._budget:
                    self._make_room(plane)

    def _make_room(self, plane: Plane) -> None:
        while self._held > self._budget and (len(self._rows) > 1 or len(next(iter(self._rows.values()))) > 1):
            if self._next_to_go not in self._rows:
                self._next_to_go = min(self._rows, key=lambda key: (key[0] == plane, key[1]))
            tiles = self._rows[self._next_to_go]
            self._held -= tiles.pop(next(iter(tiles))).nbytes
            if not tiles:
                del self._rows[self._next_to_go]

    def clear(self) -> None:
        """Let go of all tiles."""
        with self._lock:
            self._rows.clear()
            self._next_to_go = None
            self._held = 0
