"""Names of tiles, ``{slide}-{loc_x}-{loc_y}``, millions at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["parse_tile_names"]

_DASH, _END, _ZERO = b"-\n0"
_DIGITS = 18
"""Digits that any int64 can hold."""


def parse_tile_names(
    names: Sequence[Any],
) -> tuple[list[str], npt.NDArray[np.int64], npt.NDArray[np.int64]] | None:
    """Take names of tiles apart.

    All names are one array of bytes here: split one by one, each would make objects, whose counting takes longer
    than the splitting.

    Parameters
    ----------
    names
        Any values.

    Returns
    -------
    tuple or None
        Slides, and (n,) int64 of loc_x and loc_y, level-0 pixels; None if a value is no name of a tile.
    """
    if not all(isinstance(name, str) for name in names):
        return None
    text = np.frombuffer("".join(f"{name}\n" for name in names).encode("utf-8", "surrogatepass"), np.uint8)
    ends, dashes = (np.flatnonzero(text == sign) for sign in (_END, _DASH))
    before = np.searchsorted(dashes, ends)
    starts = np.concatenate([[0], ends[:-1] + 1])
    if len(ends) != len(names) or (before < 2).any():
        return None
    second, first = dashes[before - 1], dashes[before - 2]
    loc_x, loc_y = _parse(text, first + 1, second), _parse(text, second + 1, ends)
    if (first < starts).any() or loc_x is None or loc_y is None:
        return None
    # What follows the slide's name is ASCII, whatever that is: as many letters as bytes.
    tails = (ends - first).tolist()
    return [name[:-tail] for name, tail in zip(names, tails, strict=True)], loc_x, loc_y


def _parse(
    text: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64] | None:
    """Whole numbers that stand from `starts` to `ends` (excluded); None if there is anything but digits."""
    lengths = ends - starts
    if (lengths < 1).any() or (lengths > _DIGITS).any():
        return None
    numbers = np.zeros(len(starts), np.int64)
    for place in range(int(lengths.max(initial=0))):
        here = place < lengths
        digits = text[(starts + place)[here]].astype(np.int64) - _ZERO
        if ((digits < 0) | (digits > 9)).any():
            return None
        numbers[here] = numbers[here] * 10 + digits
    return numbers
