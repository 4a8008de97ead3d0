"""The label image of a slide while it is painted: only what may still change is in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from slidekit.cells.found import CellTable, WindowCells, describe
from slidekit.cells.windows import CellFrame, CellWindow, PixelBox, WindowGrid

__all__ = ["CHUNK_PX", "LabelCanvas", "PaintedCells"]

CHUNK_PX = 1024
"""Edge of the parts that the image is painted, and stored, in."""

_TWICE = 0.5
"""Share of a cell that earlier cells have painted, above which it is one of them, seen again by another window."""


@dataclass(frozen=True)
class PaintedCells:
    """What of a window went into the image.

    Attributes
    ----------
    cells
        Those that were painted, in the order of their ids.
    twice
        Own cells that were left out because earlier ones had taken more than half of them.
    clipped
        Cells that lost some pixels to earlier ones.
    """

    cells: CellTable
    twice: int
    clipped: int


class LabelCanvas:
    """Paints the cells of windows, in raster order of windows; where two claim a pixel, the first has it.

    Parameters
    ----------
    frame
        Size of the image.
    grid
        The windows.
    """

    def __init__(self, frame: CellFrame, grid: WindowGrid) -> None:
        self.painted = 0
        self._frame = frame
        self._grid = grid
        self._parts: dict[tuple[int, int], npt.NDArray[np.uint32]] = {}

    def paint(self, found: WindowCells, wanted: npt.NDArray[np.bool_]) -> PaintedCells:
        """Paint a window's cells under the next free ids.

        Parameters
        ----------
        found
            The cells.
        wanted
            (n,) which of them are.
        """
        outer = found.window.outer
        count = len(found.cells)
        taken = self._read(outer)
        area = np.bincount(found.labels.reshape(-1), minlength=count + 1)[1:]
        lost = np.bincount(found.labels[taken], minlength=count + 1)[1:]
        again = lost > _TWICE * area
        kept = wanted & ~again
        twice = int(np.count_nonzero(again & wanted & found.is_own))
        clipped = int(np.count_nonzero(kept & (lost > 0)))
        if clipped:
            found = _clip(found, taken, self._frame)
        numbers = np.zeros(count + 1, np.uint32)
        numbers[1:][kept] = np.arange(self.painted + 1, self.painted + 1 + np.count_nonzero(kept), dtype=np.uint32)
        self._write(outer, numbers[found.labels])
        self.painted += int(np.count_nonzero(kept))
        return PaintedCells(found.cells.take(kept), twice, clipped)

    def release(self, following: CellWindow | None) -> Iterator[tuple[PixelBox, npt.NDArray[np.uint32]]]:
        """Let go of the parts that no window from `following` on can change, in raster order; of all for None."""
        boxes = {self._box(place): place for place in sorted(self._parts)}
        for box in self._grid.untouched(boxes, following):
            yield box, self._parts.pop(boxes[box])

    def _box(self, place: tuple[int, int]) -> PixelBox:
        top, left = place[0] * CHUNK_PX, place[1] * CHUNK_PX
        right, bottom = min(left + CHUNK_PX, self._frame.columns), min(top + CHUNK_PX, self._frame.rows)
        return PixelBox(left, top, right, bottom)

    def _under(self, box: PixelBox) -> Iterator[tuple[tuple[int, int], tuple[slice, slice], tuple[slice, slice]]]:
        """Parts under a rectangle: place, and what both share as rows and columns of the part and of the rectangle."""
        for row in range(box.top // CHUNK_PX, -(-box.bottom // CHUNK_PX)):
            for column in range(box.left // CHUNK_PX, -(-box.right // CHUNK_PX)):
                part = self._box((row, column))
                left, right = max(part.left, box.left), min(part.right, box.right)
                top, bottom = max(part.top, box.top), min(part.bottom, box.bottom)
                yield (
                    (row, column),
                    (slice(top - part.top, bottom - part.top), slice(left - part.left, right - part.left)),
                    (slice(top - box.top, bottom - box.top), slice(left - box.left, right - box.left)),
                )

    def _read(self, box: PixelBox) -> npt.NDArray[np.bool_]:
        """Which pixels of a rectangle are painted."""
        taken = np.zeros((box.height, box.width), np.bool_)
        for place, inside, under in self._under(box):
            if place in self._parts:
                taken[under] = self._parts[place][inside] > 0
        return taken

    def _write(self, box: PixelBox, numbers: npt.NDArray[np.uint32]) -> None:
        for place, inside, under in self._under(box):
            values = numbers[under]
            if not values.any():
                continue
            if place not in self._parts:
                whole = self._box(place)
                self._parts[place] = np.zeros((whole.height, whole.width), np.uint32)
            part = self._parts[place][inside]
            np.copyto(part, values, where=(values > 0) & (part == 0))


def _clip(found: WindowCells, taken: npt.NDArray[np.bool_], frame: CellFrame) -> WindowCells:
    """Take pixels away from cells, and measure anew what is left of those that lost some."""
    count = len(found.cells)
    labels = np.where(taken, np.uint32(0), found.labels)
    changed = np.bincount(found.labels[taken], minlength=count + 1)[1:] > 0
    left = np.bincount(labels.reshape(-1), minlength=count + 1)[1:] > 0
    again = changed & left
    lookup = np.zeros(count + 1, np.uint32)
    lookup[1:][again] = np.arange(1, np.count_nonzero(again) + 1, dtype=np.uint32)
    fresh = describe(lookup[labels], found.image, found.window, frame)
    return replace(found, labels=labels, cells=_replaced(found.cells, fresh, again))


def _replaced(cells: CellTable, fresh: CellTable, where: npt.NDArray[np.bool_]) -> CellTable:
    """The table with some rows in place of others."""
    columns = {name: values.copy() for name, values in cells.columns.items()}
    for name, values in columns.items():
        values[where] = fresh.columns[name]
    outlines = list(cells.outlines())
    for place, outline in zip(np.flatnonzero(where).tolist(), fresh.outlines(), strict=True):
        outlines[place] = outline
    counts = np.array([len(outline) for outline in outlines], np.int64)
    return CellTable(columns, np.concatenate(outlines), counts)
