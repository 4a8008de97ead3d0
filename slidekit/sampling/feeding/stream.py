"""The coming patches of a feed: what is planned, read, left out, and taken, by position in the stream."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from slidekit.sampling.plan import Plan
from slidekit.sampling.reading import Outcome

__all__ = ["PatchStream"]

_WAITING, _READ, _LEFT_OUT = 0, 1, 2


class PatchStream:
    """What is known of the patches between the next that is taken and the last that is planned.

    Slots are taken in turn, from the first position on; a window is planned only when its slots are free.

    Parameters
    ----------
    slots
        Room for patches.
    first, last
        Positions of the first patch, and behind the last one; None where they do not end.

    Attributes
    ----------
    planned, settled, taken
        Positions behind what is planned; behind what is read or left out, without a gap; and of what is taken next.
    """

    def __init__(self, slots: int, first: int, last: int | None) -> None:
        self.slots = slots
        self.planned = self.settled = self.taken = first
        self.last = last
        self._first = first
        self._state = np.zeros(slots, np.uint8)
        self._columns: dict[str, NDArray[np.generic]] = {}
        self._read: dict[str, NDArray[np.float64]] = {
            name: np.full((slots, 2), np.nan) for name in ("corners", "centres", "mpp")
        }

    def slots_of(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Slots of some positions."""
        slots: NDArray[np.int64] = (positions - self._first) % self.slots
        return slots

    def next_window(self, wanted: int) -> NDArray[np.int64]:
        """Positions to plan next: `wanted`, or fewer at the end; none if there is no room for them yet."""
        count = wanted if self.last is None else min(wanted, self.last - self.planned)
        if self.settled == self.planned:
            # Nothing is under way, so that what there is may be too little for a batch.
            count = min(count, self.slots - (self.planned - self.taken))
        if self.planned + count - self.taken > self.slots:
            return np.zeros(0, np.int64)
        return np.arange(self.planned, self.planned + count, dtype=np.int64)

    def note_plan(self, plan: Plan, positions: NDArray[np.int64]) -> None:
        """Take down how patches are planned, for the first time or anew."""
        slots = self.slots_of(positions)
        for field in fields(Plan):
            column = getattr(plan, field.name)
            if field.name not in self._columns:
                self._columns[field.name] = np.zeros((self.slots, *column.shape[1:]), column.dtype)
            self._columns[field.name][slots] = column
        self._state[slots] = _WAITING
        if len(positions):
            self.planned = max(self.planned, int(positions[-1]) + 1)

    def note_read(self, positions: NDArray[np.int64], outcome: Outcome) -> None:
        """Take down what was read; failures stay as they are."""
        good = np.ones(len(positions), bool)
        good[[row for row, _ in outcome.failures]] = False
        slots = self.slots_of(positions[good])
        for name, column in self._read.items():
            column[slots] = getattr(outcome, name)[good]
        self._settle(slots, _READ)

    def leave_out(self, positions: NDArray[np.int64]) -> None:
        """Do without patches."""
        self.planned = max(self.planned, int(positions.max(initial=self.planned - 1)) + 1)
        self._settle(self.slots_of(positions), _LEFT_OUT)

    def _settle(self, slots: NDArray[np.int64], state: int) -> None:
        self._state[slots] = state
        while self.settled < self.planned and self._state[(self.settled - self._first) % self.slots] != _WAITING:
            self.settled += 1

    def next_batch(self, size: int) -> tuple[NDArray[np.int64], int] | None:
        """Positions of the next batch, and the one behind it; None until it is complete.

        At the end it has fewer patches, or none.
        """
        settled = self.settled  # another thread goes on
        positions = np.arange(self.taken, settled, dtype=np.int64)
        positions = positions[self._state[self.slots_of(positions)] == _READ]
        if len(positions) >= size:
            return positions[:size], int(positions[size - 1]) + 1
        if self.last is not None and settled >= self.last:
            return positions, settled
        if len(positions) and settled - self.taken == self.slots:
            # So many are left out that there is no room for a whole batch: what there is has to do.
            return positions, settled
        return None

    def column(self, name: str, positions: NDArray[np.int64]) -> NDArray[np.generic]:
        """What is known of some patches: a column of `Plan`, or ``corners``, ``centres``, ``mpp`` of what was read."""
        columns: dict[str, NDArray[np.generic]] = {**self._columns, **self._read}
        result: NDArray[np.generic] = columns[name][self.slots_of(positions)]
        return result

    def take_to(self, position: int) -> None:
        """Let go of all patches before a position."""
        self.taken = position
