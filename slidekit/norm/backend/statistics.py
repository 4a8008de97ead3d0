"""Percentiles and brightness of many tiles at once, with the ranks of `numpy.percentile` (linear)."""

from __future__ import annotations

from typing import Any

import numpy as np

from slidekit.norm.backend.ops import Array, Ops
from slidekit.norm.bounds import BLACK, BRIGHT_PERCENTILE

__all__ = ["bright_levels", "percentile_99", "stretch_tables"]

# Values a group, in the search for the largest.
_GROUP = 8


def bright_levels(ops: Ops, entries: Array) -> tuple[Array, Array]:
    """90th percentile of the values of each tile, as `slidekit.norm.brightness.bright_level` gives it.

    Parameters
    ----------
    ops
        The framework.
    entries
        int32 (n, 3, p), from `Ops.entries`.

    Returns
    -------
    levels, lit : tensor
        float64 (n,), at least 16; and bool (n,), False where the tile is as good as black.
    """
    totals = ops.running_sum(ops.histogram(entries, ops.size(entries, 0)))
    lower, upper, weight = _ranks(ops, totals[:, -1], BRIGHT_PERCENTILE)
    below, above = (ops.count(totals <= rank[:, None], 1) for rank in (lower, upper))
    levels = below + (above - below) * weight
    return ops.maximum(levels, float(BLACK)), levels >= BLACK


def stretch_tables(ops: Ops, levels: Array) -> Array:
    """Look-up tables of the brightness step, as `slidekit.norm.brightness.stretch_table` makes them.

    Parameters
    ----------
    ops
        The framework.
    levels
        float64 (n,), from `bright_levels`.

    Returns
    -------
    tensor
        float64 (n, 256), whole numbers 0–255.
    """
    stretched = ops.double(255.0 * np.arange(256))[None, :] / levels[:, None]
    return ops.floor(ops.minimum(stretched, 255.0))


def percentile_99(ops: Ops, values: Array, counts: Array) -> Array:
    """99th percentile of the values of each tile. The 1st is the negative of it for negative values.

    It lies among the largest values, a hundredth of all, however few of them count: no need to sort the rest.

    Parameters
    ----------
    ops
        The framework.
    values
        float32 (n, p); those that do not count are smaller than all that do.
    counts
        float64 (n,): how many do.

    Returns
    -------
    tensor
        float64 (n,); anything where `counts` is below 1.
    """
    counts = ops.maximum(counts, 1.0)
    lower, upper, weight = _ranks(ops, counts, 99.0)
    tail = _largest(ops, values, ops.size(values, 1) // 100 + 2)
    below, above = (ops.pick(tail, counts - 1 - rank) for rank in (lower, upper))
    return below + (above - below) * weight


def _largest(ops: Ops, values: Array, count: Any) -> Array:
    """The `count` largest of values (n, p), falling, or all if there are fewer.

    To take the largest of few values is faster: only the groups with the largest maxima can hold them.
    """
    number = ops.size(values, 1) // _GROUP
    groups = ops.reshape(values[:, : _GROUP * number], (ops.size(values, 0), _GROUP, number))
    chosen = ops.gather(groups, ops.largest_places(ops.most(groups, 1), count))
    candidates = ops.reshape(chosen, (ops.size(chosen, 0), _GROUP * ops.size(chosen, 2)))
    return ops.largest(ops.concat([candidates, values[:, _GROUP * number :]]), count)


def _ranks(ops: Ops, counts: Array, q: float) -> tuple[Array, Array, Array]:
    """Places of the order statistics around percentile `q` of `counts` values; weight of the second."""
    places = (counts - 1) * q / 100
    lower = ops.floor(places)
    return lower, ops.minimum(lower + 1, counts - 1), places - lower
