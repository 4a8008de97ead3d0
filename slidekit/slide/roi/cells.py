"""Which cells of a grid the regions of interest select, and which region each cell belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import STRtree

from slidekit.errors import MissingROIError, SpecError
from slidekit.slide.roi.region import ROI
from slidekit.slide.roi.shares import intersection_areas, subdivide

__all__ = ["CellSelection", "select_cells"]

CHUNK = 1 << 16
"""Cells that are looked at together: bounds the memory that their boxes take as geometries."""

EQUAL = 1e-9
"""Shares that differ by less are equal: far above the rounding of float64 geometry, far below a pixel."""


@dataclass(frozen=True)
class CellSelection:
    """What the regions say about the cells of a grid.

    Parameters
    ----------
    inside
        (n,) bool: whether the method takes the cell (for ``outside`` those outside of the regions, for
        ``ignore`` all).
    roi_index
        (n,) int64: the region that the cell belongs to by the rule of `filter_method`, -1 where it belongs to
        none. It depends neither on the method nor on whether the cell is taken.
    """

    inside: NDArray[np.bool_]
    roi_index: NDArray[np.int64]


def select_cells(
    rois: Sequence[ROI],
    boxes: NDArray[np.float64],
    *,
    method: Literal["auto", "inside", "outside", "ignore"] = "auto",
    filter_method: Literal["center"] | float = "center",
) -> CellSelection:
    """Select cells by regions of interest, exactly.

    With ``"center"`` a cell is in a region if its exact centre is in it or on its boundary. With a number f
    it is in the regions if the share of its area that their union covers is greater than f; ``outside`` then
    takes cells whose share outside of the union is greater than f. A cell that is in the regions belongs to
    the region with the largest share of it (by the centre: that contains the centre); ties go to the smaller
    polygon, then to the earlier name in alphabetical order.

    Parameters
    ----------
    rois
        Regions, level-0 pixels.
    boxes
        (n, 4) float64, x0, y0, x1, y1 of each cell in level-0 pixels, x0 < x1 and y0 < y1.
    method
        ``"inside"``, ``"outside"``, ``"ignore"`` (all cells), or ``"auto"``: inside if there are regions,
        else all.
    filter_method
        ``"center"``, or the share f, 0 <= f < 1. Shares that differ by less than 1e-9 count as equal.

    Returns
    -------
    CellSelection

    Raises
    ------
    MissingROIError
        If the method is ``inside`` or ``outside`` and there are no regions.
    SpecError
        If a parameter makes no sense.
    """
    boxes = _checked(boxes, method, filter_method)
    if method in ("inside", "outside") and not rois:
        raise MissingROIError(
            f"roi_method={method!r} needs regions of interest, and the slide has none.",
            mend='Give regions that lie on the slide, or use roi_method="auto".',
        )
    inside, outside = np.zeros(len(boxes), np.bool_), np.ones(len(boxes), np.bool_)
    roi_index = np.full(len(boxes), -1, np.int64)
    if rois:
        judge = _Centers(rois) if filter_method == "center" else _Shares(rois, float(filter_method))
        for start in range(0, len(boxes), CHUNK):
            part = slice(start, start + CHUNK)
            inside[part], outside[part], roi_index[part] = judge(boxes[part])
    if method == "ignore" or not rois:
        return CellSelection(np.ones(len(boxes), np.bool_), roi_index)
    return CellSelection(outside if method == "outside" else inside, roi_index)


def _checked(boxes: NDArray[np.float64], method: str, filter_method: str | float) -> NDArray[np.float64]:
    if method not in ("auto", "inside", "outside", "ignore"):
        raise SpecError(f"roi_method={method!r} is unknown.", mend="Use auto, inside, outside or ignore.")
    if filter_method != "center" and (isinstance(filter_method, (str, bool)) or not 0 <= filter_method < 1):
        raise SpecError(
            f"roi_filter_method={filter_method!r} is neither 'center' nor a share.",
            mend="Give 'center', or a share of the tile's area from 0 up to, not including, 1.",
        )
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4) if len(boxes) == 0 else np.asarray(boxes, np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.all(np.isfinite(boxes)):
        raise SpecError("Cells are x0, y0, x1, y1, four finite numbers each.")
    if not np.all((boxes[:, 0] < boxes[:, 2]) & (boxes[:, 1] < boxes[:, 3])):
        raise SpecError("Each cell needs x0 < x1 and y0 < y1.")
    return boxes


Verdict = tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.int64]]
"""Of some cells: inside the regions, outside of them, and the region that each belongs to (-1: none)."""


class _Rule:
    """What both rules need: the polygons, and which region wins where several claim a cell equally."""

    def __init__(self, rois: Sequence[ROI]) -> None:
        self.polygons = np.array([roi.polygon for roi in rois], dtype=object)
        # Nine digits: polygons of one shape in different places have areas that differ in the last bits.
        keys = [(float(f"{roi.polygon.area:.9g}"), roi.name, index) for index, roi in enumerate(rois)]
        self.order = np.array([key[2] for key in sorted(keys)], np.int64)
        self.rank = np.argsort(self.order)

    def winners(self, count: int, cell: NDArray[np.int64], roi: NDArray[np.int64]) -> NDArray[np.int64]:
        """For each of `count` cells the first in rank of the regions that claim it, -1 without a claim."""
        best = np.full(count, len(self.order), np.int64)
        np.minimum.at(best, cell, self.rank[roi])
        return np.append(self.order, -1)[best]


class _Centers(_Rule):
    """A cell is where its centre is."""

    def __call__(self, boxes: NDArray[np.float64]) -> Verdict:
        centers = shapely.points((boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2)
        roi, cell = STRtree(centers).query(self.polygons, predicate="intersects")
        index = self.winners(len(boxes), cell, roi)
        return index >= 0, index < 0, index


class _Shares(_Rule):
    """A cell is in the regions if their union covers more than a share of it."""

    def __init__(self, rois: Sequence[ROI], threshold: float) -> None:
        super().__init__(rois)
        self.threshold = threshold
        self.pieces, self.owner = subdivide(self.polygons)
        self._union: NDArray[np.object_] | None = None

    def __call__(self, boxes: NDArray[np.float64]) -> Verdict:
        count = len(boxes)
        cells = shapely.box(*boxes.T)
        size = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        full_roi, full_cell = STRtree(cells).query(self.polygons, predicate="covers")
        share = np.zeros(count)
        share[full_cell] = 1
        # Only cells that a boundary crosses and no region covers need areas.
        open_cell = np.flatnonzero(share < 1)
        part_cell, part_roi, area = intersection_areas(self.pieces, self.owner, cells[open_cell])
        part_cell = open_cell[part_cell]
        part_share = area / size[part_cell]
        largest = share.copy()
        np.maximum.at(largest, part_cell, part_share)
        self._add_union(share, cells, size, part_cell, part_share)
        first = part_share >= largest[part_cell] - EQUAL
        claims = np.concatenate([full_cell, part_cell[first]]), np.concatenate([full_roi, part_roi[first]])
        inside = share - self.threshold > EQUAL
        index = np.where(inside, self.winners(count, *claims), -1)
        return inside, (1 - share) - self.threshold > EQUAL, index

    def _add_union(
        self,
        share: NDArray[np.float64],
        cells: NDArray[np.object_],
        size: NDArray[np.float64],
        part_cell: NDArray[np.int64],
        part_share: NDArray[np.float64],
    ) -> None:
        """Set the share of the union where no region covers the cell: the only region's, else measured."""
        regions = np.bincount(part_cell, minlength=len(share))
        alone = regions[part_cell] == 1
        share[part_cell[alone]] = part_share[alone]
        several = np.flatnonzero(regions > 1)
        if len(several):
            if self._union is None:
                self._union, _ = subdivide([shapely.union_all(self.polygons)])
            owner = np.zeros(len(self._union), np.int64)
            cell, _, area = intersection_areas(self._union, owner, cells[several])
            share[several[cell]] = area / size[several[cell]]
