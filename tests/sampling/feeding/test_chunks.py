"""Windows cut into chunks, and which worker gets which."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.sampling.feeding.chunks import CHUNK, ChunkQueue, cut_chunks
from tests.sampling.reading.patch_plans import plan_at


def _window(slides: list[int], seed: int = 0) -> tuple:
    places = np.random.default_rng(seed).uniform(0, 20_000, (len(slides), 2))
    return plan_at([tuple(place) for place in places], slides), np.arange(100, 100 + len(slides))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 9), max_size=300), st.integers(1, 4))
def test_each_patch_is_in_one_chunk(slides: list[int], groups: int) -> None:
    plan, positions = _window(slides)
    chunks = cut_chunks(plan, positions, groups)
    assert sorted(number for chunk in chunks for number in chunk.positions.tolist()) == positions.tolist()
    for chunk in chunks:
        assert 0 < len(chunk.positions) <= CHUNK
        rows = chunk.positions - 100
        np.testing.assert_array_equal(chunk.plan.centres, plan.centres[rows])


def test_a_slide_of_few_patches_is_not_torn() -> None:
    plan, positions = _window([number % 40 for number in range(400)])
    for chunk in cut_chunks(plan, positions, 2):
        slides, counts = np.unique(chunk.plan.slides, return_counts=True)
        assert (counts == 10).all()
        assert len(set((slides % 2).tolist())) == 1


def test_a_worker_gets_the_same_part_of_a_slide_again() -> None:
    queue = ChunkQueue()
    owner: dict[tuple[int, int], int] = {}
    for window in range(1, 4):
        plan, positions = _window([0] * (4 * CHUNK), seed=window)
        queue.put(cut_chunks(plan, positions, 2, window))
        for turn in range(4):
            chunk = queue.take(turn % 2)
            assert owner.setdefault(chunk.home, turn % 2) == turn % 2
    assert len(queue) == 0
    assert len(owner) == 4


def test_earlier_windows_come_first_whoever_asks() -> None:
    queue = ChunkQueue()
    for window in (3, 1, 2):
        queue.put(cut_chunks(*_window([window] * 3), 2, window))
    assert [queue.take(1).window for _ in range(3)] == [1, 2, 3]
