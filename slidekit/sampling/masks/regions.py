"""Regions of interest of the slides that are sampled."""

from __future__ import annotations

from pathlib import Path

from slidekit.sampling.masks.facts import MapSpec
from slidekit.sampling.slides import SampledSlide
from slidekit.slide.roi import ROISet, load_rois

__all__ = ["load_regions"]


def load_regions(
    slide: SampledSlide, dimensions: tuple[int, int], bounds: tuple[float, float], spec: MapSpec
) -> ROISet:
    """The regions of interest of a slide, level-0 pixels; none where it has no file.

    Parameters
    ----------
    slide, spec
        The slide, and `roi_origin`.
    dimensions
        Width and height of level 0, pixels.
    bounds
        Where QuPath's pixel (0, 0) is in level 0.

    Raises
    ------
    ROIError
        If the file cannot be used.
    """
    if not isinstance(slide.rois, Path):
        return slide.rois if slide.rois is not None else ROISet()
    return load_rois(slide.rois, slide_size=dimensions, bounds_origin=bounds, roi_origin=spec.roi_origin)
