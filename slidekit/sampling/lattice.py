"""Squares that tile the tissue of a slide without overlap, moved as a whole from epoch to epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import SlideError
from slidekit.sampling.drafts import boxes_around, share_inside
from slidekit.sampling.draws import philox_key, uniform

if TYPE_CHECKING:
    from slidekit.sampling.places import SlideMap

__all__ = ["LEAST_TISSUE", "Lattice", "SlideCells"]

LEAST_TISSUE = 0.01
"""Share of a cell that is tissue, below which it is none of an epoch's whatever `min_tissue` says."""

_TRIED = 5
"""Shifts whose median number of cells is what a slide gives to each epoch."""

_SHIFTS = 16
"""Shifts that an epoch tries: each has cells enough about every second time."""


@dataclass(frozen=True)
class SlideCells:
    """Cells of one slide in one epoch.

    Attributes
    ----------
    shift
        By what the lattice is moved, cells along x and y, −0.5 to 0.5.
    numbers
        (n,) int32: which cells, in raster order.
    """

    shift: tuple[float, float]
    numbers: NDArray[np.int32]


class Lattice:
    """The lattice of one slide.

    How many cells hold tissue depends on where the lattice lies; an epoch's number of steps must not. So a slide gives
    each epoch as many as the median of some shifts has. An epoch takes the first shift of its own that has so many,
    and leaves out the cells with the least tissue that are too many.

    Parameters
    ----------
    slide_map
        The slide; it is not kept.
    size
        Width and height of a cell, level-0 pixels.
    min_tissue
        Least share of a cell that is tissue.
    seed
        The sampler's.

    Attributes
    ----------
    count
        Cells that each epoch has.

    Raises
    ------
    SlideError
        If no cell holds tissue enough.
    """

    def __init__(self, slide_map: SlideMap, size: tuple[float, float], min_tissue: float, seed: int) -> None:
        self._size = np.array(size)
        self._seed = seed
        slide = np.array(slide_map.facts.dimensions, np.float64)
        # Along an axis that one cell covers there is one, in the middle, which is not moved.
        self._moves = slide > self._size
        self._least = max(min_tissue, LEAST_TISSUE if self._moves.any() else 0.0)
        box = np.array(slide_map.box(), np.float64)
        # Half a cell more on either side: the lattice covers the box however it is shifted.
        counts = np.ceil((box[2:] - box[:2]) / self._size).astype(np.int64) + 1
        self._counts = np.where(self._moves, counts, 1)
        self._origin = (np.where(self._moves, box[:2] + box[2:], slide) - self._counts * self._size) / 2
        # Cells that reach over the edge of the slide belong to its tissue, wherever their centre is.
        low = np.where(self._moves & (box[:2] > 0), box[:2], -self._size)
        high = np.where(self._moves & (box[2:] < slide), box[2:], slide + self._size)
        self._reach = np.concatenate([low, high])
        tried = _shifts(_TRIED, seed, "epoch size", slide_map.facts.name)
        found = [len(self._eligible(slide_map, shift)[0]) for shift in tried]
        if not max(found):
            raise SlideError(f"no cell of this size has {self._least:.0%} tissue, wherever {_TRIED} grids were laid")
        self.count = max(1, int(np.median(found)))
        self._fullest = tried[int(np.argmax(found))]

    def cells(self, slide_map: SlideMap, epoch: int) -> SlideCells:
        """Choose the cells of an epoch."""
        for shift in [*_shifts(_SHIFTS, self._seed, "epoch shift", slide_map.facts.name, epoch), self._fullest]:
            numbers, shares = self._eligible(slide_map, shift)
            if len(numbers) >= self.count:
                break
        best = np.sort(np.argsort(-shares, kind="stable")[: self.count])
        return SlideCells((float(shift[0]), float(shift[1])), numbers[best].astype(np.int32))

    def centres(self, cells: SlideCells, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Centres (n, 2) of some of the cells, x, y, level-0 pixels."""
        return self._centres(cells.numbers[rows], np.array(cells.shift))

    def _centres(self, numbers: NDArray[np.integer], shift: NDArray[np.float64]) -> NDArray[np.float64]:
        rows, columns = np.divmod(numbers.astype(np.int64), self._counts[0])
        place = np.stack([columns, rows], axis=1) + 0.5 + shift * self._moves
        return np.asarray(self._origin + place * self._size, dtype=np.float64)

    def _eligible(
        self, slide_map: SlideMap, shift: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Cells that have tissue enough and whose centre may be sampled, and their shares of tissue."""
        numbers = np.arange(self._counts.prod())
        centres = self._centres(numbers, shift)
        inside = np.all((centres >= self._reach[:2]) & (centres < self._reach[2:]), axis=1)
        numbers, boxes = numbers[inside], boxes_around(centres[inside], (self._size[0], self._size[1]))
        shares = slide_map.tissue_share(boxes)
        if np.isnan(shares).any():
            # Without a mask all of the slide is tissue.
            shares = share_inside(boxes, slide_map.facts.dimensions)
        enough = (shares >= self._least) & (shares > 0)
        return numbers[enough], shares[enough]


def _shifts(count: int, seed: int, *purpose: object) -> NDArray[np.float64]:
    """Shifts (count, 2) in [−0.5, 0.5)."""
    words = np.random.Philox(key=philox_key(seed, *purpose)).random_raw(2 * count)
    return uniform(words).reshape(-1, 2) - 0.5
