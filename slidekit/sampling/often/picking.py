"""Choosing among things by their shares, from uniform numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["cumulate", "pick"]


def cumulate(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cumulative shares (n,) of weights (n,) from 0 on, not all 0; the last that can come ends at 1 exactly."""
    ends = np.cumsum(shares / shares.sum())
    # Sums of binary fractions miss 1: the numbers above belong to the last thing that has a share.
    ends[np.flatnonzero(shares)[-1] :] = 1.0
    return ends


def pick(chances: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.int64]:
    """Thing (n,) that each number (n,) in [0, 1) falls to; one without a share never comes."""
    return np.searchsorted(ends, chances, side="right").astype(np.int64, copy=False)
