"""Structures of a class, such as single glomeruli: how large each is, and how much of it a patch holds."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon

from slidekit.sampling.masks.coverage import cover
from slidekit.sampling.masks.facts import Box
from slidekit.sampling.masks.packed import PackedMask
from slidekit.sampling.places.areas import box_sums
from slidekit.slide.roi.class_regions import ClassRegions
from slidekit.slide.roi.fill import Raster

__all__ = ["DrawnStructures", "LabelledStructures", "Structure", "Structures"]

_LEAST_CELLS, _MOST_CELLS = 128, 2048
_LEAST_PARTS = 64
_NUDGE = np.array([1.37e-7, -1.91e-7, 1.13e-7, -1.57e-7])
"""Level-0 pixels."""
_CELLS_IN_PATCH = 8


class Structure(ABC):
    """One connected region of a class, as far as it is visible.

    Attributes
    ----------
    bounds
        The box around it, level-0 pixels.
    area
        Level-0 pixels².
    nbytes
        Bytes that it holds, beside what is `Structures`' own.
    """

    bounds: Box
    area: float
    nbytes: int

    @abstractmethod
    def cells(self, size: tuple[float, float]) -> tuple[NDArray[np.float32], Raster]:
        """An image of it, fine enough for patches of a size: the share of each cell that is covered, and where it is.

        Parameters
        ----------
        size
            Width and height of patches, level-0 pixels.
        """

    @abstractmethod
    def held(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Area of it in boxes (n, 4) of x0, y0, x1, y1: exact, (n,) level-0 pixels²."""

    def share(self, centres: NDArray[np.float64], size: tuple[float, float]) -> NDArray[np.float64]:
        """What patches hold of it: the area, relative to that of the patch or of the structure if it is smaller.

        Parameters
        ----------
        centres
            (n, 2) of (x, y), level-0 pixels.
        size
            Width and height of the patches, level-0 pixels.
        """
        half = np.array(size) / 2
        held = self.held(np.hstack([centres - half, centres + half]))
        return np.asarray(held / min(self.area, size[0] * size[1]))


class _Drawn(Structure):
    def __init__(self, shape: Polygon | MultiPolygon) -> None:
        self._shape = shape
        self.nbytes = 0
        self.area = float(shape.area)
        x0, y0, x1, y1 = shape.bounds
        self.bounds = (x0, y0, x1, y1)

    def cells(self, size: tuple[float, float]) -> tuple[NDArray[np.float32], Raster]:
        x0, y0, x1, y1 = self.bounds
        columns, rows = (
            min(max(math.ceil(_CELLS_IN_PATCH * extent / edge), _LEAST_CELLS), _MOST_CELLS)
            for extent, edge in zip((x1 - x0, y1 - y0), size, strict=True)
        )
        raster = Raster((x0, y0), ((x1 - x0) / columns, (y1 - y0) / rows), (rows, columns))
        return cover(self._shape, raster), raster

    def held(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        # Several times as fast as `intersection`; but GEOS may go wrong where a box has corners of the shape on its
        # edges, so that none is left exactly where it was.
        parts = [shapely.clip_by_rect(self._shape, *box) for box in (boxes + _NUDGE).tolist()]
        return np.asarray(shapely.area(parts), np.float64).reshape(-1)


class _Labelled(Structure):
    def __init__(self, mask: NDArray[np.bool_], corner: tuple[float, float], pixel: tuple[float, float]) -> None:
        self._mask = PackedMask(mask)
        self.nbytes = self._mask.nbytes
        self._raster = Raster(corner, pixel, (mask.shape[0], mask.shape[1]))
        self.area = len(self._mask) * pixel[0] * pixel[1]
        x, y = corner
        self.bounds = (x, y, x + mask.shape[1] * pixel[0], y + mask.shape[0] * pixel[1])

    def cells(self, size: tuple[float, float]) -> tuple[NDArray[np.float32], Raster]:
        # Cut up, so that what patches hold can be bounded by whole cells.
        mask, (x, y) = self._mask.unpack(), self._raster.pixel
        finer = max(1, _LEAST_PARTS // max(mask.shape))
        fine = mask.repeat(finer, axis=0).repeat(finer, axis=1)
        return fine.astype(np.float32), Raster(self._raster.corner, (x / finer, y / finer), fine.shape)

    def held(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        pixel, corner = np.array(self._raster.pixel), np.array(self._raster.corner)
        sums = box_sums(self._mask, (boxes - np.tile(corner, 2)) / np.tile(pixel, 2))
        return np.asarray(sums * pixel[0] * pixel[1])


class Structures(ABC):
    """All structures of a class on a slide.

    Attributes
    ----------
    areas
        (n,) float64, level-0 pixels².
    bounds
        (n, 4) float64, the boxes around them, level-0 pixels.
    """

    areas: NDArray[np.float64]
    bounds: NDArray[np.float64]

    @abstractmethod
    def get(self, number: int) -> Structure:
        """One of them."""

    @property
    def nbytes(self) -> int:
        """Bytes that it holds."""
        return self.areas.nbytes + self.bounds.nbytes


class DrawnStructures(Structures):
    """The regions of interest of a class.

    Parameters
    ----------
    regions
        All regions that have a class.
    class_index
        The class, from 0.
    """

    def __init__(self, regions: ClassRegions, class_index: int) -> None:
        numbers = [number for number, index in enumerate(regions.classes) if index == class_index]
        seen = [(number, regions.visible(number)) for number in numbers]
        self._shapes = [shape for _, shape in seen if shape is not None]
        self._bytes: int = sum(1000 + 16 * len(shapely.get_coordinates(shape)) for shape in self._shapes)
        self.areas = np.asarray(shapely.area(self._shapes), np.float64).reshape(-1)
        self.bounds = np.asarray(shapely.bounds(self._shapes), np.float64).reshape(-1, 4)

    def get(self, number: int) -> Structure:
        """As `Structures.get`."""
        return _Drawn(self._shapes[number])

    @property
    def nbytes(self) -> int:
        """Bytes that it holds: most shapes are the regions' own, but those that others hide in part are not."""
        return super().nbytes + self._bytes


class LabelledStructures(Structures):
    """The connected components (8 neighbours) of a class in a map of labels.

    Parameters
    ----------
    labels
        (rows, columns) uint8 over the whole slide, k + 1 for class k.
    class_index
        The class, from 0.
    dimensions
        Width and height of the slide, level-0 pixels.
    """

    def __init__(self, labels: NDArray[np.uint8], class_index: int, dimensions: tuple[int, int]) -> None:
        self._labels, self._value = labels, class_index + 1
        self._pixel = (dimensions[0] / labels.shape[1], dimensions[1] / labels.shape[0])
        mask = (labels == self._value).astype(np.uint8)
        left, top, width, height = cv2.boundingRect(mask)
        # Its own part alone: a slide may have many classes.
        part = np.ascontiguousarray(mask[top : top + height, left : left + width])
        boxes, seeds = _components(part) if part.size else (np.zeros((0, 5), np.int64), np.zeros((0, 2), np.int64))
        self._boxes: NDArray[np.int64] = boxes[:, :4] + np.array([left, top, 0, 0])
        self._seeds: NDArray[np.int64] = seeds + np.array([left, top])
        corners = np.hstack([self._boxes[:, :2], self._boxes[:, :2] + self._boxes[:, 2:]])
        self.areas = boxes[:, 4] * (self._pixel[0] * self._pixel[1])
        self.bounds = corners * np.array(self._pixel * 2)

    def get(self, number: int) -> Structure:
        """As `Structures.get`; found anew from one of its pixels, because an image of all numbers is large."""
        left, top, width, height = self._boxes[number].tolist()
        part = (self._labels[top : top + height, left : left + width] == self._value).astype(np.uint8)
        x, y = (self._seeds[number] - (left, top)).tolist()
        cv2.floodFill(part, None, (x, y), 2, flags=8)
        return _Labelled(part == 2, (left * self._pixel[0], top * self._pixel[1]), self._pixel)

    @property
    def nbytes(self) -> int:
        """Bytes that it holds."""
        return super().nbytes + self._boxes.nbytes + self._seeds.nbytes


def _components(mask: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Left, top, width, height, pixels (n, 5) of each component, and (x, y) of one of its pixels (n, 2)."""
    count, numbers, facts, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    listed: NDArray[Any] = np.asarray(numbers).reshape(-1)
    pixels = np.flatnonzero(listed)
    seeds = np.zeros(count, np.int64)
    seeds[listed[pixels]] = pixels
    rows, columns = np.divmod(seeds[1:], mask.shape[1])
    return np.asarray(facts)[1:].astype(np.int64), np.stack([columns, rows], axis=1)
