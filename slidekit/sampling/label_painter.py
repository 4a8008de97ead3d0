"""Label images of patches: which class each pixel is, from regions of interest or from a mask of labels."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from slidekit.pixels.readers import open_slide
from slidekit.sampling.masks.facts import MapSpec, SlideFacts
from slidekit.sampling.masks.label_image import LabelImage
from slidekit.sampling.masks.regions import load_regions
from slidekit.sampling.places.assemble import class_table
from slidekit.sampling.slides import SampledSlide
from slidekit.slide.roi.class_regions import ClassRegions, check_classes
from slidekit.slide.roi.fill import Raster

__all__ = ["LabelPainter"]


class LabelPainter:
    """Paints the classes of any part of a slide.

    Use it as a context manager, or `close` it: a label mask is a file that stays open.

    Parameters
    ----------
    slide
        With `rois`, where classes are labels; with `label_mask`, where they are numbers.
    spec
        Its `classes` say which label or number is which class.
    facts
        Of the slide; None opens it to ask.

    Raises
    ------
    SlideError
        If the slide or the label mask cannot be opened.
    ROIError
        If the file of regions cannot be used.
    SpecError
        If there are more than 254 classes, or a number that no mask of 8 bits has.
    """

    def __init__(self, slide: SampledSlide, spec: MapSpec, facts: SlideFacts | None = None) -> None:
        classes = spec.classes or ()
        check_classes(len(classes))
        dimensions, bounds = (facts.dimensions, facts.bounds) if facts is not None else _ask(slide, spec)
        self._dimensions = dimensions
        self._regions: ClassRegions | None = None
        self._mask: LabelImage | None = None
        self._table = np.zeros(256, np.uint8)
        if classes and isinstance(classes[0], str):
            regions = load_regions(slide, dimensions, bounds, spec)
            self._regions = ClassRegions.of(regions, tuple(str(name) for name in classes), dimensions)
        elif classes:
            self._table = class_table(classes)
            if slide.label_mask is not None:
                self._mask = LabelImage(slide.label_mask)

    def paint(self, x: float, y: float, width: float, height: float, tile_px: int) -> NDArray[np.uint8]:
        """Paint a part of the slide.

        Parameters
        ----------
        x, y
            Top left corner, level-0 pixels; fractions count.
        width, height
            Size, level-0 pixels.
        tile_px
            Edge of the image, pixels.

        Returns
        -------
        ndarray (tile_px, tile_px), uint8
            k + 1 for class k, 0 for none and for what lies outside the slide. A pixel is what its centre is; of
            regions that lie in each other the smaller is on top. Label masks are read by nearest neighbour, from the
            smallest of their levels that is not coarser than the image.

        Raises
        ------
        SlideError
            If the label mask cannot be read.
        """
        if self._regions is not None:
            return self._regions.paint(Raster((x, y), (width / tile_px, height / tile_px), (tile_px, tile_px)))
        if self._mask is None:
            return np.zeros((tile_px, tile_px), np.uint8)
        across, down = self._dimensions
        level = self._mask.level_for(across * tile_px / width)
        middles = (np.arange(tile_px) + 0.5) / tile_px
        numbers = self._mask.sample(level, (x + middles * width) / across, (y + middles * height) / down)
        # Outside the slide is no class, even where 0 is one.
        painted = np.asarray(cv2.LUT(numbers, self._table), dtype=np.uint8)
        painted[:, (x + middles * width < 0) | (x + middles * width >= across)] = 0
        painted[(y + middles * height < 0) | (y + middles * height >= down)] = 0
        return painted

    def close(self) -> None:
        """Let go of the label mask."""
        if self._mask is not None:
            self._mask.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _ask(slide: SampledSlide, spec: MapSpec) -> tuple[tuple[int, int], tuple[float, float]]:
    """Size of a slide, and where QuPath's pixel (0, 0) is in it."""
    with open_slide(slide.path, spec.reader) as reader:
        return reader.dimensions, reader.metadata.bounds_origin
