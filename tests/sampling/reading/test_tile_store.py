"""Tiles of many slides within one budget."""

from __future__ import annotations

import numpy as np

from slidekit.sampling.reading.tile_store import TileStore

_TILE = np.zeros((10, 10, 3), np.uint8)


def test_what_was_not_asked_for_longest_goes_first() -> None:
    store = TileStore(3 * _TILE.nbytes)
    tiles = store.of(7)
    for column in range(3):
        tiles.put((0, 1), 0, column, _TILE)
    assert tiles.get((0, 1), 0, 0) is not None
    store.of(8).put((0, 1), 0, 0, _TILE)
    assert tiles.get((0, 1), 0, 1) is None
    assert tiles.get((0, 1), 0, 0) is not None
    assert store.of(8).get((0, 1), 0, 0) is not None
    assert store.held == 3 * _TILE.nbytes
    assert store.decodes == 4


def test_tiles_of_a_slide_go_together() -> None:
    store = TileStore(10 * _TILE.nbytes)
    for slide in (1, 2):
        with store.of(slide).reading((0, 1), 0, 1):
            store.of(slide).put((0, 1), 0, 0, _TILE)
    store.of(1).clear()
    assert store.of(1).get((0, 1), 0, 0) is None
    assert store.of(2).get((0, 1), 0, 0) is not None
    assert store.held == _TILE.nbytes


def test_one_tile_is_held_in_any_case() -> None:
    store = TileStore(1)
    store.of(0).put((0, 1), 0, 0, _TILE)
    assert store.of(0).get((0, 1), 0, 0) is not None
