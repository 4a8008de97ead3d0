"""How often an outline crosses itself, estimated: what mending costs grows with that and not with its vertices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from slidekit.slide.roi.drawing import Ring

__all__ = ["is_noise"]

_MAX_CROSSINGS = 50_000
"""Crossings from which an outline is noise: to mend 50 000 takes two seconds, and twice as many five."""

_FEW_VERTICES, _MANY_VERTICES = 300, 50_000
"""Below the first an outline cannot have more: n segments cross at most n²/2 times. Above the second it takes minutes
to learn that it crosses itself at all."""

_SAMPLE, _OTHERS = 64, 50_000


def is_noise(rings: Sequence[Ring], *, valid: bool | None = None) -> bool:
    """Whether rings cross themselves so often that neither a check nor a repair ends in time.

    Parameters
    ----------
    rings
        Vertices (n, 2) of each ring, closed or not.
    valid
        Whether they make a valid polygon; None if that is not known, and then only large rings are looked at.
    """
    count = sum(map(len, rings))
    if valid or count < (_MANY_VERTICES if valid is None else _FEW_VERTICES):
        return False
    return _estimate_crossings(rings) > _MAX_CROSSINGS


def _estimate_crossings(rings: Sequence[Ring]) -> float:
    """Number of places in which rings cross themselves and each other.

    Of the pairs of segments a random part is tested, the same part each time: 64 segments against up to 50 000.
    Two segments cross where the ends of each lie on different sides of the other.
    """
    starts = np.concatenate(rings)
    ends = np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
    count = len(starts)
    chance = np.random.Generator(np.random.Philox(count))
    sample = chance.integers(count, size=_SAMPLE)
    others = chance.integers(count, size=_OTHERS) if count > _OTHERS else np.arange(count)
    a, b = starts[others], ends[others]
    found = sum(int(_crosses(starts[one], ends[one], a, b).sum()) for one in sample)
    return found / (_SAMPLE * len(others)) * count * count / 2


def _crosses(p: NDArray[np.float64], q: NDArray[np.float64], a: Ring, b: Ring) -> NDArray[np.bool_]:
    """Whether the segment from p to q crosses each of the segments from a to b."""
    return (_side(p, q, a) * _side(p, q, b) < 0) & (_side(a, b, p) * _side(a, b, q) < 0)


def _side(start: NDArray[np.float64], end: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sign of the side of the line from start to end that a point is on; 0 on the line."""
    along, to = end - start, point - start
    signs: NDArray[np.float64] = np.sign(along[..., 0] * to[..., 1] - along[..., 1] * to[..., 0])
    return signs
