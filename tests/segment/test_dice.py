"""Dice coefficients against their definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.segment.dice import DiceCount, mean_dice


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.floats(0, 1))
def test_batches_count_as_all_their_pixels_do(seed: int, classes: int, share: float) -> None:
    # Arrange
    rng = np.random.default_rng(seed)
    truth, found = (rng.random((5, 6, 7, classes)) < share for _ in range(2))
    count = DiceCount([f"c{index}" for index in range(classes)])

    # Act
    for index in range(5):
        count.add(truth[index : index + 1], found[index : index + 1])

    # Assert
    for index, value in enumerate(count.by_class().values()):
        a, b = set(np.flatnonzero(truth[..., index])), set(np.flatnonzero(found[..., index]))
        if a or b:
            assert value == pytest.approx(2 * len(a & b) / (len(a) + len(b)))
        else:
            assert math.isnan(value)


def test_a_class_that_is_nowhere_does_not_count_and_one_found_without_being_there_does() -> None:
    # Arrange
    truth = np.zeros((1, 2, 2, 3), np.bool_)
    found = truth.copy()
    truth[..., 0] = found[..., 0] = True
    found[0, 0, 0, 1] = True

    # Act
    count = DiceCount(["there", "invented", "nowhere"])
    count.add(truth, found)

    # Assert
    assert count.by_class()["there"] == 1
    assert count.by_class()["invented"] == 0
    assert mean_dice(count.by_class()) == 0.5
    assert mean_dice(count.by_class(), background="invented") == 1


def test_there_is_no_mean_of_nothing() -> None:
    assert math.isnan(mean_dice(DiceCount(["tissue"]).by_class()))
