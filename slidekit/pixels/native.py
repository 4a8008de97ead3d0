"""Decoded native tiles, kept while they are likely to be asked for again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from slidekit.pixels.image import RGBImage

__all__ = ["TileCache"]


class TileCache:
    """Least-recently-used tiles within a budget of bytes; safe for threads.

    Parameters
    ----------
    budget
        Bytes of pixels to hold at most; the tile last made is held in any case.
    """

    def __init__(self, budget: int = 128 << 20) -> None:
        self._budget = budget
        self._held = 0
        self._tiles: OrderedDict[Hashable, RGBImage] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], RGBImage]) -> RGBImage:
        """The tile under `key`, made by `make` if it is not held.

        Two threads that miss the same tile at once both make it: cheaper than making one wait.
        """
        with self._lock:
            tile = self._tiles.get(key)
            if tile is not None:
                self._tiles.move_to_end(key)
                return tile
        tile = make()
        with self._lock:
            if key not in self._tiles:
                self._tiles[key] = tile
                self._held += tile.nbytes
            while self._held > self._budget and len(self._tiles) > 1:
                self._held -= self._tiles.popitem(last=False)[1].nbytes
        return tile

    def clear(self) -> None:
        """Let go of all tiles."""
        with self._lock:
            self._tiles.clear()
            self._held = 0
