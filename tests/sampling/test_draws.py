from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from slidekit.sampling.draws import COLUMNS, Column, draw, permutation, philox_key, uniform

STEPS = st.lists(st.integers(0, 2**62), min_size=1, max_size=12)


def at(seed: int, step: int, attempt: int = 0) -> np.ndarray:
    return draw(seed, np.array([step]), np.array([attempt], np.int32))[0]


@pytest.mark.parametrize(("step", "attempt"), [(0, 0), (1, 0), (12_345, 3), (2**62, 63)])
def test_a_row_is_what_philox_gives_at_its_counter(step, attempt):
    # Arrange: the counter as its four words, lowest first.
    low = (4 * step) % 2**64
    high = (4 * step) // 2**64
    generator = np.random.Philox(key=philox_key(5, "steps"), counter=np.array([low, high, attempt, 0], np.uint64))

    # Act
    row = at(5, step, attempt)

    # Assert
    np.testing.assert_array_equal(row, generator.random_raw(COLUMNS))


@given(STEPS, st.data())
@settings(deadline=None, max_examples=40)
def test_a_step_never_depends_on_what_else_is_asked_for(steps, data):
    attempts = data.draw(st.lists(st.integers(0, 63), min_size=len(steps), max_size=len(steps)))

    together = draw(1, np.array(steps), np.array(attempts, np.int32))

    alone = np.stack([at(1, step, attempt) for step, attempt in zip(steps, attempts, strict=True)])
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("stride", [1, 3, 64, 65, 1000])
def test_replicas_that_take_every_nth_step_share_one_stream(stride):
    steps = np.arange(7, 7 + 20 * stride, stride)

    together = draw(2, steps, np.zeros(20, np.int32))

    np.testing.assert_array_equal(together, np.stack([at(2, int(step)) for step in steps]))


def test_the_stream_is_the_same_for_ever():
    # A changed stream would go on from a checkpoint with other patches.
    numbers = draw(0, np.arange(100), np.zeros(100, np.int32))

    digest = hashlib.sha256(numbers.astype("<u8").tobytes()).hexdigest()

    assert digest[:16] == "234ab9e9e5c1c879"


def test_neighbours_attempts_and_seeds_have_nothing_in_common():
    rows = [at(0, 0), at(0, 1), at(0, 0, 1), at(1, 0)]

    assert len(set(np.concatenate(rows).tolist())) == len(rows) * COLUMNS


@pytest.mark.parametrize("column", list(Column))
def test_each_column_is_uniform(column):
    numbers = uniform(draw(3, np.arange(20_000), np.zeros(20_000, np.int32))[:, column])

    counts, _ = np.histogram(numbers, bins=50, range=(0, 1))

    assert chisquare(counts).pvalue > 1e-3


def test_uniform_numbers_end_below_one():
    ends = uniform(np.array([0, 2**11 - 1, 2**11, 2**64 - 1], np.uint64))

    assert ends.tolist() == [0.0, 0.0, 2.0**-53, 1 - 2.0**-53]


def test_nothing_is_drawn_for_no_step():
    assert draw(0, np.empty(0, np.int64), np.empty(0, np.int32)).shape == (0, COLUMNS)


def test_a_permutation_has_each_once_and_depends_on_its_purpose():
    first, second = permutation(0, 1000, "epoch", 0), permutation(0, 1000, "epoch", 1)

    assert sorted(first.tolist()) == list(range(1000))
    assert (first != second).mean() > 0.9
