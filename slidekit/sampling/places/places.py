"""Places of one slide where a patch may have its centre, drawn by numbers between 0 and 1."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from slidekit.sampling.masks.facts import Box
from slidekit.sampling.masks.packed import PackedMask
from slidekit.sampling.places.redraws import accept
from slidekit.slide.roi.fill import Raster

__all__ = ["BoxPlaces", "MaskPlaces", "Places", "pixel_places"]

_TURNS = 16

Check = Callable[[NDArray[np.float64]], NDArray[np.bool_]]
"""Whether a patch may have its centre at each of some places (n, 2), level-0 pixels."""


class Places(ABC):
    """Where a patch may have its centre."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of eligible pixels; 0 where there is no place."""

    @abstractmethod
    def at(self, which: NDArray[np.float64], jitter: NDArray[np.float64]) -> NDArray[np.float64]:
        """Find places.

        Parameters
        ----------
        which
            (n,) in [0, 1): uniform numbers give places that are uniform over what is eligible.
        jitter
            (n, 2) in [0, 1): the place within the pixel, along x and y.

        Returns
        -------
        ndarray (n, 2)
            (x, y) of centres, level-0 pixels. A place that would break what is promised of its patch is drawn anew,
            from the same numbers; the few that no draw mends are a pixel's own centre, which is one that does not.
        """

    @property
    def nbytes(self) -> int:
        """Bytes that it holds."""
        return 0


class BoxPlaces(Places):
    """Anywhere in a box.

    Parameters
    ----------
    box
        Level-0 pixels.
    """

    def __init__(self, box: Box) -> None:
        self._corner, self._far = np.array(box[:2]), np.array(box[2:])

    def __len__(self) -> int:
        return int((self._far > self._corner).all())

    def at(self, which: NDArray[np.float64], jitter: NDArray[np.float64]) -> NDArray[np.float64]:
        """As `Places.at`; the box is one pixel, so that `which` decides nothing."""
        return np.asarray(self._corner + jitter * (self._far - self._corner))


class MaskPlaces(Places):
    """Pixels of a mask.

    Parameters
    ----------
    eligible
        The pixels; their own centres keep what is promised.
    raster
        Where they lie on the slide.
    check
        Whether other places within them do; None where all do.
    """

    def __init__(self, eligible: PackedMask, raster: Raster, check: Check | None = None) -> None:
        self._eligible = eligible
        self._raster = raster
        self._check = check

    def __len__(self) -> int:
        return len(self._eligible)

    def at(self, which: NDArray[np.float64], jitter: NDArray[np.float64]) -> NDArray[np.float64]:
        """As `Places.at`."""
        if self._check is None:
            return pixel_places(self._eligible, self._raster, which, jitter)
        places, bad = accept(which, jitter, partial(pixel_places, self._eligible, self._raster), self._check, _TURNS)
        places[bad] = pixel_places(self._eligible, self._raster, which[bad], np.full((len(bad), 2), 0.5))
        return places

    @property
    def nbytes(self) -> int:
        """Bytes that it holds."""
        return self._eligible.nbytes


def pixel_places(
    eligible: PackedMask, raster: Raster, which: NDArray[np.float64], jitter: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Places within the pixels of a mask; parameters as for `MaskPlaces` and its `at`."""
    count = len(eligible)
    # A number just below 1 times a large count may round up to the count.
    numbers = np.minimum((which * count).astype(np.int64), count - 1)
    rows, columns = eligible.pick(numbers)
    pixels = np.column_stack([columns, rows]) + jitter
    return np.asarray(raster.corner + pixels * raster.pixel)
