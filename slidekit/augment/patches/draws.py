"""What happens to a patch, drawn from its seed: counter-based, so that no draw depends on another patch's."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import SupportsIndex

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import SpecError

__all__ = ["Draw", "draw_patch"]

_KEY = 0x70617463686573
"""Second half of Philox' key: the letters of `slidekit.augment` draw from the same seeds, and must draw otherwise."""

_FIRST = 8
"""Uniform draws before those of the grid; two of them are spare."""


@dataclass(frozen=True)
class Draw:
    """Draws of one patch. No part's draws depend on which other parts are wanted.

    Attributes
    ----------
    chosen, flip_x, flip_y, turn
        From 0 to below 1, uniform.
    hue, lightness
        Standard normal.
    grid
        (points, points, 2), standard normal, (x, y): one for each inner point of the grid.
    """

    chosen: float
    flip_x: float
    flip_y: float
    turn: float
    hue: float
    lightness: float
    grid: NDArray[np.float64]


def draw_patch(seed: SupportsIndex, inner: int) -> Draw:
    """Draw what happens to a patch, by Philox4x64-10 (Salmon et al., SC 2011) with the seed as its key.

    Parameters
    ----------
    seed
        Any integer; what it says modulo 2**64 counts.
    inner
        Inner points of the grid along an axis.

    Raises
    ------
    SpecError
        If the seed is not an integer.
    """
    try:
        key = np.array([operator.index(seed) % 2**64, _KEY], np.uint64)
    except TypeError:
        raise SpecError(
            f"The seed of a patch's augmentation is an integer, not {seed!r}.", mend="Give one integer a patch."
        ) from None
    raw = np.random.Philox(key=key).random_raw(_FIRST + 2 * inner * inner)
    uniform = (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53
    normal = _normal(uniform[4:])
    chosen, flip_x, flip_y, turn = uniform[:4].tolist()
    hue, lightness = normal[:2].tolist()
    return Draw(chosen, flip_x, flip_y, turn, hue, lightness, normal[4:].reshape(inner, inner, 2))


def _normal(uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    """As many normal draws as uniform ones, two from two (Box, Muller, Ann Math Stat 1958;29:610)."""
    # 1 - u is above 0, so that the logarithm is finite.
    radius = np.sqrt(-2 * np.log(1 - uniform[::2]))
    angle = 2 * np.pi * uniform[1::2]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1).reshape(-1)
