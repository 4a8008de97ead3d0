"""Regions of interest as classes: which are painted, in what order, and as what."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon, STRtree
from shapely.geometry.base import BaseGeometry

from slidekit.errors import SpecError
from slidekit.slide.roi.fill import Raster, fill_polygon
from slidekit.slide.roi.region import ROI

__all__ = ["MOST_CLASSES", "ClassRegions", "check_classes", "fill_regions"]

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


def fill_regions(rois: Iterable[ROI], raster: Raster, *, keep_small: bool = True) -> NDArray[np.bool_]:
    """Pixels of an image whose centres lie in at least one region.

    Parameters
    ----------
    rois
        Level-0 pixels.
    raster
        The image.
    keep_small
        Whether a region on the image that lies between the centres has a pixel nevertheless.

    Returns
    -------
    ndarray (rows, columns), bool
    """
    mask = np.zeros(raster.shape, np.bool_)
    for roi in rois:
        found = False
        for rows, columns, inside in fill_polygon(roi.polygon, raster):
            mask[rows, columns] |= inside
            found = bool(inside.any())
        if keep_small and not found:
            # Smaller than a pixel, and between centres.
            point = roi.polygon.representative_point()
            column, row = (
                math.floor((at - low) / step)
                for at, low, step in zip((point.x, point.y), raster.corner, raster.pixel, strict=True)
            )
            if 0 <= row < mask.shape[0] and 0 <= column < mask.shape[1]:
                mask[row, column] = True
    return mask


@dataclass(frozen=True)
class ClassRegions:
    """Regions that have a class, in the order in which they are painted.

    The largest come first, so that what lies in another stays visible; of two as large the earlier name is on top, as
    with the label of a tile.

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
    def of(cls, rois: Iterable[ROI], names: tuple[str, ...], dimensions: tuple[int, int] | None = None) -> ClassRegions:
        """The regions whose labels are among `names`; others are not painted, nor do they hide any.

        Parameters
        ----------
        rois
            Level-0 pixels.
        names
            Labels, in the order of the classes.
        dimensions
            Width and height of the slide, level-0 pixels: what lies beyond is cut off. None cuts nothing.

        Raises
        ------
        SpecError
            If there are more than 254 names.
        """
        check_classes(len(names))
        number = {name: index for index, name in enumerate(names)}
        known = [roi for roi in rois if roi.label in number]
        # Nine digits, as for tiles: polygons of one shape in different places have areas that differ in the last bits.
        known.sort(key=lambda roi: (float(f"{roi.polygon.area:.9g}"), roi.name))
        known.reverse()
        parts = [(part, number[str(roi.label)]) for roi in known for part in _clipped(roi.polygon, dimensions)]
        return cls(tuple(part for part, _ in parts), tuple(index for _, index in parts))

    @cached_property
    def nbytes(self) -> int:
        """Bytes that it holds, roughly: coordinates, and what GEOS and Python need for each polygon."""
        return int(np.sum(shapely.get_num_coordinates(list(self.polygons)))) * 16 + 1000 * len(self.polygons)

    @cached_property
    def _tree(self) -> STRtree:
        return STRtree(list(self.polygons))

    def touching(self, bounds: tuple[float, float, float, float]) -> list[int]:
        """Numbers of regions whose boxes meet a box in level-0 pixels, in the order of painting."""
        return sorted(self._tree.query(shapely.box(*bounds)).tolist()) if self.polygons else []

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

    def visible(self, number: int) -> Polygon | MultiPolygon | None:
        """What of one region no smaller region of another class hides, level-0 pixels; None if that is nothing."""
        whole = self.polygons[number]
        above = [
            self.polygons[other]
            for other in self.touching(whole.bounds)
            if other > number and self.classes[other] != self.classes[number]
        ]
        rest = _areas_of(whole.difference(shapely.union_all(above))) if above else [whole]
        if not rest:
            return None
        return rest[0] if len(rest) == 1 else MultiPolygon(rest)


def _clipped(polygon: Polygon, dimensions: tuple[int, int] | None) -> list[Polygon]:
    """What of a polygon lies on the slide."""
    if dimensions is None:
        return [polygon]
    x0, y0, x1, y1 = polygon.bounds
    if x0 >= 0 and y0 >= 0 and x1 <= dimensions[0] and y1 <= dimensions[1]:
        return [polygon]
    return _areas_of(polygon.intersection(shapely.box(0, 0, *dimensions)))


def _areas_of(shape: BaseGeometry) -> list[Polygon]:
    """Its polygons: where two outlines only touch, an intersection has points and lines as well."""
    return [part for part in shapely.get_parts(shape).tolist() if isinstance(part, Polygon) and part.area > 0]
