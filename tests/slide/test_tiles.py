"""Strips of neighbours, and threads that work through them."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.slide.grid import make_grid
from slidekit.slide.parallel import map_ordered, usable_cores
from slidekit.slide.tiles import TileReader
from slidekit.slide.wsi import WSI


@given(st.sets(st.tuples(st.integers(0, 8), st.integers(0, 5))))
@settings(deadline=None)
def test_strips_hold_each_cell_once_and_in_order(chosen: set[tuple[int, int]]) -> None:
    # Arrange
    grid = make_grid((90, 60), (1, 1), tile_px=10, tile_size=(10, 10))
    cells = [(i, j) for i, j in grid.cells().tolist() if (i, j) in chosen]
    reader = TileReader.__new__(TileReader)
    reader._most = 4

    # Act
    strips = list(reader.strips(cells))

    # Assert
    assert [cell for strip in strips for cell in strip.cells()] == cells
    assert all(1 <= strip.count <= 4 for strip in strips)


@pytest.mark.parametrize(
    "options", [{}, {"stride_div": 2}, {"stride_div": 3}, {"stride_div": 0.5}, {"origin": (7.3, 2.1)}]
)
def test_a_tile_is_the_same_alone_and_in_a_strip_to_the_resamplers_rounding(tissue_slide: Path, options: dict) -> None:
    with WSI(tissue_slide, 64, 41.3, resample="exact", **options) as wsi:
        alone = [wsi[i, j].astype(int) for i, j in wsi.grid.cells()[:40]]
        for image, (_, in_strip) in zip(alone, wsi.map(lambda tile: tile, workers=1), strict=False):
            assert 10 * np.log10(255**2 / max(np.mean((image - in_strip) ** 2.0), 1e-9)) >= 50


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_the_order_of_the_items(threads: int) -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.02 if item % 3 == 0 else 0)
        return item * item

    assert list(map_ordered(slow_first, range(20), threads=threads)) == [k * k for k in range(20)]


def test_items_are_taken_as_results_are() -> None:
    threads = 2
    taken = []

    def items():
        for k in range(100):
            taken.append(k)
            yield k

    results = map_ordered(lambda item: item, items(), threads=threads)
    next(results)
    assert len(taken) == threads + 1
    assert next(results) == 1
    assert len(taken) == threads + 2


def test_leaving_early_ends_the_threads() -> None:
    results = map_ordered(lambda item: item, range(1000), threads=2)
    next(results)
    results.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("slidekit")]


def test_an_error_comes_at_its_place() -> None:
    def fails_at_3(item: int) -> int:
        return 1 // (item - 3)

    results = map_ordered(fails_at_3, range(10), threads=2)
    assert [next(results) for _ in range(3)] == [-1, -1, -1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_there_is_a_core() -> None:
    assert usable_cores() >= 1
