"""Areas and shapes of labelled regions, from sums of whole numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Shapes", "relabel", "shapes_of"]

Labels = npt.NDArray[np.int32]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Shapes(NamedTuple):
    """Areas and moments of regions 0 … n; 0 is the background and means nothing.

    Attributes
    ----------
    area
        Pixels, int64 (n + 1,).
    sums
        Sums of x, y, x², y², xy, int64 (n + 1, 5).
    """

    area: Ints
    sums: Ints

    def joined(self, first: Ints, second: Ints) -> Shapes:
        """The unions of pairs of regions."""
        return Shapes(self.area[first] + self.area[second], self.sums[first] + self.sums[second])

    def merged(self, target: Ints) -> Shapes:
        """Each region added to the region `target`, (n + 1,); those that go elsewhere are empty."""
        area, sums = np.zeros_like(self.area), np.zeros_like(self.sums)
        np.add.at(area, target, self.area)
        np.add.at(sums, target, self.sums)
        return Shapes(area, sums)

    def axes(self) -> tuple[Floats, Floats]:
        """Full axes of the ellipses of the same second moments, the longer first, pixels."""
        area, (x, y, xx, yy, xy) = np.maximum(self.area, 1), self.sums.T
        # Whole numbers up to the division: where the window begins must not change the last bit.
        square = area.astype(np.float64) ** 2
        # A pixel is a square, not a point: 1/12 each way.
        along_x, along_y = (area * xx - x * x) / square + 1 / 12, (area * yy - y * y) / square + 1 / 12
        root = np.sqrt((along_x - along_y) ** 2 / 4 + ((area * xy - x * y) / square) ** 2)
        middle = (along_x + along_y) / 2
        return 4 * np.sqrt(middle + root), 4 * np.sqrt(np.maximum(middle - root, 1 / 12))

    def filled(self) -> Floats:
        """Area as a share of that ellipse's: 1 for an ellipse, 0.89 for two equal disks that touch."""
        longer, shorter = self.axes()
        return np.asarray(self.area / (np.pi / 4 * longer * shorter))


def shapes_of(labels: Labels, count: int | None = None) -> Shapes:
    """Measure all regions of labels, int32 (rows, columns); `count` is n + 1 where the last have no pixel."""
    pixels = np.flatnonzero(labels)
    owner = labels.ravel()[pixels]
    row, column = np.divmod(pixels.astype(np.int32), np.int32(labels.shape[1]))
    count = count or int(labels.max(initial=0)) + 1
    # In float64 whole numbers are exact up to 2^53, far above these sums.
    x, y = column.astype(np.float64), row.astype(np.float64)
    sums = [np.bincount(owner, value, count) for value in (x, y, x * x, y * y, x * y)]
    return Shapes(np.bincount(owner, minlength=count), np.stack(sums, axis=1).astype(np.int64))


def relabel(labels: Labels, keep: npt.NDArray[np.bool_]) -> Labels:
    """Drop the regions that `keep`, (n + 1,), does not hold, and number the rest from 1 in the old order."""
    kept = keep.copy()
    kept[0] = False
    return np.asarray(np.where(kept, np.cumsum(kept), 0).astype(np.int32)[labels])
