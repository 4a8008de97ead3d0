"""Dice coefficients of whole data sets, class by class."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["DiceCount", "mean_dice"]


class DiceCount:
    """Counts pixels of any number of images, and gives the Dice coefficients of all of them together.

    The mean of the coefficients of batches is something else: one where a class is rare would weigh as much as one
    that is full of it.

    Parameters
    ----------
    names
        Of the classes.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._common = np.zeros(len(self.names), np.int64)
        self._total = np.zeros(len(self.names), np.int64)

    def add(self, truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> None:
        """Count the pixels of some images.

        Parameters
        ----------
        truth, found
            bool (..., classes).
        """
        axes = tuple(range(truth.ndim - 1))
        self._common += np.count_nonzero(truth & found, axis=axes)
        self._total += np.count_nonzero(truth, axis=axes) + np.count_nonzero(found, axis=axes)

    def by_class(self) -> dict[str, float]:
        """``2 |A ∩ B| / (|A| + |B|)`` of each class (L. R. Dice, Ecology 26, 1945); NaN where it is in neither."""
        return {
            name: 2 * int(common) / int(total) if total else math.nan
            for name, common, total in zip(self.names, self._common, self._total, strict=True)
        }


def mean_dice(by_class: Mapping[str, float], *, background: str | None = None) -> float:
    """Mean of the coefficients that there are.

    Parameters
    ----------
    by_class
        As `DiceCount.by_class` gives them.
    background
        Class that does not count.

    Returns
    -------
    float
        NaN where no class is in any image.
    """
    values = [value for name, value in by_class.items() if name != background and not math.isnan(value)]
    return sum(values) / len(values) if values else math.nan
