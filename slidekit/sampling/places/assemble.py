"""From what was found out of a slide to its map: with regions of interest, classes and the box that centres are in."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from slidekit.errors import SpecError
from slidekit.sampling.masks.boxes import set_box
from slidekit.sampling.masks.facts import Box, MadeMask, MapSpec, SlideFacts
from slidekit.sampling.masks.methods import TissueMethods
from slidekit.sampling.masks.packed import PackedMask
from slidekit.sampling.masks.regions import load_regions
from slidekit.sampling.masks.user_mask import read_mask_image
from slidekit.sampling.places.slide_map import MapParts, SlideMap, whole_raster
from slidekit.sampling.slides import SampledSlide
from slidekit.slide.roi import ROISet
from slidekit.slide.roi.class_regions import ClassRegions, fill_regions

__all__ = ["assemble", "class_table"]

_SIDE = 2000
"""Pixels along the longer side of a mask that regions of interest alone make."""


def assemble(slide: SampledSlide, spec: MapSpec, made: MadeMask, methods: TissueMethods) -> SlideMap:
    """Make the map of a slide, which is not opened for it.

    Parameters
    ----------
    slide, spec
        The slide, and the parameters.
    made
        What opening it has shown.
    methods
        How tissue is found.

    Raises
    ------
    SlideError
        If the label mask cannot be used.
    ROIError
        If the file of regions cannot be used.
    """
    classes = spec.classes or ()
    by_label = bool(classes) and isinstance(classes[0], str)
    rois = (
        load_regions(slide, made.facts.dimensions, made.facts.bounds, spec) if by_label or methods.regions else ROISet()
    )
    tissue = made.tissue
    if methods.regions:
        tissue = _within(tissue, rois, made.facts)
    box, notes = _box(spec, made, tissue)
    return SlideMap(
        MapParts(
            made.facts,
            tissue,
            box,
            _classes(slide, classes, rois, made.facts, by_label=by_label),
            spec.per,
            "its own mask" if slide.mask is not None and methods.methods else methods.words,
            notes,
        )
    )


def _within(tissue: PackedMask | None, rois: ROISet, facts: SlideFacts) -> PackedMask:
    """What of the tissue lies in regions."""
    if tissue is None:
        shrink = max(1.0, max(facts.dimensions) / _SIDE)
        columns, rows = (max(1, round(length / shrink)) for length in facts.dimensions)
        return PackedMask(fill_regions(rois, whole_raster(facts, (rows, columns))))
    return PackedMask(tissue.unpack().view(np.bool_) & fill_regions(rois, whole_raster(facts, tissue.shape)))


def _classes(
    slide: SampledSlide, classes: tuple[str, ...] | tuple[int, ...], rois: ROISet, facts: SlideFacts, *, by_label: bool
) -> ClassRegions | NDArray[np.uint8] | None:
    if not classes:
        return None
    if by_label:
        return ClassRegions.of(rois, tuple(str(name) for name in classes), facts.dimensions)
    if slide.label_mask is None:
        return np.zeros((1, 1), np.uint8)
    numbers = read_mask_image(slide.label_mask, facts.dimensions)
    return np.asarray(cv2.LUT(numbers, class_table(classes)), dtype=np.uint8)


def class_table(classes: tuple[str, ...] | tuple[int, ...]) -> NDArray[np.uint8]:
    """What each number of a label mask is painted as: (256,) uint8, k + 1 for class k, 0 for what is none.

    Raises
    ------
    SpecError
        If a class is not a number from 0 to 255.
    """
    table = np.zeros(256, np.uint8)
    for index, value in enumerate(classes):
        if not isinstance(value, int) or not 0 <= value <= 255:
            raise SpecError(
                f"class {value!r} is not a number of a label mask.", mend="Numbers of label masks are 0 to 255."
            )
        table[value] = index + 1
    return table


def _box(spec: MapSpec, made: MadeMask, tissue: PackedMask | None) -> tuple[Box, tuple[str, ...]]:
    """Where centres may be, and what to say about it."""
    width, height = made.facts.dimensions
    whole: Box = (0.0, 0.0, float(width), float(height))
    if spec.region == "whole":
        return whole, ()
    box = made.box
    if spec.region == "foreground" and tissue is not None:
        box = set_box(tissue.unpack().view(np.bool_), made.facts.dimensions)
    if box is None:
        return whole, (f"region={spec.region!r} is empty: the whole slide is sampled.",)
    x, y = (0.0 if not spec.margin_um else spec.margin_um / mpp for mpp in made.facts.mpp)
    return (max(0.0, box[0] - x), max(0.0, box[1] - y), min(whole[2], box[2] + x), min(whole[3], box[3] + y)), ()
