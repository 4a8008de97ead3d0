"""A column of numbers that is filled without knowing how many there will be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["GrowingColumn"]

_FIRST_PART, _PART = 1 << 14, 1 << 21
"""Numbers that memory is found for at once: few for one file, as many as make NumPy ask for large pages for more."""


class GrowingColumn:
    """uint32 of unknown number, gathered in a few large arrays: many small ones cost more to find memory for.

    Attributes
    ----------
    total
        How many there are.
    """

    def __init__(self) -> None:
        self.total = 0
        self._part = np.empty(_FIRST_PART, np.uint32)
        self._filled = 0
        self._parts: list[NDArray[np.uint32]] = []

    def add(self, values: NDArray[np.int64]) -> None:
        """Add numbers, which are known to fit into 32 bits."""
        if len(values) > len(self._part) - self._filled:
            self._parts.append(self._part[: self._filled])
            self._part, self._filled = np.empty(max(_PART, len(values)), np.uint32), 0
        self._part[self._filled : self._filled + len(values)] = values
        self._filled += len(values)
        self.total += len(values)

    def joined(self) -> NDArray[np.uint32]:
        """All numbers in the order in which they were added, (total,), in a new array."""
        return np.concatenate([*self._parts, self._part[: self._filled]])
