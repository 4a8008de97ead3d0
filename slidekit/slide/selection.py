"""What regions of interest and QC masks decide about the cells of a grid, before any tile is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from slidekit.slide.fate import Fate
from slidekit.slide.grid import CellGrid
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
    mask_index
        (n,) int64: the mask that dropped the cell, by its place among those that were given; −1 for none.
    """

    reasons: npt.NDArray[np.object_]
    roi_index: npt.NDArray[np.int64]
    mask_index: npt.NDArray[np.int64]

    @property
    def taken(self) -> npt.NDArray[np.bool_]:
        """(n,) of bool: cells that are to be read."""
        return np.asarray(self.reasons == str(Fate.KEPT), dtype=np.bool_)


def decide_cells(
    grid: CellGrid,
    dimensions: tuple[int, int],
    rois: Sequence[ROI],
    masks: Sequence[QCMask],
    *,
    roi_method: ROIMethod,
    roi_filter_method: Literal["center"] | float,
    artifacts: Sequence[ROI] = (),
    refused: npt.NDArray[np.object_] | None = None,
) -> CellFates:
    """Decide about all cells: refused, outside ROI, artifact region, background, focus, other QC; the first counts.

    Parameters
    ----------
    grid
        The cells.
    dimensions
        Width and height of the slide, level-0 pixels.
    rois
        Regions of interest, level-0 pixels.
    masks
        What QC discards.
    roi_method, roi_filter_method
        As for `select_cells`.
    artifacts
        Regions that are removed: a cell that lies in their union by `roi_filter_method` is dropped, whatever
        `roi_method` says.
    refused
        (n,) of str: why a cell is out whatever regions and QC say, as `PlaceGrid.refused`; empty if it is not.

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
    if refused is not None:
        out = refused != ""
        reasons[out] = refused[out]
        undecided &= ~out
    if artifacts:
        removed = undecided & select_cells(artifacts, boxes, filter_method=roi_filter_method).inside
        reasons[removed] = str(Fate.ARTIFACT)
        undecided &= ~removed
    mask_index = np.full(len(boxes), -1, np.int64)
    for place in sorted(range(len(masks)), key=lambda k: _ORDER.get(masks[k].reason, 2)):  # type: ignore[call-overload]
        dropped = undecided & masks[place].drops(boxes, dimensions)
        reasons[dropped] = str(masks[place].reason)
        mask_index[dropped] = place
        undecided &= ~dropped
    return CellFates(reasons, selection.roi_index, mask_index)
