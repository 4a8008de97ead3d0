"""What came of reading some patches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Failure", "Outcome"]

Failure: TypeAlias = tuple[int, str]
"""The row of a plan whose patch cannot be had, and why: a few words, the same for all patches of one kind."""


@dataclass(frozen=True)
class Outcome:
    """What came of reading the patches of a plan.

    Attributes
    ----------
    failures
        Patches that cannot be had; their pixels are undefined.
    corners
        (n, 2) float64: (x, y) of the top-left corner of what was read, level-0 pixels; of the first view.
    centres
        (n, 2) float64: (x, y) of its centre.
    mpp
        (n, 2) float64: µm per pixel of the first view, along x and y.
    decodes, bytes_read
        Native tiles that were decoded, and bytes of the files that they were decoded from; 0 where the reader cannot
        tell (see `SlideReader.bytes_read`).
    """

    failures: list[Failure]
    corners: NDArray[np.float64]
    centres: NDArray[np.float64]
    mpp: NDArray[np.float64]
    decodes: int
    bytes_read: int
