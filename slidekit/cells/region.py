"""Labels of a rectangle of a slide, at any resolution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from slidekit.cells.outlines import paint_outlines
from slidekit.cells.windows import PixelBox
from slidekit.slide.roi.fill import Raster

if TYPE_CHECKING:
    from slidekit.cells.stored import StoredCells

__all__ = ["painted_region", "stored_region"]

_BAND = 1024
"""Rows of the masks that are read together."""


def stored_region(
    cells: StoredCells, box: tuple[float, float, float, float], size: tuple[int, int]
) -> npt.NDArray[np.uint32]:
    """Take labels from the masks: those of the pixels in which the centres of the image's pixels lie.

    Parameters
    ----------
    cells
        Cells with masks.
    box
        x, y, width, height, level-0 pixels.
    size
        Columns and rows of the image.
    """
    frame = cells.frame
    across = _pixels_under(box[0], box[2], size[0], frame.pixel[0])
    down = _pixels_under(box[1], box[3], size[1], frame.pixel[1])
    image = np.zeros((size[1], size[0]), np.uint32)
    columns = np.flatnonzero((across >= 0) & (across < frame.columns))
    rows = np.flatnonzero((down >= 0) & (down < frame.rows))
    if not len(columns) or not len(rows):
        return image
    left, right = int(across[columns[0]]), int(across[columns[-1]]) + 1
    for band in np.split(rows, np.flatnonzero(np.diff(down[rows] // _BAND)) + 1):
        top, bottom = int(down[band[0]]), int(down[band[-1]]) + 1
        part = cells.labels_in(PixelBox(left, top, right, bottom))
        image[np.ix_(band, columns)] = part[np.ix_(down[band] - top, across[columns] - left)]
    return image


def _pixels_under(start: float, length: float, count: int, pixel: float) -> npt.NDArray[np.int64]:
    centres = start + (np.arange(count) + 0.5) * (length / count)
    return np.asarray(np.floor(centres / pixel), np.int64)


def painted_region(
    cells: StoredCells, box: tuple[float, float, float, float], size: tuple[int, int]
) -> npt.NDArray[np.uint32]:
    """Paint outlines; where two overlap, the first cell has the pixel. Parameters as in `stored_region`."""
    x, y, width, height = box
    image = np.zeros((size[1], size[0]), np.uint32)
    raster = Raster((x, y), (width / size[0], height / size[1]), image.shape)
    first = 1
    for part in cells.parts():
        columns = part.columns
        near = (columns["right"] > x) & (columns["left"] < x + width)
        near &= (columns["bottom"] > y) & (columns["top"] < y + height)
        chosen = part.take(near)
        paint_outlines(image, raster, list(chosen.outlines()), first + np.flatnonzero(near))
        first += len(part)
    return image
