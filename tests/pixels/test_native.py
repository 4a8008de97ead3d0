"""The cache of native tiles."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from slidekit.pixels.native import TileCache

PLANE = (0, 1)


class Maker:
    """Asks a cache for tiles by (row, column), and notes which it had to make."""

    def __init__(self, size: int = 100) -> None:
        self.made: list[tuple[int, int]] = []
        self._size = size

    def __call__(self, cache: TileCache, row: int, column: int = 0, plane: tuple[int, int] = PLANE) -> np.ndarray:
        tile = cache.get(plane, row, column)
        if tile is None:
            self.made.append((row, column))
            tile = np.full((1, self._size, 1), row % 256, np.uint8)
            cache.put(plane, row, column, tile)
        return tile


def test_a_tile_is_made_once():
    cache, get = TileCache(), Maker()
    assert get(cache, 7) is get(cache, 7)
    assert get.made == [(7, 0)]


def test_planes_and_columns_are_different_tiles():
    cache, get = TileCache(), Maker()
    for column, plane in ((0, (0, 1)), (1, (0, 1)), (0, (0, 2)), (0, (1, 1))):
        get(cache, 3, column, plane)
    assert len(get.made) == 4


def test_a_pass_in_strips_makes_each_tile_once_though_memory_holds_two_rows_only():
    # Arrange: tiles of the output span rows 0-2, 2-4, 4-6 of native tiles; strips go from left to right
    columns = 50
    cache, get = TileCache(2 * columns * 100), Maker()

    # Act
    for top in (0, 2, 4):
        for left in range(0, columns, 5):
            with cache.reading(PLANE, top, top + 2):
                for row in range(top, top + 3):
                    for column in range(left, min(left + 6, columns)):
                        get(cache, row, column)

    # Assert
    assert len(get.made) == len(set(get.made)) == 7 * columns


def test_rows_already_passed_are_let_go_though_there_is_room():
    # Arrange: one thread still reads rows 3-4
    cache, get = TileCache(), Maker()
    with cache.reading(PLANE, 3, 4):
        for row in (3, 4):
            get(cache, row)

        # Act: another begins with rows 4-5
        with cache.reading(PLANE, 4, 5):
            get(cache, 5)
            held_while_both_read = {row for _, row in cache._rows}
    with cache.reading(PLANE, 4, 5):
        held_then = {row for _, row in cache._rows}

    # Assert
    assert held_while_both_read == {3, 4, 5}
    assert held_then == {4, 5}


def test_other_planes_go_first():
    cache, get = TileCache(300), Maker()
    get(cache, 90, plane=(2, 1))
    for row in (5, 6, 7):
        get(cache, row)
    get.made.clear()
    for row in (5, 6, 7):
        get(cache, row)
    assert get.made == []


def test_a_new_pass_begins_with_an_empty_cache():
    # Arrange: the bottom of the slide fills the cache
    cache, get = TileCache(300), Maker()
    for column in range(3):
        get(cache, 100, column)
    get.made.clear()

    # Act: a read further up keeps its own tiles, instead of losing each as the highest
    with cache.reading(PLANE, 2, 2):
        for column in (0, 1, 2, 0, 1, 2):
            get(cache, 2, column)

    # Assert
    assert len(get.made) == 3


def test_a_tile_beyond_the_budget_is_held_alone():
    cache, get = TileCache(10), Maker()
    for row in (1, 1, 2, 2, 1):
        get(cache, row)
    assert get.made == [(1, 0), (2, 0), (1, 0)]


def test_clear_lets_go():
    cache, get = TileCache(), Maker()
    get(cache, 1)
    cache.clear()
    get(cache, 1)
    assert get.made == [(1, 0), (1, 0)]


def test_threads_get_the_right_tiles_and_the_budget_holds():
    cache, get = TileCache(1000), Maker()
    keys = np.random.default_rng(0).integers(0, 30, 2000).tolist()
    with ThreadPoolExecutor(8) as pool:
        tiles = list(pool.map(lambda key: get(cache, key), keys))
    assert [int(tile[0, 0, 0]) for tile in tiles] == keys
    assert cache._held <= 1000
    assert cache._held == sum(tile.nbytes for tiles in cache._rows.values() for tile in tiles.values())


def test_reads_here_and_there_keep_what_they_had():
    cache, get = TileCache(), Maker()
    for top in (0, 50, 10, 80, 0, 50, 10, 80):
        with cache.reading(PLANE, top, top + 1):
            get(cache, top)
            get(cache, top + 1)
    assert len(get.made) == 8


def test_two_passes_in_turns_do_not_take_each_others_tiles():
    cache, get = TileCache(), Maker()
    for step in range(10):
        for first in (step, 100 + step):
            with cache.reading(PLANE, first, first + 1):
                get(cache, first)
                get(cache, first + 1)
    assert len(get.made) == len(set(get.made)) == 22
