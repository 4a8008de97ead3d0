"""Regions of interest as classes: which are painted, in what order, and as what."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from shapely import Polygon, STRtree

from slidekit.errors import SpecError
from slidekit.sampling.masks.facts import MapSpec
from slidekit.sampling.masks.polygons import Raster, fill_polygon
from slidekit.sampling.slides import SampledSlide
from slidekit.slide.qc.base import BoolMask
from slidekit.slide.roi import ROISet, load_rois

__all__ = ["MOST_CLASSES", "ClassRegions", "check_classes", "fill_regions", "load_regions"]

MOST_CLASSES = 254
"""Classes that a label image of 8 bits has numbers for, beside 0 for none and 255, which many tools ignore."""


def check_classes(count: int) -> None:
    """Refuse more classes than a label image can tell apart.

    Raises
    ------
    SpecError
        If there are more than 254.
    """
    if count > MOST_CLASSES:
        raise SpecError(
            f"{count} classes: a label image has numbers for {MOST_CLASSES}.",
            mend="Take fewer classes.",
        )


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


def fill_regions(rois: ROISet, raster: Raster) -> BoolMask:
    """Pixels of an image whose centres lie in at least one region."""
    mask = np.zeros(raster.shape, np.bool_)
    for roi in rois:
        for rows, columns, inside in fill_polygon(roi.polygon, raster):
            mask[rows, columns] |= inside
    return mask


@dataclass(frozen=True)
class ClassRegions:
    """Regions that have a class, in the order in which they are painted.

    The largest come first, so that what lies in another stays visible; of equal ones the later in the file is on top.

    Attributes
    ----------
    polygons
        Level-0 pixels.
    classes
        Number of the class of each, from 0.
    """

    polygons: tuple[Polygon, ...]
    classes: tuple[int, ...]

    @classmethod
    def of(cls, rois: ROISet, names: tuple[str, ...]) -> ClassRegions:
        """The regions whose labels are among `names`; others are not painted, nor do they hide any.

        Raises
        ------
        SpecError
            If there are more than 254 names.
        """
        check_classes(len(names))
        number = {name: index for index, name in enumerate(names)}
        known = [roi for roi in rois if roi.label in number]
        known.sort(key=lambda roi: -roi.polygon.area)
        return cls(
            tuple(roi.polygon for roi in known), tuple(number[roi.label] for roi in known if roi.label is not None)
        )

    @cached_property
    def _tree(self) -> STRtree:
        return STRtree(list(self.polygons))

    def touching(self, bounds: tuple[float, float, float, float]) -> list[int]:
        """Numbers of regions whose boxes meet a box in level-0 pixels, in the order of painting."""
        from shapely import box

        return sorted(self._tree.query(box(*bounds)).tolist()) if self.polygons else []

    def paint(self, raster: Raster) -> NDArray[np.uint8]:
        """Paint an image: 0 where there is no region, k + 1 where class k is on top.

        Returns
        -------
        ndarray (rows, columns), uint8
        """
        image = np.zeros(raster.shape, np.uint8)
        (x, y), (rows, columns) = raster.corner, raster.shape
        bounds = (x, y, x + columns * raster.pixel[0], y + rows * raster.pixel[1])
        for number in self.touching(bounds):
            for down, across, inside in fill_polygon(self.polygons[number], raster):
                image[down, across][inside] = self.classes[number] + 1
        return image

    def visible(self, number: int, raster: Raster) -> BoolMask:
        """Pixels of one region that no smaller region of another class hides."""
        mask = np.zeros(raster.shape, np.bool_)
        for rows, columns, inside in fill_polygon(self.polygons[number], raster):
            mask[rows, columns] = inside
        for other in self.touching(self.polygons[number].bounds):
            if other > number and self.classes[other] != self.classes[number]:
                for rows, columns, inside in fill_polygon(self.polygons[other], raster):
                    mask[rows, columns] &= ~inside
        return mask
