"""The cache of native tiles."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from slidekit.pixels.native import TileCache


class Maker:
    def __init__(self, size: int = 100) -> None:
        self.made: list[int] = []
        self._size = size

    def __call__(self, cache: TileCache, key: int) -> np.ndarray:
        def make() -> np.ndarray:
            self.made.append(key)
            return np.full((1, self._size, 1), key % 256, np.uint8)

        return cache.get(key, make)


def test_a_tile_is_made_once():
    cache, get = TileCache(), Maker()
    assert get(cache, 7) is get(cache, 7)
    assert get.made == [7]


def test_the_tile_that_was_not_asked_for_longest_goes_first():
    cache, get = TileCache(300), Maker()
    for key in (1, 2, 3, 1, 4, 1, 3, 2):
        get(cache, key)
    assert get.made == [1, 2, 3, 4, 2]


def test_a_tile_beyond_the_budget_is_held_alone():
    cache, get = TileCache(10), Maker()
    for key in (1, 1, 2, 2, 1):
        get(cache, key)
    assert get.made == [1, 2, 1]


def test_clear_lets_go():
    cache, get = TileCache(), Maker()
    get(cache, 1)
    cache.clear()
    get(cache, 1)
    assert get.made == [1, 1]


def test_what_fails_is_not_held():
    cache, get = TileCache(), Maker()

    def fail() -> np.ndarray:
        raise ValueError("damaged")

    with pytest.raises(ValueError, match="damaged"):
        cache.get(1, fail)
    assert get(cache, 1)[0, 0, 0] == 1


def test_threads_get_the_right_tiles_and_the_budget_holds():
    cache, get = TileCache(1000), Maker()
    keys = np.random.default_rng(0).integers(0, 30, 2000).tolist()
    with ThreadPoolExecutor(8) as pool:
        tiles = list(pool.map(lambda key: get(cache, key), keys))
    assert [int(tile[0, 0, 0]) for tile in tiles] == keys
    assert cache._held <= 1000
    assert cache._held == sum(tile.nbytes for tile in cache._tiles.values())
