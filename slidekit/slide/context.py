"""The tissue of a whole slide at a low resolution, for statistics that stand in for those of its tiles."""

from __future__ import annotations

import math

import numpy as np

from slidekit.pixels.image import RGBImage
from slidekit.slide.fate import Fate
from slidekit.slide.gridded import GriddedSlide
from slidekit.slide.qc import Otsu, make_mask
from slidekit.slide.qc.base import BoolMask
from slidekit.slide.roi.class_regions import fill_regions
from slidekit.slide.roi.fill import Raster

__all__ = ["tissue_mask", "tissue_pixels"]

_MOST_PIXELS = 2048 * 2048
"""Pixels that are enough for any statistics; of more, every so manyth is taken."""

_BAND_ROWS = 512


def tissue_mask(slide: GriddedSlide) -> BoolMask:
    """Where a slide has tissue that counts, at the resolution of its finest mask.

    Parameters
    ----------
    slide
        What its QC masks discard does not count, nor artifact regions, nor what lies outside its regions of interest
        (inside them, with ``roi_method="outside"``). Where Otsu was not among the methods, it is computed for this
        mask alone.

    Returns
    -------
    ndarray (rows, columns), bool
        True = tissue; covers the whole slide.
    """
    masks = list(slide.qc_masks)
    if all(mask.reason != Fate.BACKGROUND for mask in masks):
        background = make_mask(Otsu(), slide, 1.0)
        assert background is not None
        masks.append(background)
    rows = max(mask.mask.shape[0] for mask in masks)
    columns = max(mask.mask.shape[1] for mask in masks)
    kept = np.ones((rows, columns), np.bool_)
    for mask in masks:
        kept &= ~mask.resized(columns, rows)
    method = slide.spec.roi_method
    width, height = slide.dimensions
    raster = Raster((0.0, 0.0), (width / columns, height / rows), (rows, columns))
    if slide.rois and method != "ignore":
        regions = fill_regions(slide.rois, raster)
        kept &= ~regions if method == "outside" else regions
    if slide.artifacts:
        kept &= ~fill_regions(slide.artifacts, raster)
    return kept


def tissue_pixels(slide: GriddedSlide, mpp: float) -> RGBImage:
    """Pixels of the tissue of a slide, as `tissue_mask` finds it.

    Parameters
    ----------
    slide
        QC has been run, or not.
    mpp
        µm/px at which the slide is read; its own where that is coarser.

    Returns
    -------
    ndarray (n, 3), uint8, RGB
        In raster order; where there are more than 2048 · 2048, about as many, evenly spaced.

    Raises
    ------
    SlideReadError
        If more than 5 % of the slide cannot be decoded.
    """
    tissue = tissue_mask(slide)
    mpp = max(mpp, slide.mpp_x, slide.mpp_y)
    columns, rows = (max(1, round(um / mpp)) for um in slide.size_um)
    step = max(1, math.ceil(np.count_nonzero(tissue) / tissue.size * columns * rows / _MOST_PIXELS))
    taken: list[RGBImage] = [np.empty((0, 3), np.uint8)]
    seen = 0
    for first, band in slide.overview_bands(columns, rows, band_rows=_BAND_ROWS, overlap=0):
        under_rows = _places(first + np.arange(band.shape[0]), rows, tissue.shape[0])
        under_columns = _places(np.arange(band.shape[1]), columns, tissue.shape[1])
        pixels = band[tissue[np.ix_(under_rows, under_columns)]]
        taken.append(pixels[-seen % step :: step])
        seen += len(pixels)
    return np.concatenate(taken)


def _places(pixels: np.ndarray, length: int, mask_length: int) -> np.ndarray:
    """Rows or columns of a mask that lie under the centres of those of an image of the same slide."""
    return np.minimum(((pixels + 0.5) * mask_length / length).astype(np.int64), mask_length - 1)
