"""What regions of interest and QC masks decide about the cells of a grid, before any tile is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from slidekit.slide.fate import Fate
from slidekit.slide.grid import Grid
from slidekit.slide.qc.mask import QCMask
from slidekit.slide.roi import ROI, select_cells
from slidekit.slide.spec import ROIMethod

__all__ = ["CellFates", "decide_cells"]

_ORDER = {Fate.BACKGROUND: 0, Fate.OUT_OF_FOCUS: 1}


@dataclass(frozen=True)
class CellFates:
    """A decision for each cell, in raster order.

    Attributes
    ----------
    reasons
        (n,) of str; `Fate.KEPT` for cells that are to be read.
    roi_index
        (n,) int64: the cell's region, −1 for none.
    """

    reasons: npt.NDArray[np.object_]
    roi_index: npt.NDArray[np.int64]

    @property
    def taken(self) -> npt.NDArray[np.bool_]:
        """(n,) of bool: cells that are to be read."""
        return np.asarray(self.reasons == str(Fate.KEPT), dtype=np.bool_)


def decide_cells(
    grid: Grid,
    dimensions: tuple[int, int],
    rois: Sequence[ROI],
    masks: Sequence[QCMask],
    *,
    roi_method: ROIMethod,
    roi_filter_method: Literal["center"] | float,
) -> CellFates:
    """Decide about all cells: outside ROI, then background, then focus, then other QC; the first reason counts.

    Raises
    ------
    MissingROIError
        If the method demands regions and there are none.
    """
    boxes = grid.boxes()
    selection = select_cells(rois, boxes, method=roi_method, filter_method=roi_filter_method)
    reasons = np.full(len(boxes), str(Fate.KEPT), dtype=object)
    undecided = selection.inside.copy()
    reasons[~undecided] = str(Fate.OUTSIDE_ROI)
    for mask in sorted(masks, key=lambda mask: _ORDER.get(mask.reason, 2)):  # type: ignore[call-overload]
        dropped = undecided & mask.drops(boxes, dimensions)
        reasons[dropped] = str(mask.reason)
        undecided &= ~dropped
    return CellFates(reasons, selection.roi_index)
