"""`SlideMap`: where a slide has tissue and classes, and from which places patches may come."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import SlideError, SpecError
from slidekit.sampling.masks.facts import Box, Per, SlideFacts
from slidekit.sampling.masks.packed import PackedMask
from slidekit.sampling.places.areas import box_sums, sums_about_centres
from slidekit.sampling.places.places import BoxPlaces, MaskPlaces, Places
from slidekit.sampling.places.structure_places import StructurePlaces
from slidekit.sampling.places.structures import DrawnStructures, LabelledStructures, Structures
from slidekit.slide.qc.base import BoolMask
from slidekit.slide.roi.class_regions import ClassRegions
from slidekit.slide.roi.fill import Raster

__all__ = ["Kind", "MapParts", "SlideMap", "whole_raster"]

Kind = Literal["tissue", "class", "background"]

_PLACES_BYTES = 32 << 20
"""Of places that are kept: for many classes, sizes and shares there may be hundreds, most of them small."""
_LABEL_SIDE = 2000
_ROUNDING = 1e-5
"""Relative error of sums in single precision."""


@dataclass(frozen=True)
class MapParts:
    """What a map is made of.

    Attributes
    ----------
    facts
        Of the slide.
    tissue
        True = tissue; None where the whole slide counts as such.
    box
        Where centres may be, level-0 pixels.
    classes
        The regions that have a class, or (rows, columns) uint8 with k + 1 for class k; None without classes.
    per
        Whether places of a class are alike by area or by structure.
    words
        How tissue was found, for messages.
    notes
        What a reviewer should know.
    """

    facts: SlideFacts
    tissue: PackedMask | None
    box: Box
    classes: ClassRegions | NDArray[np.uint8] | None = None
    per: Per = "area"
    words: str = ""
    notes: tuple[str, ...] = ()


class SlideMap:
    """Where a slide has tissue and classes; it opens no slide.

    Parameters
    ----------
    parts
        What it is made of.
    """

    def __init__(self, parts: MapParts) -> None:
        self._parts = parts
        self.facts = parts.facts
        self.notes = parts.notes
        self._lock = threading.Lock()
        self._places: OrderedDict[tuple[str, tuple[float, float], int, float], Places] = OrderedDict()
        self._found: dict[int, Structures] = {}

    @property
    def tissue(self) -> BoolMask | None:
        """(rows, columns) bool over the whole slide, True = tissue; None where no mask was asked for."""
        return None if self._parts.tissue is None else self._parts.tissue.unpack().view(np.bool_)

    @property
    def labels(self) -> NDArray[np.uint8] | None:
        """(rows, columns) uint8 over the whole slide: 0 none, k + 1 class k; None where no class was asked for."""
        classes = self._parts.classes
        if not isinstance(classes, ClassRegions):
            return classes
        width, height = self.facts.dimensions
        shrink = max(1.0, max(width, height) / _LABEL_SIDE)
        shape = (max(1, round(height / shrink)), max(1, round(width / shrink)))
        return classes.paint(whole_raster(self.facts, shape))

    def box(self) -> Box:
        """Where centres may be: x0, y0, x1, y1, level-0 pixels."""
        return self._parts.box

    @property
    def tissue_um2(self) -> float:
        """Area of tissue in the box, µm² (level-0 pixels² where µm/px is unknown); of all the box without a mask."""
        x0, y0, x1, y1 = self._parts.box
        if self._parts.tissue is None:
            return (x1 - x0) * (y1 - y0) * self._um2
        share = self._share(np.array([self._parts.box]))[0]
        return float(share * (x1 - x0) * (y1 - y0) * self._um2)

    def class_um2(self, class_index: int) -> float:
        """Visible area of a class on the slide, µm² (level-0 pixels² where µm/px is unknown)."""
        found = self._structures(class_index)
        return 0.0 if found is None else float(found.areas.sum()) * self._um2

    def places(self, kind: Kind, size: tuple[float, float], *, class_index: int = -1, least: float = 0.0) -> Places:
        """Places where a patch may have its centre; kept for the next time.

        Parameters
        ----------
        kind
            ``tissue``; ``class``: from which the patch holds enough of one structure of a class; ``background``:
            anywhere in the box.
        size
            Width and height of the patch, level-0 pixels.
        class_index
            The class, from 0.
        least
            Share of the patch that must be tissue, what lies outside the slide being none; or share of the structure,
            or of the patch where that is smaller.

        Raises
        ------
        SlideError
            If tissue is asked for, and there is none.
        """
        # Patches that are moved until they lie on the slide hold no less than before: there is nothing beyond it.
        key = (kind, (float(size[0]), float(size[1])), class_index, float(least))
        with self._lock:
            if key not in self._places:
                self._places[key] = self._find(*key)
                while len(self._places) > 1 and self._places_bytes() > _PLACES_BYTES:
                    self._places.popitem(last=False)
            self._places.move_to_end(key)
            return self._places[key]

    def check(self) -> None:
        """Make sure that the slide has tissue.

        Raises
        ------
        SlideError
            If a mask was asked for, and it is empty.
        """
        if self._parts.tissue is not None and not len(self._parts.tissue):
            raise SlideError(
                f"slide {self.facts.name} has no tissue by {self._parts.words}.",
                mend="Leave it out, or find its tissue in another way (mask=); where tissue is bright on dark, as in"
                " fluorescence, by HistoFetch(background='dark').",
            )

    def tissue_share(self, boxes: NDArray[np.float64]) -> NDArray[np.float32]:
        """Share of boxes that is tissue, exact to fractions of the mask's pixels.

        Parameters
        ----------
        boxes
            (n, 4) of x0, y0, x1, y1, level-0 pixels; what lies outside the slide is no tissue.

        Returns
        -------
        ndarray (n,), float32
            0–1; NaN where no mask was asked for.
        """
        if self._parts.tissue is None:
            return np.full(len(boxes), np.nan, np.float32)
        return self._share(np.asarray(boxes, dtype=np.float64)).astype(np.float32)

    @property
    def nbytes(self) -> int:
        """Bytes that it holds, with the places that were asked for."""
        parts = self._parts
        labels = 0 if parts.classes is None else parts.classes.nbytes
        tissue = 0 if parts.tissue is None else parts.tissue.nbytes
        found = sum(structures.nbytes for structures in list(self._found.values()))
        return tissue + labels + found + self._places_bytes()

    # --- inside ------------------------------------------------------------------------------------------------

    def _places_bytes(self) -> int:
        return sum(places.nbytes for places in list(self._places.values()))

    @property
    def _um2(self) -> float:
        """µm² of a level-0 pixel; 1 where that is unknown, so that areas compare at least."""
        area = self.facts.mpp[0] * self.facts.mpp[1]
        return 1.0 if math.isnan(area) else area

    def _find(self, kind: str, size: tuple[float, float], class_index: int, least: float) -> Places:
        parts = self._parts
        if kind == "class":
            structures = self._structures(class_index)
            if structures is None:
                raise SpecError("No class was asked for.", mend="Give classes=.")
            return StructurePlaces(structures, size, least, parts.box, parts.per)
        if kind == "background" or parts.tissue is None:
            return BoxPlaces(parts.box)
        self.check()
        return self._tissue_places(parts.tissue, size, least)

    def _tissue_places(self, tissue: PackedMask, size: tuple[float, float], least: float) -> Places:
        raster = whole_raster(self.facts, tissue.shape)
        whole = self._parts.box == (0.0, 0.0, *map(float, self.facts.dimensions))
        if whole and least <= 0:
            return MaskPlaces(tissue, raster)
        eligible = tissue.unpack().view(np.bool_)
        if least > 0:
            box = (size[0] / raster.pixel[0], size[1] / raster.pixel[1])
            eligible &= sums_about_centres(eligible.view(np.uint8), box) >= least * box[0] * box[1] * (1 - _ROUNDING)
        x0, y0, x1, y1 = self._parts.box
        if not whole:
            x = (np.arange(tissue.shape[1]) + 0.5) * raster.pixel[0]
            y = (np.arange(tissue.shape[0]) + 0.5) * raster.pixel[1]
            eligible &= ((y >= y0) & (y <= y1))[:, None] & ((x >= x0) & (x <= x1))[None]

        def check(centres: NDArray[np.float64]) -> NDArray[np.bool_]:
            inside = ((centres >= (x0, y0)) & (centres <= (x1, y1))).all(axis=1)
            half = np.array(size) / 2
            if least <= 0:
                return np.asarray(inside)
            return np.asarray(inside & (self._share(np.hstack([centres - half, centres + half])) >= least))

        return MaskPlaces(PackedMask(eligible), raster, check)

    def _structures(self, class_index: int) -> Structures | None:
        """All of a class, found once."""
        classes = self._parts.classes
        if classes is None:
            return None
        if class_index not in self._found:
            self._found[class_index] = (
                DrawnStructures(classes, class_index)
                if isinstance(classes, ClassRegions)
                else LabelledStructures(classes, class_index, self.facts.dimensions)
            )
        return self._found[class_index]

    def _share(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        tissue = self._parts.tissue
        assert tissue is not None
        pixel = np.array(whole_raster(self.facts, tissue.shape).pixel * 2)
        scaled = boxes / pixel
        areas = (scaled[:, 2] - scaled[:, 0]) * (scaled[:, 3] - scaled[:, 1])
        sums = box_sums(tissue, scaled)
        return np.asarray(np.clip(np.divide(sums, areas, out=np.zeros_like(sums), where=areas > 0), 0, 1))


def whole_raster(facts: SlideFacts, shape: tuple[int, int]) -> Raster:
    """An image of so many (rows, columns) that covers a whole slide."""
    return Raster((0.0, 0.0), (facts.dimensions[0] / shape[1], facts.dimensions[1] / shape[0]), shape)
