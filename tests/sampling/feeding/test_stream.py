"""Positions and slots: what is left out takes no room, and nothing is given twice."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.sampling.drafts import Draft
from slidekit.sampling.feeding.stream import PatchStream
from slidekit.sampling.plan import Plan
from slidekit.sampling.reading import Outcome


def plan_of(positions: np.ndarray) -> Plan:
    return Draft.blank(positions, np.zeros(len(positions), np.int32)).plan


def outcome_of(positions: np.ndarray) -> Outcome:
    column = np.stack([positions, positions], axis=1).astype(np.float64)
    return Outcome([], column, column, column, 0, 0)


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 5), st.integers(2, 3), st.integers(0, 7))
@settings(deadline=None, max_examples=60)
def test_batches_are_full_until_the_end_whatever_is_left_out(
    bad: list[bool], size: int, batches: int, first: int
) -> None:
    # Arrange
    stream = PatchStream(size * batches, first, first + len(bad))
    missing = first + np.flatnonzero(bad)
    came: list[np.ndarray] = []

    # Act
    for _ in range(4 * len(bad) + 8):
        positions = stream.next_window(size)
        if len(positions):
            stream.note_plan(plan_of(positions), positions)
            out = np.isin(positions, missing)
            stream.leave_out(positions[out])
            stream.note_read(positions[~out], outcome_of(positions[~out]))
        if (found := stream.next_batch(size)) is not None:
            if not len(found[0]):
                break
            assert stream.column("steps", found[0]).tolist() == found[0].tolist()
            assert stream.column("corners", found[0])[:, 0].tolist() == found[0].tolist()
            came.append(found[0])
            stream.take_to(found[1])

    # Assert
    good = np.setdiff1d(first + np.arange(len(bad)), missing)
    assert np.concatenate([np.empty(0, np.int64), *came]).tolist() == good.tolist()
    assert all(len(batch) == size for batch in came[:-1])
    assert stream.settled == first + len(bad)


def test_a_patch_that_is_drawn_anew_keeps_its_slot() -> None:
    stream = PatchStream(8, 0, None)
    positions = np.arange(4)
    stream.note_plan(plan_of(positions), positions)
    slots = stream.slots_of(positions)
    stream.note_read(positions[2:], outcome_of(positions[2:]))
    anew = Draft.blank(positions[:2], np.ones(2, np.int32)).plan
    stream.note_plan(anew, positions[:2])
    assert stream.settled == 0
    assert stream.slots_of(positions).tolist() == slots.tolist()
    assert stream.column("attempts", positions).tolist() == [1, 1, 0, 0]


@pytest.fixture
def _hasty_threads() -> Iterator[None]:
    """Python changes threads 1000 times as often, so that what may go wrong does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_hasty_threads")
def test_two_threads_do_not_disturb_each_other() -> None:
    # Arrange
    last, size = 2400, 4
    stream = PatchStream(4 * size, 0, last)
    given_up = threading.Event()

    def feed() -> None:
        while stream.settled < last and not given_up.is_set():
            positions = stream.next_window(size)
            if len(positions):
                stream.note_plan(plan_of(positions), positions)
                out = positions % 3 == 0
                stream.leave_out(positions[out])
                stream.note_read(positions[~out], outcome_of(positions[~out]))

    # Act
    came: list[int] = []
    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    until = time.monotonic() + 20
    while len(came) < 1600 and time.monotonic() < until:
        if (found := stream.next_batch(size)) is not None:
            came += stream.column("corners", found[0])[:, 0].astype(int).tolist()
            stream.take_to(found[1])
    given_up.set()
    feeder.join()

    # Assert
    assert came == [position for position in range(last) if position % 3]
