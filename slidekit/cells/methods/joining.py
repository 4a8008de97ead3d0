"""Put together again what a watershed cut too often."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from slidekit.cells.methods.shapes import Shapes, shapes_of

__all__ = ["join_islands", "join_pieces"]

Labels = npt.NDArray[np.int32]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_LOWEST = np.iinfo(np.int16).min

_SADDLE, _FILLED, _NECK, _WORST, _BEST, _SIZE, _DARKNESS, _BIAS = 4.1, 14.0, 0.8, -10.6, -4.0, -6.0, -4.0, 8.3
"""Weights of what speaks for one nucleus. They began as a logistic regression on 7302 pairs in drawn fields
(`slidekit.demo.nuclei`); size then was given less weight than it found, since nuclei of real tissue vary more, and how
well the pair fills an ellipse more; the bias is such that about as many nuclei are cut as are joined. Darkness came
later: pale nuclei are large and their chromatin is uneven, dark ones, such as those of lymphocytes, small and close."""

_ISLAND_FILLED = 0.95
"""How good an ellipse an island is that is taken for one nucleus."""

_LEAST_FILLED = 0.85
"""What two pieces make up together must be about as good an ellipse as this, however low the valley."""


class _Borders(NamedTuple):
    """Pairs of regions that touch: labels, length in sides of pixels, the highest pass from one to the other."""

    first: Ints
    second: Ints
    length: Ints
    saddle: Ints

    @classmethod
    def gather(cls, ones: Ints, others: Ints, length: Ints, saddle: Ints) -> _Borders:
        """Parts of borders, put together by pair, in the order of their labels."""
        low, high = np.minimum(ones, others), np.maximum(ones, others)
        count = int(high.max(initial=0)) + 1
        keys, owner = np.unique(low * count + high, return_inverse=True)
        total, highest = np.zeros(len(keys), np.int64), np.full(len(keys), _LOWEST, np.int64)
        np.add.at(total, owner, length)
        np.maximum.at(highest, owner, saddle)
        return cls(keys // count, keys % count, total, highest)

    def merged(self, target: Ints) -> _Borders:
        """Borders that are left when each region has become part of region `target`."""
        one, other = target[self.first], target[self.second]
        left = one != other
        return self.gather(one[left], other[left], self.length[left], self.saddle[left])


def join_pieces(
    labels: Labels,
    landscape: npt.NDArray[np.int16],
    heights: Ints,
    darkness: Floats,
    *,
    usual_px: float,
    longest_px: float,
    rounds: int = 3,
) -> Labels:
    """Join neighbours that look like one nucleus.

    They do if the valley between them is shallow beside the higher peak, if they meet along a broad front, and if
    together they fill an ellipse better than each alone, and are not too large or too dark for one. A round joins pairs
    each of which is the other's best.

    Parameters
    ----------
    labels
        Regions, int32 (rows, columns).
    landscape
        int16 (rows, columns), high in the middle of nuclei.
    heights
        The landscape at each region's peak, int64 (n + 1,).
    darkness
        Stain in each region's core, in the slide's usual contrast, float64 (n + 1,).
    usual_px, longest_px
        Usual diameter of a nucleus, and the longest axis that one may have, pixels.
    rounds
        So often; what is in up to 2^rounds pieces can become one.

    Returns
    -------
    ndarray of int32 (rows, columns)
        A joined region has the lowest of its labels.
    """
    heights, darkness = heights.copy(), darkness.copy()
    borders, shapes = _find_borders(labels, landscape), shapes_of(labels, len(heights))
    final = np.arange(len(heights))
    for _ in range(rounds):
        merit = _merit(borders, shapes, heights, darkness, usual_px, longest_px)
        target = _mutual_best(borders, merit, len(heights))
        if np.array_equal(target, np.arange(len(target))):
            break
        np.maximum.at(heights, target, heights.copy())
        np.maximum.at(darkness, target, darkness.copy())
        borders, shapes, final = borders.merged(target), shapes.merged(target), target[final]
    return np.asarray(final.astype(np.int32)[labels])


def join_islands(labels: Labels, *, longest_px: float) -> Labels:
    """Join all pieces of an island that as a whole is an ellipse: a pale nucleus that its chromatin cut in many.

    Parameters
    ----------
    labels
        Regions, int32 (rows, columns).
    longest_px
        The longest axis that a nucleus may have, pixels.
    """
    count, found = cv2.connectedComponents((labels > 0).astype(np.uint8), connectivity=4, ltype=cv2.CV_32S)
    islands = found.astype(np.int32, copy=False)
    shapes = shapes_of(islands)
    whole = (shapes.filled() >= _ISLAND_FILLED) & (shapes.axes()[0] <= longest_px)
    whole[0] = False
    pixels = np.flatnonzero(whole[islands])
    island, owner = islands.ravel()[pixels].astype(np.int64), labels.ravel()[pixels]
    regions = int(labels.max(initial=0)) + 1
    keys, sizes = np.unique(island * regions + owner, return_counts=True)
    # The largest comes last and stays: the island is called by it.
    order = np.lexsort((-keys, sizes))
    largest = np.zeros(count, np.int32)
    largest[keys[order] // regions] = keys[order] % regions
    joined = labels.ravel().copy()
    joined[pixels] = largest[island]
    return joined.reshape(labels.shape)


def _find_borders(labels: Labels, landscape: npt.NDArray[np.int16]) -> _Borders:
    width = labels.shape[1]
    flat, heights = labels.ravel(), landscape.ravel()
    pixels = np.flatnonzero(flat).astype(np.int32)
    first, second, passes = [], [], []
    for shift, last in ((1, pixels % width == width - 1), (width, pixels >= flat.size - width)):
        here = pixels[~last]
        there = here + np.int32(shift)
        meet = (flat[there] != flat[here]) & (flat[there] > 0)
        here, there = here[meet], there[meet]
        first.append(flat[here])
        second.append(flat[there])
        passes.append(np.minimum(heights[here], heights[there]))
    ones, others = np.concatenate(first).astype(np.int64), np.concatenate(second).astype(np.int64)
    return _Borders.gather(ones, others, np.ones_like(ones), np.concatenate(passes).astype(np.int64))


def _merit(
    borders: _Borders, shapes: Shapes, heights: Ints, darkness: Floats, usual_px: float, longest_px: float
) -> Floats:
    """How much each pair looks like one nucleus, above 0 where it does."""
    one, other = borders.first, borders.second
    both = shapes.joined(one, other)
    longer, shorter = both.axes()
    filled, alone = both.filled(), shapes.filled()
    merit = (
        _SADDLE * borders.saddle / np.maximum(np.maximum(heights[one], heights[other]), 1)
        + _FILLED * filled
        + _NECK * np.minimum(borders.length / shorter, 1.3)
        + _WORST * np.minimum(alone[one], alone[other])
        + _BEST * np.maximum(alone[one], alone[other])
        + _SIZE * np.sqrt(both.area) / usual_px
        + _DARKNESS * np.maximum(darkness[one], darkness[other])
        + _BIAS
    )
    return np.asarray(np.where((longer <= longest_px) & (filled >= _LEAST_FILLED), merit, -1.0))


def _mutual_best(borders: _Borders, merit: Floats, count: int) -> Ints:
    """Where each label goes: the lower label of two that prefer each other to all their neighbours."""
    good = np.flatnonzero(merit > 0)
    # The best comes last and stays. Of equal ones the first does, by labels, whose order windows share.
    order = good[np.lexsort((-good, merit[good]))]
    as_first, as_second = np.full(count, -1), np.full(count, -1)
    as_first[borders.first[order]] = order
    as_second[borders.second[order]] = order
    known = np.append(merit, -np.inf)
    choice = np.where(known[as_first] >= known[as_second], as_first, as_second)
    agreed = good[(choice[borders.first[good]] == good) & (choice[borders.second[good]] == good)]
    target = np.arange(count)
    target[borders.second[agreed]] = borders.first[agreed]
    return target
