"""Structures of a class, such as single glomeruli, and the places from which a patch sees enough of one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from slidekit.sampling.masks.facts import Box, Per
from slidekit.sampling.masks.packed import PackedMask
from slidekit.sampling.masks.polygons import Raster
from slidekit.sampling.masks.regions import ClassRegions
from slidekit.sampling.places.areas import box_sums, grid_sums
from slidekit.sampling.places.places import Places, pixel_places

__all__ = ["Structure", "StructurePlaces", "drawn_structures", "labelled_structures"]

_LEAST_CELLS, _MOST_CELLS = 64, 4096
"""Cells along an axis of a structure's own image: a region of 64 × 64 cells has its area right to some 0.1 %."""

_CELLS_IN_PATCH = 8
_LEAST_CENTRES, _MOST_CENTRES = 48, 1024
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Structure:
    """One connected region of a class, as far as it is visible.

    Attributes
    ----------
    mask
        Its cells.
    raster
        Where they lie on the slide.
    """

    mask: PackedMask
    raster: Raster

    @property
    def cell_area(self) -> float:
        """Area of a cell, level-0 pixels²."""
        return self.raster.pixel[0] * self.raster.pixel[1]

    @property
    def area(self) -> float:
        """Its area, level-0 pixels²."""
        return len(self.mask) * self.cell_area

    def shares(self, centres: NDArray[np.float64], size: tuple[float, float]) -> NDArray[np.float64]:
        """What patches hold of it: the area, relative to that of the patch or of the structure if it is smaller.

        Parameters
        ----------
        centres
            (n, 2) of (x, y), level-0 pixels.
        size
            Width and height of the patches, level-0 pixels.
        """
        half = np.array(size) / 2
        boxes = np.hstack([centres - half - self.raster.corner, centres + half - self.raster.corner])
        held = box_sums(self.mask, boxes / np.array(self.raster.pixel * 2)) * self.cell_area
        return np.asarray(held / min(self.area, size[0] * size[1]))


def drawn_structures(regions: ClassRegions, class_index: int, size: tuple[float, float]) -> Iterator[Structure]:
    """The regions of a class, each with an image of its own, fine enough for patches of a size.

    Parameters
    ----------
    regions
        All regions that have a class.
    class_index
        The class, from 0.
    size
        Width and height of patches, level-0 pixels.
    """
    for number, polygon in enumerate(regions.polygons):
        if regions.classes[number] != class_index:
            continue
        x0, y0, x1, y1 = polygon.bounds
        columns, rows = (
            min(max(math.ceil(_CELLS_IN_PATCH * extent / edge), _LEAST_CELLS), _MOST_CELLS)
            for extent, edge in zip((x1 - x0, y1 - y0), size, strict=True)
        )
        raster = Raster((x0, y0), ((x1 - x0) / columns, (y1 - y0) / rows), (rows, columns))
        mask = PackedMask(regions.visible(number, raster))
        if len(mask):
            yield Structure(mask, raster)


def labelled_structures(
    labels: NDArray[np.uint8], class_index: int, dimensions: tuple[int, int]
) -> Iterator[Structure]:
    """The connected components (8 neighbours) of a class in a map of labels.

    Parameters
    ----------
    labels
        (rows, columns) over the whole slide, k + 1 for class k.
    class_index
        The class, from 0.
    dimensions
        Width and height of the slide, level-0 pixels.
    """
    pixel = dimensions[0] / labels.shape[1], dimensions[1] / labels.shape[0]
    _, numbers, facts, _ = cv2.connectedComponentsWithStats(
        (labels == class_index + 1).astype(np.uint8), connectivity=8
    )
    for number, (left, top, columns, rows, _) in enumerate(np.asarray(facts)[1:].tolist(), start=1):
        mask = np.asarray(numbers[top : top + rows, left : left + columns] == number)
        yield Structure(PackedMask(mask), Raster((left * pixel[0], top * pixel[1]), pixel, (rows, columns)))


class StructurePlaces(Places):
    """Places from which a patch holds at least a share of one structure of a class.

    A structure is chosen by its area, or each alike; then a place, uniform over all from which the patch holds enough
    of it: a structure that is smaller than the patch is anywhere in it, and not always in its middle. Areas are
    measured on an image of the structure, to some 0.1 % of it.

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

    def __init__(
        self, structures: Sequence[Structure], size: tuple[float, float], least: float, box: Box, per: Per
    ) -> None:
        self._size, self._least = size, least
        found = [(one, *_eligible(one, size, least, box)) for one in structures]
        self._found = [(one, mask, raster) for one, mask, raster in found if len(mask)]
        weights = np.array([one.area if per == "area" else 1.0 for one, _, _ in self._found])
        self._ends = np.cumsum(weights) / weights.sum() if len(weights) else weights
        self._starts = np.concatenate([[0.0], self._ends[:-1]])

    def __len__(self) -> int:
        return sum(len(mask) for _, mask, _ in self._found)

    def at(self, which: NDArray[np.float64], jitter: NDArray[np.float64]) -> NDArray[np.float64]:
        """As `Places.at`."""
        chosen = np.minimum(np.searchsorted(self._ends, which, side="right"), len(self._ends) - 1)
        # What is left of the number within its structure's share decides where.
        rest = np.clip((which - self._starts[chosen]) / (self._ends - self._starts)[chosen], 0, 1)
        places = np.empty((len(which), 2))
        order = np.argsort(chosen, kind="stable")
        numbers, starts = np.unique(chosen[order], return_index=True)
        for number, rows in zip(numbers.tolist(), np.split(order, starts[1:]), strict=False):
            places[rows] = self._in_structure(number, rest[rows], jitter[rows])
        return places

    def _in_structure(
        self, number: int, which: NDArray[np.float64], jitter: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        structure, mask, raster = self._found[number]
        places = pixel_places(mask, raster, which, jitter)
        good = structure.shares(places, self._size) >= self._least
        bad = np.flatnonzero(~good)
        if len(bad):
            places[bad] = pixel_places(mask, raster, which[bad], np.full((len(bad), 2), 0.5))
        return places

    @property
    def nbytes(self) -> int:
        """Bytes that it holds."""
        return sum(one.mask.nbytes + mask.nbytes for one, mask, _ in self._found)


def _eligible(structure: Structure, size: tuple[float, float], least: float, box: Box) -> tuple[PackedMask, Raster]:
    """Cells, of an image that reaches half a patch around the structure, whose centres are places."""
    (rows, columns), corner, pixel = structure.mask.shape, structure.raster.corner, structure.raster.pixel
    sides: list[Any] = []
    for axis, cells in ((0, columns), (1, rows)):
        low = max(corner[axis] - size[axis] / 2, box[axis])
        high = min(corner[axis] + cells * pixel[axis] + size[axis] / 2, box[axis + 2])
        if high <= low:
            return PackedMask(np.zeros((1, 1), np.bool_)), structure.raster
        count = min(max(math.ceil(_CELLS_IN_PATCH / 2 * (high - low) / size[axis]), _LEAST_CENTRES), _MOST_CENTRES)
        centres = low + (np.arange(count) + 0.5) * (high - low) / count
        ends = tuple((centres + half - corner[axis]) / pixel[axis] for half in (-size[axis] / 2, size[axis] / 2))
        sides.append((low, (high - low) / count, ends))
    (left, step_x, ends_x), (top, step_y, ends_y) = sides
    held = grid_sums(structure.mask.unpack(), ends_x, ends_y) * structure.cell_area
    enough = held >= least * min(structure.area, size[0] * size[1]) * (1 - _ROUNDING)
    return PackedMask(enough), Raster((left, top), (step_x, step_y), enough.shape)
