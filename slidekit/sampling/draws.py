"""Random numbers of steps: what a patch is, as a function of the seed, the step and the attempt alone.

The generator is counter-based: Philox 4×64 with 10 rounds (Salmon et al., 2011, Parallel random numbers: as easy as
1, 2, 3. SC11). Its key is of the seed, its counter is of the step and the attempt. So the numbers of a step are the
same whatever else is asked for, in whatever order and process, and any step can be had without those before it.
"""

from __future__ import annotations

import hashlib
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

__all__ = ["COLUMNS", "Column", "draw", "permutation", "philox_key", "uniform"]

COLUMNS = 16
"""Numbers of 64 bits that each attempt at a step has."""

_BLOCKS = COLUMNS // 4
"""Values of the counter that they take: each gives four."""

_NEAR = 64
"""Steps that are drawn and left out sooner than that another generator is set up, which takes as long."""


class Column(IntEnum):
    """What each number of an attempt is for; the other columns are spare."""

    SCALE = 0
    BACKGROUND = 1
    CLASS = 2
    SLIDE = 3
    PLACE = 4
    JITTER_X = 5
    JITTER_Y = 6
    SEED = 7


def philox_key(seed: int, *purpose: object) -> int:
    """Key of 128 bits for a purpose: the beginning of the SHA-256 of the seed and the purpose.

    Parameters
    ----------
    seed
        The user's seed.
    *purpose
        What the numbers are for; different purposes get independent streams.
    """
    text = "\0".join(str(part) for part in ("sampling", seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")


def draw(seed: int, steps: NDArray[np.int64], attempts: NDArray[np.int32]) -> NDArray[np.uint64]:
    """Draw the numbers of some attempts at some steps.

    Parameters
    ----------
    seed
        The sampler's.
    steps
        (n,) int64, from 0 on.
    attempts
        (n,) int32, from 0 on.

    Returns
    -------
    ndarray (n, 16), uint64
        Columns as in `Column`. Row r is the 16 words after counter ``attempt · 2¹²⁸ + 4 · step``.
    """
    numbers = np.empty((len(steps), COLUMNS), np.uint64)
    key = philox_key(seed, "steps")
    for attempt in np.unique(attempts).tolist():
        rows = np.flatnonzero(attempts == attempt)
        distinct, row_of = np.unique(steps[rows], return_inverse=True)
        words = np.empty((len(distinct), COLUMNS), np.uint64)
        # Steps near one another, such as each replica's, come from one run, of which some are left out.
        runs = np.split(np.arange(len(distinct)), np.flatnonzero(np.diff(distinct) > _NEAR) + 1)
        for run in runs:
            first, last = int(distinct[run[0]]), int(distinct[run[-1]])
            generator = np.random.Philox(key=key, counter=(attempt << 128) + _BLOCKS * first)
            drawn = generator.random_raw((last - first + 1) * COLUMNS).reshape(-1, COLUMNS)
            words[run] = drawn[distinct[run] - first]
        numbers[rows] = words[row_of]
    return numbers


def uniform(words: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Numbers in [0, 1) from the upper 53 bits of words, as many as a float64 holds."""
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def permutation(seed: int, count: int, *purpose: object) -> NDArray[np.int64]:
    """Order `count` things at random, for a purpose.

    The words of Philox are sorted, which no release of numpy can change, as it may its own shuffling.
    """
    words = np.random.Philox(key=philox_key(seed, *purpose)).random_raw(count)
    return np.argsort(words, kind="stable").astype(np.int64, copy=False)
