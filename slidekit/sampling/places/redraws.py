"""Numbers for places that have to be drawn anew, made of the numbers that were given for them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["accept", "redraw"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)

Place = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
Check = Callable[[NDArray[np.float64]], NDArray[np.bool_]]


def redraw(
    which: NDArray[np.float64], jitter: NDArray[np.float64], turn: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """New uniform numbers from old ones: the same from the same, and otherwise unrelated to them.

    Parameters
    ----------
    which
        (n,) in [0, 1).
    jitter
        (n, 2) in [0, 1).
    turn
        How many times they were drawn anew, from 1 on.

    Returns
    -------
    which, jitter
        Of the same shapes.

    Notes
    -----
    SplitMix64 (G. Steele et al., OOPSLA 2014), its state hashed from the bits of the three numbers.
    """
    state = _mix(np.ascontiguousarray(which, np.float64).view(np.uint64))
    for axis in (0, 1):
        state = _mix(state ^ np.ascontiguousarray(jitter[:, axis], np.float64).view(np.uint64)) + _GOLDEN
    words = [_mix(state + np.uint64((3 * turn + column) * int(_GOLDEN) % 2**64)) for column in range(3)]
    numbers = [(word >> np.uint64(11)).astype(np.float64) * 2.0**-53 for word in words]
    return numbers[0], np.stack(numbers[1:], axis=1)


def _mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    words = (words ^ (words >> np.uint64(30))) * _FIRST
    words = (words ^ (words >> np.uint64(27))) * _SECOND
    return np.asarray(words ^ (words >> np.uint64(31)))


def accept(
    which: NDArray[np.float64], jitter: NDArray[np.float64], place: Place, check: Check, turns: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Draw places anew until they are good, so that they are uniform over what is good.

    Parameters
    ----------
    which, jitter
        (n,) and (n, 2) in [0, 1).
    place
        Turns such numbers into places (n, 2).
    check
        Says which of some places are good.
    turns
        How often, at most.

    Returns
    -------
    places
        (n, 2).
    bad
        Rows that still are not good.
    """
    places = place(which, jitter)
    bad = np.flatnonzero(~check(places)) if len(which) else np.zeros(0, np.int64)
    for turn in range(1, turns + 1):
        if not len(bad):
            break
        places[bad] = place(*redraw(which[bad], jitter[bad], turn))
        bad = bad[~check(places[bad])]
    return places, bad
