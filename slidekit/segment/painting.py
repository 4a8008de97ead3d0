"""Regions of interest as masks for training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from slidekit.slide.roi import ROI
from slidekit.slide.roi.class_regions import ClassRegions, fill_regions
from slidekit.slide.roi.fill import Raster
from slidekit.slide.segmentation.config import SegmentMode

__all__ = ["paint_mask"]


def paint_mask(
    rois: Sequence[ROI],
    dimensions: tuple[int, int],
    shape: tuple[int, int],
    *,
    mode: SegmentMode,
    labels: Sequence[str] | None = None,
    artifact_labels: Sequence[str] = (),
) -> NDArray[np.uint8]:
    """Paint the regions of a slide; a pixel is what its exact centre is.

    In every mode: a region so small that it lies between the centres is in no pixel.

    Parameters
    ----------
    rois
        Level-0 pixels.
    dimensions
        Width and height of the slide, level-0 pixels.
    shape
        (rows, columns) of the mask, which covers the whole slide.
    mode
        ``binary``: 1 in the union of the regions. ``multiclass``: k + 1 for the label k; of regions over each other
        the smaller is on top, then the one of the earlier name. ``multilabel``: a plane for each label.
    labels
        Labels that count; None takes all regions, for ``binary`` only.
    artifact_labels
        Regions of these labels are no regions: what they cover is in none.

    Returns
    -------
    ndarray, uint8
        (rows, columns), or (labels, rows, columns) for ``multilabel``.
    """
    width, height = dimensions
    raster = Raster((0.0, 0.0), (width / shape[1], height / shape[0]), shape)
    artifacts = [roi for roi in rois if roi.label in artifact_labels]
    regions = [roi for roi in rois if roi.label not in artifact_labels]
    if mode == "multiclass":
        mask = ClassRegions.of(regions, tuple(labels or ())).paint(raster)
    elif mode == "multilabel":
        planes = [_fill([roi for roi in regions if roi.label == label], raster) for label in labels or ()]
        mask = np.array(planes, np.uint8).reshape(-1, *shape)
    else:
        mask = _fill([roi for roi in regions if labels is None or roi.label in labels], raster).astype(np.uint8)
    if artifacts:
        mask[..., _fill(artifacts, raster)] = 0
    return mask


def _fill(rois: Sequence[ROI], raster: Raster) -> NDArray[np.bool_]:
    return fill_regions(rois, raster, keep_small=False)
