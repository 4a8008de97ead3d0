"""A column of numbers that is filled without knowing how many there will be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["GrowingColumn"]

_FIRST = 1 << 14
"""Numbers that there is room for at first."""


class GrowingColumn:
    """uint32 of unknown number; for more room, the system moves pages instead of copying what is in them.

    Attributes
    ----------
    total
        How many there are.
    """

    def __init__(self) -> None:
        self.total = 0
        self._column = np.empty(_FIRST, np.uint32)

    def add(self, values: NDArray[np.int64]) -> None:
        """Add numbers, which are known to fit into 32 bits."""
        end = self.total + len(values)
        if end > len(self._column):
            # Nobody else has seen the array: no reference to its old place can be left.
            self._column.resize(max(end, 2 * len(self._column)), refcheck=False)
        self._column[self.total : end] = values
        self.total = end

    def joined(self) -> NDArray[np.uint32]:
        """All numbers in the order in which they were added, (total,); nothing can be added any more."""
        column, self._column = self._column, np.empty(0, np.uint32)
        column.resize(self.total, refcheck=False)
        return column
