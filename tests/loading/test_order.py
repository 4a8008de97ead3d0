"""Orders of epochs: every tile once, in every shard together; weights; the same for the same seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.errors import DatasetError, SpecError
from slidekit.loading.order import Order

COUNTS = st.lists(st.integers(0, 12), min_size=1, max_size=6)
fast = settings(deadline=None, max_examples=60)


def starts(counts: list[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


@st.composite
def settings_of_orders(draw: st.DrawFn) -> dict[str, Any]:
    counts = draw(COUNTS)
    total = sum(counts)
    clip = draw(st.none() | st.lists(st.integers(0, 12), min_size=len(counts), max_size=len(counts)))
    used = draw(st.none() | st.lists(st.booleans(), min_size=total, max_size=total))
    return {
        "starts": starts(counts),
        "seed": draw(st.integers(0, 2**40)),
        "shuffle": draw(st.booleans()),
        "clip": None if clip is None else np.array(clip),
        "used": None if used is None else np.array(used, bool),
    }


def allowed(given: dict[str, Any]) -> list[int]:
    """Tiles that clip and used leave, one by one."""
    first, clip, used = given["starts"], given["clip"], given["used"]
    return [
        int(tile)
        for file in range(len(first) - 1)
        for place, tile in enumerate(range(first[file], first[file + 1]))
        if (clip is None or place < clip[file]) and (used is None or used[tile])
    ]


@given(given=settings_of_orders(), epoch=st.integers(0, 5), shards=st.integers(1, 5))
@fast
def test_shards_together_have_each_tile_once(given: dict[str, Any], epoch: int, shards: int) -> None:
    whole = Order(**given).epoch(epoch)

    parts = [Order(**given, shard_index=index, num_shards=shards) for index in range(shards)]

    assert sorted(whole.tolist()) == allowed(given)
    assert sorted(tile for part in parts for tile in part.epoch(epoch).tolist()) == allowed(given)
    for part in parts:
        assert len(part.epoch(epoch)) == len(part)
        assert np.array_equal(part.epoch(epoch), whole[part.places(0, len(part))])


@given(given=settings_of_orders(), shards=st.integers(1, 5))
@fast
def test_even_shards_are_equally_long_and_leave_out_fewer_than_there_are_shards(
    given: dict[str, Any], shards: int
) -> None:
    parts = [Order(**given, shard_index=index, num_shards=shards, even_shards=True) for index in range(shards)]

    tiles = [tile for part in parts for tile in part.epoch(0).tolist()]

    assert len({len(part) for part in parts}) == 1
    assert len(set(tiles)) == len(tiles) > len(allowed(given)) - shards


@given(given=settings_of_orders(), epoch=st.integers(0, 9))
@fast
def test_an_order_depends_on_seed_and_epoch_alone(given: dict[str, Any], epoch: int) -> None:
    order = Order(**given)
    order.epoch(3)

    assert np.array_equal(order.epoch(epoch), Order(**given).epoch(epoch))
    if not given["shuffle"]:
        assert order.epoch(epoch).tolist() == allowed(given)


def test_epochs_and_seeds_give_different_orders_across_files() -> None:
    first = starts([100, 100])
    orders = [Order(first, seed=seed).epoch(epoch) for seed in (0, 1) for epoch in (0, 1)]

    assert len({tuple(order) for order in orders}) == 4
    # A true shuffle: half of the first half is of the second file, within five standard deviations.
    assert 25 < (orders[0][:100] >= 100).sum() < 75


WEIGHTED = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), min_size=1, max_size=5)


@given(files=WEIGHTED, seed=st.integers(0, 99), shuffle=st.booleans())
@fast
def test_with_weights_no_tile_comes_again_before_all_of_its_file(
    files: list[tuple[int, int]], seed: int, shuffle: bool
) -> None:
    counts, weights = [count for count, _ in files], [weight for _, weight in files]
    first = starts(counts)
    usable = {file for file, (count, weight) in enumerate(files) if count and weight}
    if not usable:
        return
    order = Order(first, seed=seed, shuffle=shuffle, weights=np.array(weights, float))

    drawn = order.epoch(0)

    assert len(drawn) == len(order) == sum(counts)
    of_file = np.searchsorted(first, drawn, side="right") - 1
    assert set(of_file.tolist()) <= usable
    for file in usable:
        tiles = drawn[of_file == file].tolist()
        for begin in range(0, len(tiles), counts[file]):
            part = tiles[begin : begin + counts[file]]
            assert len(set(part)) == len(part)
            if not shuffle:
                assert part == list(range(first[file], first[file] + len(part)))


def test_files_are_drawn_as_often_as_they_weigh() -> None:
    order = Order(starts([6000, 2000, 2000]), weights=np.array([1.0, 2.0, 1.0]))

    drawn = np.bincount(np.digitize(order.epoch(0), [6000, 8000]))

    # Of 10 000 draws; five standard deviations of a binomial are 250.
    assert np.abs(drawn - [2500, 5000, 2500]).max() < 250


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(DatasetError, match="weighs anything"):
        Order(starts([0, 4]), weights=np.array([1.0, 0.0]))
    for index, shards in ((2, 2), (-1, 2), (0, 0)):
        with pytest.raises(SpecError, match="shard_index"):
            Order(starts([4]), shard_index=index, num_shards=shards)
