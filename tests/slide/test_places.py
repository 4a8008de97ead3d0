"""Given coordinates as cells: which are refused, and which are read together."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.slide.coordinates import Coordinates
from slidekit.slide.grid import make_grid
from slidekit.slide.places import PlaceGrid, lay_places

SLIDE, MPP = (1000, 700), (0.5, 0.5)


def lay(xy, labels=None, *, tile_px: int = 10, tile: tuple[float, float] = (20.0, 20.0), **options) -> PlaceGrid:
    return lay_places(Coordinates.of(xy, labels), SLIDE, MPP, tile_px=tile_px, tile_size=tile, **options)


@given(
    st.sampled_from([1, 2, 5, 0.5]),
    st.tuples(st.floats(0, 60), st.floats(0, 60)),
    st.tuples(st.floats(15, 70), st.floats(15, 70)),
    st.integers(0, 9),
)
@settings(deadline=None, max_examples=40)
def test_centres_of_a_grid_are_its_rows(stride_div: float, origin, tile, seed: int) -> None:
    # Arrange
    grid = make_grid(SLIDE, MPP, tile_px=10, tile_size=tile, stride_div=stride_div, origin=origin)
    boxes = grid.boxes()
    centres = np.random.default_rng(seed).permutation((boxes[:, :2] + boxes[:, 2:]) / 2)

    # Act
    places = lay(centres, tile=tile)

    # Assert: one run a row, from the top, so that strips are the grid's
    np.testing.assert_array_equal(places.cells(), grid.cells())
    np.testing.assert_allclose(places.boxes(), grid.boxes(), atol=1e-9)
    np.testing.assert_array_equal(places.locations(), grid.locations())
    assert grid.columns < 2 or places.pitch_px == grid.pitch_px
    assert not (places.refused != "").any()


@given(
    st.lists(
        st.tuples(
            st.one_of(st.floats(-50, 1050), st.integers(0, 24).map(lambda k: 10 + 40 * k)),
            st.one_of(st.floats(-50, 750), st.integers(0, 17).map(lambda k: 10 + 40 * k)),
        ),
        min_size=1,
        max_size=60,
    ),
    st.booleans(),
)
@settings(deadline=None)
def test_every_place_is_there_once_and_is_itself(xy, use_edge_tiles: bool) -> None:
    # Act
    places = lay(xy, use_edge_tiles=use_edge_tiles)

    # Assert
    cells = places.cells()
    assert len(places) == len(xy) == len(set(map(tuple, cells.tolist())))
    assert sorted(places.rows.tolist()) == list(range(len(xy)))
    for number, (i, j) in enumerate(cells.tolist()):
        assert places.index(i, j) == number
        x, y = places.corner(i, j)
        assert np.hypot(x + 10 - xy[places.rows[number]][0], y + 10 - xy[places.rows[number]][1]) < 1e-6
        assert places.location(i, j) == tuple(places.locations()[number])
        if i:
            # The i-th of a run lies i pitches from its first: what a strip is cut by.
            first_x, first_y = places.corner(0, j)
            assert abs(x - first_x - i * places.pitch_px * 2) < 1e-4
            assert abs(y - first_y) < 1e-4


@given(
    st.lists(st.tuples(st.floats(-30, 1030), st.floats(-30, 730)), min_size=1, max_size=40),
    st.booleans(),
)
@settings(deadline=None)
def test_refused_is_what_leaves_the_slide_or_was_there(xy, use_edge_tiles: bool) -> None:
    # Act
    places = lay([*xy, *xy[:3]], use_edge_tiles=use_edge_tiles)

    # Assert, by a rule that looks at one place at a time
    def is_there(x: float, y: float) -> bool:
        if use_edge_tiles and 0 <= x < 1000 and 0 <= y < 700:
            return True
        return x - 10 >= -1e-6 and y - 10 >= -1e-6 and x + 10 <= 1000 + 1e-6 and y + 10 <= 700 + 1e-6

    given_places = [*xy, *xy[:3]]
    reasons = dict(zip(places.rows.tolist(), places.refused, strict=True))
    kept_at = [tuple(at) for at, reason in zip(places.locations().tolist(), places.refused, strict=True) if not reason]
    assert len(kept_at) == len(set(kept_at))
    for number, place in enumerate(given_places):
        assert (reasons[number] == "outside_slide") == (not is_there(*place))
    for at, reason in zip(places.locations().tolist(), places.refused, strict=True):
        if reason == "duplicate":
            assert tuple(at) in kept_at


def test_edges_are_flagged_on_all_sides() -> None:
    places = lay([(500, 300), (5, 300), (500, 5), (995, 300), (500, 695), (10, 10)], use_edge_tiles=True)
    flags = {int(places.rows[places.index(i, j)]): places.is_edge(i, j) for i, j in places.cells().tolist()}
    assert flags == {0: False, 1: True, 2: True, 3: True, 4: True, 5: False}


def test_of_duplicates_one_with_a_label_stays() -> None:
    xy = [(50, 50), (50, 50), (50.4, 50.2), (80, 80), (80, 80), (110.1, 110.9), (110, 110.1)]
    places = lay(xy, [None, "b", "a", "c", "c", "d", None])
    kept = {
        places.location(i, j): places.label(i, j)
        for i, j in places.cells().tolist()
        if not places.refused[places.index(i, j)]
    }
    # Also where it lies below what has none, in one pixel.
    assert kept == {(50, 50): "b", (80, 80): "c", (110, 110): "d"}
    assert places.contradictions == 1


def test_places_here_and_there_are_alone_and_come_block_by_block() -> None:
    # Arrange
    noise = np.random.default_rng(0)
    xy = noise.uniform(20, 680, (200, 2))

    # Act
    places = lay(xy, block=(100.0, 100.0))

    # Assert
    assert len(places.runs) == 201
    blocks = np.floor(places.corners / 100).astype(int)[:, ::-1].tolist()
    assert blocks == sorted(blocks)
    # The order is that of the places, not of their rows.
    again = lay(xy[::-1], block=(100.0, 100.0))
    np.testing.assert_array_equal(places.corners, again.corners)


def test_far_neighbours_are_not_read_together() -> None:
    # Two pairs 30 output pixels apart in one row, tiles of 10: what lies between would be read in vain.
    places = lay([(100, 100), (160, 100), (300, 101.3), (360, 101.3), (500, 300), (90, 400), (77, 480), (40, 333.3)])
    assert places.pitch_px == 0
    assert len(places.runs) == 9


def test_a_slope_is_not_one_row() -> None:
    # Arrange: each place as good as beside the next, the last 0.09 output pixels below the first
    steps = np.arange(2000.0)
    xy = np.stack([100 + 2 * steps, 100 + 2 * 4.5e-5 * steps], axis=1)

    # Act
    sloping, level = (
        lay_places(
            Coordinates.of(np.stack([xy[:, 0], y], axis=1)), (9000, 400), MPP, tile_px=64, tile_size=(128.0, 128.0)
        )
        for y in (xy[:, 1], np.full(2000, 100 + 1e-9) + np.tile([0, 1e-8], 1000))
    )

    # Assert
    assert len(level.runs) == 2
    assert all(np.ptp(one) <= 2 * 0.01 for one in np.split(sloping.corners[:, 1], sloping.runs[1:-1]))


def test_no_place_and_none_left() -> None:
    assert lay([]).cells().shape == (0, 2)
    places = lay([(-100, -100)])
    assert places.refused.tolist() == ["outside_slide"]
    with pytest.raises(IndexError):
        places.index(1, 0)
    with pytest.raises(IndexError):
        places.index(-1, 0)


def test_a_hundred_thousand_places_take_no_time() -> None:
    # Arrange
    noise = np.random.default_rng(0)
    made = Coordinates.of(noise.uniform(0, 100_000, (100_000, 2)))

    # Act
    started = time.process_time()
    places = lay_places(made, (100_000, 100_000), MPP, tile_px=256, tile_size=(256.0, 256.0), block=(1024.0, 1024.0))
    places.cells(), places.boxes(), places.locations()

    # Assert: 0.15 s, measured
    assert time.process_time() - started < 3
