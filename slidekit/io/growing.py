"""A column of numbers that is filled without knowing how many there will be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["GrowingColumn"]

_FIRST = 1 << 14
"""Numbers that there is room for at first."""


class GrowingColumn:
    """uint32 of unknown number. Room is found for as many as are expected: what is not used of it costs no memory.

    Attributes
    ----------
    total
        How many there are.
    """

    def __init__(self) -> None:
        self.total = 0
        self._column = np.empty(_FIRST, np.uint32)

    def add(self, values: NDArray[np.int64], *, left: float = 0) -> None:
        """Add numbers, which are known to fit into 32 bits.

        Parameters
        ----------
        values
            The numbers.
        left
            How many may come after them; an estimate.
        """
        end = self.total + len(values)
        if end > len(self._column):
            grown = np.empty(end + max(self.total, int(1.1 * left)), np.uint32)
            grown[: self.total] = self._column[: self.total]
            self._column = grown
        self._column[self.total : end] = values
        self.total = end

    def joined(self) -> NDArray[np.uint32]:
        """All numbers in the order in which they were added, (total,)."""
        return self._column[: self.total]
