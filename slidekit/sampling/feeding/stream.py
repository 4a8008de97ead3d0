"""The coming patches of a feed: what is planned, read, left out, and taken, by position in the stream."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from slidekit.sampling.plan import Plan
from slidekit.sampling.reading import Outcome

__all__ = ["PatchStream"]

_FREE, _WAITING, _READ = 0, 1, 2


class PatchStream:
    """What is known of the patches between the next that is taken and the last that is planned.

    A patch has a slot from when it is planned until it is taken, or left out: what is left out takes no room, so that
    batches are full however much cannot be had. A window is planned only when there are free slots for it.

    Slots are given and left out where the engine is turned, and taken where batches are asked for, which may be two
    threads: neither touches a slot that is the other's.

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
        self._next_slot = 0
        self._state = np.zeros(slots, np.uint8)
        self._positions = np.full(slots, -1, np.int64)
        self._columns: dict[str, NDArray[np.generic]] = {}
        self._read: dict[str, NDArray[np.float64]] = {
            name: np.full((slots, 2), np.nan) for name in ("corners", "centres", "mpp")
        }

    def slots_of(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Slots of some positions that are planned, and neither taken nor left out."""
        held = self._positions.copy()  # the other thread gives free slots meanwhile, which would upset the order
        order = np.argsort(held, kind="stable")
        slots: NDArray[np.int64] = order[np.searchsorted(held, positions, sorter=order)]
        return slots

    def next_window(self, wanted: int) -> NDArray[np.int64]:
        """Positions to plan next: `wanted`, or fewer at the end; none if there is no room for them yet."""
        count = wanted if self.last is None else min(wanted, self.last - self.planned)
        free = self.slots - int(np.count_nonzero(self._state))
        if self.settled == self.planned:
            # Nothing is under way, so that what there is may be too little for a batch.
            count = min(count, free)
        if count > free:
            return np.zeros(0, np.int64)
        return np.arange(self.planned, self.planned + count, dtype=np.int64)

    def note_plan(self, plan: Plan, positions: NDArray[np.int64]) -> None:
        """Take down how patches are planned, for the first time or anew."""
        if not len(positions):
            return
        self._give_slots(positions[positions >= self.planned])
        slots = self.slots_of(positions)
        for field in fields(Plan):
            column = getattr(plan, field.name)
            if field.name not in self._columns:
                self._columns[field.name] = np.zeros((self.slots, *column.shape[1:]), column.dtype)
            self._columns[field.name][slots] = column
        self.planned = max(self.planned, int(positions.max()) + 1)

    def _give_slots(self, positions: NDArray[np.int64]) -> None:
        # In turn, so that the patches of a batch are neighbours as a rule.
        turn = (self._next_slot + np.arange(self.slots)) % self.slots
        slots = turn[self._state[turn] == _FREE][: len(positions)]
        self._positions[slots] = positions
        self._state[slots] = _WAITING
        if len(slots):
            self._next_slot = int(slots[-1] + 1) % self.slots

    def note_read(self, positions: NDArray[np.int64], outcome: Outcome) -> None:
        """Take down what was read; failures stay as they are."""
        good = np.ones(len(positions), bool)
        good[[row for row, _ in outcome.failures]] = False
        slots = self.slots_of(positions[good])
        for name, column in self._read.items():
            column[slots] = getattr(outcome, name)[good]
        self._settle(slots, _READ)

    def leave_out(self, positions: NDArray[np.int64]) -> None:
        """Do without patches that were planned."""
        self._settle(self.slots_of(positions), _FREE)

    def _settle(self, slots: NDArray[np.int64], state: int) -> None:
        self._state[slots] = state
        self.settled = int(self._positions[self._state == _WAITING].min(initial=self.planned))

    def next_batch(self, size: int) -> tuple[NDArray[np.int64], int] | None:
        """Positions of the next batch, and the one behind it; None until it is complete.

        At the end it has fewer patches, or none.
        """
        settled = self.settled  # another thread goes on
        read = self._positions[self._state == _READ]
        positions = np.sort(read[read < settled])
        if len(positions) >= size:
            return positions[:size], int(positions[size - 1]) + 1
        if self.last is not None and settled >= self.last:
            return positions, settled
        return None

    def column(self, name: str, positions: NDArray[np.int64]) -> NDArray[np.generic]:
        """What is known of some patches: a column of `Plan`, or ``corners``, ``centres``, ``mpp`` of what was read."""
        columns: dict[str, NDArray[np.generic]] = {**self._columns, **self._read}
        result: NDArray[np.generic] = columns[name][self.slots_of(positions)]
        return result

    def take_to(self, position: int) -> None:
        """Let go of all patches before a position."""
        self._state[(self._state == _READ) & (self._positions < position)] = _FREE
        self.taken = position
