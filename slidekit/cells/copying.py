"""Cells from one store into another, all or some, a piece at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from slidekit.cells.canvas import CHUNK_PX
from slidekit.cells.windows import PixelBox
from slidekit.cells.writing import StoreWriter

if TYPE_CHECKING:
    from slidekit.cells.stored import StoredCells

__all__ = ["copy_cells"]


def copy_cells(source: StoredCells, writer: StoreWriter, keep: npt.NDArray[np.bool_] | None) -> None:
    """Copy cells.

    Parameters
    ----------
    source
        Where they are.
    writer
        Where they go.
    keep
        (n,) which of them, numbered anew; None for all.
    """
    done = 0
    for part in source.parts():
        writer.add(part if keep is None else part.take(keep[done : done + len(part)]))
        done += len(part)
    if source.masks is None:
        return
    numbers = np.arange(len(source) + 1, dtype=np.uint32)
    if keep is not None:
        numbers[1:] = np.where(keep, np.cumsum(keep), 0)
    rows, columns = source.shape
    for top in range(0, rows, CHUNK_PX):
        for left in range(0, columns, CHUNK_PX):
            box = PixelBox(left, top, min(left + CHUNK_PX, columns), min(top + CHUNK_PX, rows))
            labels = source.labels_in(box)
            if labels.any():
                writer.write_part(box, numbers[labels])
