"""The places from which a patch sees enough of one structure of a class."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from slidekit.sampling.masks.facts import Box, Per
from slidekit.sampling.masks.packed import PackedMask
from slidekit.sampling.places.areas import integral_sums
from slidekit.sampling.places.places import Places, pixel_places
from slidekit.sampling.places.redraws import accept, redraw
from slidekit.sampling.places.structures import Structure, Structures
from slidekit.slide.roi.fill import Raster

__all__ = ["StructurePlaces"]

_LEAST_CENTRES, _MOST_CENTRES, _CENTRES_IN_PATCH = 48, 1024, 8
_ZOOMS = 6
_TRIALS, _TURNS = 256, 64
_KEPT = 4096
"""Structures whose places are kept."""
_ROUNDING = 1e-6


@dataclass(frozen=True)
class _Found:
    """Where centres may be of patches that hold enough of a structure.

    Attributes
    ----------
    structure
        It.
    possible
        Cells outside of which there is no such centre.
    sure
        Cells anywhere in which a centre is one; the rest has to be looked at.
    raster
        Where cells are.
    one
        (2,) a centre that is one.
    """

    structure: Structure
    possible: PackedMask
    sure: PackedMask
    raster: Raster
    one: NDArray[np.float64]

    def at(
        self, which: NDArray[np.float64], jitter: NDArray[np.float64], size: tuple[float, float], least: float
    ) -> NDArray[np.float64]:
        """As `Places.at`."""
        centres, bad = accept(
            which,
            jitter,
            lambda one, other: pixel_places(self.possible, self.raster, one, other),
            lambda places: self._is_enough(places, size, least),
            _TURNS,
        )
        centres[bad] = self.one
        return centres

    def _is_enough(self, centres: NDArray[np.float64], size: tuple[float, float], least: float) -> NDArray[np.bool_]:
        cells = ((centres - self.raster.corner) / self.raster.pixel).astype(np.int64)
        rows, columns = self.raster.shape
        enough = self.sure.at(np.minimum(cells[:, 1], rows - 1), np.minimum(cells[:, 0], columns - 1)).astype(np.bool_)
        rest = np.flatnonzero(~enough)
        if len(rest):
            enough[rest] = self.structure.share(centres[rest], size) >= least - _ROUNDING
        return enough


class StructurePlaces(Places):
    """Places from which a patch holds at least a share of one structure of a class.

    A structure is chosen by its area, or each alike; then a place, uniform over all from which the patch holds enough
    of it: a structure that is smaller than the patch is anywhere in it, and not always in its middle. Both are drawn
    anew where they do not do: areas are exact, those of the polygons themselves. Structures are looked at when they
    are drawn; there may be very many.

    Parameters
    ----------
    structures
        Of one class.
    size
        Width and height of the patch, level-0 pixels.
    least
        Share of the structure that the patch must hold, or of the patch if that is smaller.
    box
        Where centres may be, level-0 pixels.
    per
        ``area`` or ``structure``.
    """

    def __init__(self, structures: Structures, size: tuple[float, float], least: float, box: Box, per: Per) -> None:
        self._structures, self._size, self._least, self._box = structures, size, least, box
        self._lock = threading.Lock()
        self._found: dict[int, _Found | None] = {}
        self._numbers = np.flatnonzero(self._may_have())
        weights = structures.areas[self._numbers] if per == "area" else np.ones(len(self._numbers))
        self._ends = np.cumsum(weights) / weights.sum() if len(weights) else weights
        self._starts = np.concatenate([[0.0], self._ends[:-1]])
        order = np.argsort(-structures.areas[self._numbers], kind="stable")
        self._sure = next((row for row in order.tolist() if self._find(row) is not None), None)

    def _may_have(self) -> NDArray[np.bool_]:
        """Structures of which a patch with its centre in the box may hold enough, as far as boxes tell."""
        bounds, areas = self._structures.bounds, self._structures.areas
        half, box = np.array(self._size) / 2, np.array(self._box)
        reach = np.minimum(bounds[:, 2:], box[2:] + half) - np.maximum(bounds[:, :2], box[:2] - half)
        most = np.prod(np.clip(np.minimum(reach, self._size), 0, None), axis=1)
        wanted = self._least * np.minimum(areas, self._size[0] * self._size[1])
        return np.asarray((areas > 0) & (most > 0) & (most >= wanted * (1 - _ROUNDING)))

    def __len__(self) -> int:
        return 0 if self._sure is None else len(self._numbers)

    def at(self, which: NDArray[np.float64], jitter: NDArray[np.float64]) -> NDArray[np.float64]:
        """As `Places.at`."""
        chosen, rest = self._choose(which)
        bad = np.flatnonzero(self._are_none(chosen))
        for turn in range(1, _TURNS + 1):
            if not len(bad):
                break
            chosen[bad], rest[bad] = self._choose(redraw(which[bad], jitter[bad], -turn)[0])
            bad = bad[self._are_none(chosen[bad])]
        chosen[bad] = self._sure if self._sure is not None else 0
        places = np.empty((len(which), 2))
        order = np.argsort(chosen, kind="stable")
        numbers, starts = np.unique(chosen[order], return_index=True)
        for row, group in zip(numbers.tolist(), np.split(order, starts[1:]), strict=False):
            found = self._find(row)
            assert found is not None
            places[group] = found.at(rest[group], jitter[group], self._size, self._least)
        return places

    def _choose(self, which: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Structures by numbers, and what is left of each number within its structure's share."""
        chosen = np.minimum(np.searchsorted(self._ends, which, side="right"), len(self._ends) - 1)
        rest = np.clip((which - self._starts[chosen]) / (self._ends - self._starts)[chosen], 0, 1)
        return chosen, rest

    def _are_none(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.array([self._find(row) is None for row in rows.tolist()], np.bool_)

    def _find(self, row: int) -> _Found | None:
        with self._lock:
            if row not in self._found:
                if len(self._found) >= _KEPT:
                    self._found.clear()
                structure = self._structures.get(int(self._numbers[row]))
                self._found[row] = _find(structure, self._size, self._least, self._box)
            return self._found[row]

    @property
    def nbytes(self) -> int:
        """Bytes that it holds."""
        kept = [one for one in list(self._found.values()) if one is not None]
        return self._ends.nbytes * 3 + sum(
            2000 + one.structure.nbytes + one.possible.nbytes + one.sure.nbytes for one in kept
        )


def _find(structure: Structure, size: tuple[float, float], least: float, box: Box) -> _Found | None:
    """Look for the centres of patches that hold enough of a structure; None where there is none."""
    shares, cells = structure.cells(size)
    integral = np.asarray(cv2.integral(shares, sdepth=cv2.CV_64F), dtype=np.float64)
    wanted = least * min(structure.area, size[0] * size[1]) / (cells.pixel[0] * cells.pixel[1])
    low = [max(structure.bounds[axis] - size[axis] / 2, box[axis]) for axis in (0, 1)]
    high = [min(structure.bounds[axis + 2] + size[axis] / 2, box[axis + 2]) for axis in (0, 1)]
    for _ in range(_ZOOMS):
        if not (high[0] > low[0] and high[1] > low[1]):
            return None
        raster, sides = _trial_cells(low, high, size, cells)
        possible = integral_sums(integral, sides[0][0], sides[1][0]) >= wanted * (1 - _ROUNDING)
        sure = integral_sums(integral, sides[0][1], sides[1][1]) >= wanted * (1 + _ROUNDING)
        rows, columns = np.flatnonzero(possible.any(axis=1)), np.flatnonzero(possible.any(axis=0))
        if not len(rows):
            return None
        top, left, bottom, right = int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
        if 2 * (bottom - top) * (right - left) > possible.size or sure.any():
            break
        # All that is possible lies in a small part: a closer look at that.
        high = [raster.corner[axis] + (right, bottom)[axis] * raster.pixel[axis] for axis in (0, 1)]
        low = [raster.corner[axis] + (left, top)[axis] * raster.pixel[axis] for axis in (0, 1)]
    packed = PackedMask(possible), PackedMask(sure)
    one = _one_place(structure, (size, least), box, packed, raster)
    return None if one is None else _Found(structure, *packed, raster, one)


_Span: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64]]


def _trial_cells(
    low: list[float], high: list[float], size: tuple[float, float], cells: Raster
) -> tuple[Raster, list[tuple[_Span, _Span]]]:
    """Cells of centres, and along each axis what patches of all of a cell's centres hold at most and at least.

    In whole cells of the structure's image, of which the areas are exact.
    """
    corner, pixel, counts, sides = [], [], [], []
    for axis in (0, 1):
        span = high[axis] - low[axis]
        count = min(max(math.ceil(_CENTRES_IN_PATCH * span / size[axis]), _LEAST_CENTRES), _MOST_CENTRES)
        ends = (low[axis] + np.arange(count + 1) * span / count - cells.corner[axis]) / cells.pixel[axis]
        half, length = size[axis] / 2 / cells.pixel[axis], cells.shape[1 - axis]
        edges = [
            np.clip(whole, 0, length).astype(np.int64)
            for whole in (
                np.floor(ends[:-1] - half),
                np.ceil(ends[1:] + half),
                np.ceil(ends[1:] - half),
                np.floor(ends[:-1] + half),
            )
        ]
        sides.append(((edges[0], edges[1]), (edges[2], np.maximum(edges[2], edges[3]))))
        corner.append(low[axis])
        pixel.append(span / count)
        counts.append(count)
    return Raster((corner[0], corner[1]), (pixel[0], pixel[1]), (counts[1], counts[0])), sides


def _one_place(
    structure: Structure,
    wanted: tuple[tuple[float, float], float],
    box: Box,
    packed: tuple[PackedMask, PackedMask],
    raster: Raster,
) -> NDArray[np.float64] | None:
    """A centre from which the patch holds enough: from what is sure, the structure's middle, or by trial."""
    possible, sure = packed
    if len(sure):
        return pixel_places(sure, raster, np.array([0.5]), np.array([[0.5, 0.5]])).reshape(2)
    bounds = np.array(structure.bounds)
    middle = np.clip((bounds[:2] + bounds[2:]) / 2, box[:2], box[2:])
    numbers = (np.arange(_TRIALS) + 0.5) / _TRIALS
    which, jitter = redraw(numbers, np.stack([numbers, numbers], axis=1), 1)
    trials = np.vstack([middle, pixel_places(possible, raster, which, jitter)])
    shares = structure.share(trials, wanted[0])
    best = int(shares.argmax())
    return np.asarray(trials[best]) if shares[best] >= wanted[1] - _ROUNDING else None
