"""What `Focus` takes for tissue: cells that are neither glass nor void, on a slide in bright field."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from slidekit.errors import QCError
from slidekit.pixels.image import RGBImage
from slidekit.slide.qc.base import BoolMask, SlideView
from slidekit.slide.qc.focus_network import CELL_PX

__all__ = ["check_bright_field", "mean_colours", "tissue_cells"]

_LEAST_CHROMA, _LEAST_BRIGHT, _MOST_BLACK = 12, 190, 25
"""Glass is colourless and bright, a void is black; grey levels of the mean colour of a cell."""

_DARK_FIELD = 60
"""Grey level of the darkest channel that hardly any tissue exceeds in fluorescence; in H&E and IHC most does."""


def tissue_cells(image: RGBImage, cell_px: int = CELL_PX) -> BoolMask:
    """Which cells hold anything that focus could be judged by: neither glass nor the black beyond a scan.

    Parameters
    ----------
    image
        (cell_px · rows, cell_px · columns, 3), uint8, RGB.
    cell_px
        Edge of a cell, pixels.

    Returns
    -------
    ndarray (rows, columns), bool
    """
    mean = mean_colours(image, cell_px)
    high, low = mean.max(axis=2), mean.min(axis=2)
    tissue: BoolMask = ((high - low >= _LEAST_CHROMA) | (high < _LEAST_BRIGHT)) & (high >= _MOST_BLACK)
    return tissue


def mean_colours(image: RGBImage, cell_px: int) -> RGBImage:
    """The mean colour of each cell of `cell_px` × `cell_px` pixels: (rows, columns, 3), uint8, RGB."""
    size = (image.shape[1] // cell_px, image.shape[0] // cell_px)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def check_bright_field(wsi: SlideView, darkest: npt.NDArray[np.uint8]) -> None:
    """See that tissue lets light through, as that does which the network was trained on.

    Parameters
    ----------
    wsi
        The slide, for its name.
    darkest
        (n,), the darkest channel of each cell of its tissue.

    Raises
    ------
    QCError
        If it does not.
    """
    if darkest.size and np.percentile(darkest, 95) < _DARK_FIELD:
        raise QCError(
            f"Focus judges tissue in bright field; slide {wsi.name} is dark, as fluorescence is.",
            mend="Leave focus out for it (--qc, qc=...), or use a network of your own by qc.StridedDL.",
        )
