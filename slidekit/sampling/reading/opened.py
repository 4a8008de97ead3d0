"""An open slide, and how patches of each scale are read from it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import MissingMPPError
from slidekit.pixels.image import RGBImage
from slidekit.pixels.mpp import settle_mpp
from slidekit.pixels.readers import SlideReader, open_slide
from slidekit.pixels.resize import SHORT_LEAD
from slidekit.pixels.source import Source
from slidekit.pixels.strips import read_resampled
from slidekit.sampling.masks.facts import SlideFacts
from slidekit.sampling.reading.floating import FloatingGrid, float_grid
from slidekit.sampling.reading.resampling import settle_source
from slidekit.sampling.slides import SampledSlide
from slidekit.sampling.spec import SamplingSpec

if TYPE_CHECKING:
    from slidekit.sampling.label_painter import LabelPainter
    from slidekit.sampling.views import View

__all__ = ["OpenedSlide", "read_facts"]

_GIVE_WAY = ("random", "epoch")
"""Modes whose places may be moved to whole stored pixels; the others' are somebody's."""

_WITHOUT_MPP = ("level", "downsample")


class OpenedSlide:
    """An open slide, and how patches of each scale are read from it.

    Parameters
    ----------
    slide, spec
        As the sampler has them.
    reader
        The open slide.

    Raises
    ------
    SlideError
        If it does not state its µm/px, or has no such level.
    """

    def __init__(self, slide: SampledSlide, spec: SamplingSpec, reader: SlideReader) -> None:
        self.reader = reader
        self._slide = slide
        self._spec = spec
        self._painter: LabelPainter | None = None
        self.facts = read_facts(slide, spec, reader)
        # (width, height) of each view of each scale, level-0 pixels.
        self._extents = [[view.extent(self.facts) for view in scale] for scale in spec.scales]
        self._ways = [
            [
                self._settle(view, extent, floats=number == 0 and spec.mode in _GIVE_WAY)
                for number, (view, extent) in enumerate(zip(scale, extents, strict=True))
            ]
            for scale, extents in zip(spec.scales, self._extents, strict=True)
        ]

    @classmethod
    def open(cls, slide: SampledSlide, spec: SamplingSpec) -> Self:
        """Open a slide.

        Raises
        ------
        SlideError
            If it cannot be opened, does not state its µm/px, or has no such level.
        """
        reader = open_slide(slide.path, spec.reader)
        try:
            return cls(slide, spec, reader)
        except BaseException:
            reader.close()
            raise

    def _settle(self, view: View, extent: tuple[float, float], *, floats: bool) -> FloatingGrid | Source:
        pixel = extent[0] / view.tile_px, extent[1] / view.tile_px
        source = settle_source(self.reader, pixel, self.facts.mpp, self._spec.resample).averaged()
        return float_grid(source, view.tile_px) if floats and source.average == 1 else source

    def mpp(self, scale: int) -> tuple[float, float]:
        """µm per pixel of a scale's first view, along x and y; NaN where the slide's is not known."""
        extent, view = self._extents[scale][0], self._spec.scales[scale][0]
        x, y = self.facts.mpp
        return extent[0] / view.tile_px * x, extent[1] / view.tile_px * y

    def widths(self, scale: int) -> list[float]:
        """Widths of the views of a scale, level-0 pixels."""
        return [extent[0] for extent in self._extents[scale]]

    def read(
        self, scale: int, centre: tuple[float, float]
    ) -> tuple[list[RGBImage], tuple[float, float], tuple[float, float]]:
        """Read all views of a patch.

        Parameters
        ----------
        scale
            Number of the scale.
        centre
            (x, y), level-0 pixels.

        Returns
        -------
        tuple
            Images, one a view; (x, y) of the first one's top-left corner and of its centre, level-0 pixels: the
            other views have that centre.

        Raises
        ------
        SlideReadError
            If pixels cannot be decoded.
        """
        x, y = centre
        images, first = [], (math.nan, math.nan)
        for view, extent, way in zip(self._spec.scales[scale], self._extents[scale], self._ways[scale], strict=True):
            left, top = x - extent[0] / 2, y - extent[1] / 2
            if isinstance(way, FloatingGrid):
                place = way.place(self.reader, left, top)
                images.append(way.read(self.reader, place))
                left, top = place[:2]
                x, y = left + extent[0] / 2, top + extent[1] / 2
            else:
                px = view.tile_px
                images.append(read_resampled(self.reader, way, left, top, px, px, most_lead=SHORT_LEAD))
            if len(images) == 1:
                first = left, top
        return images, first, (x, y)

    def paint(self, scale: int, corner: tuple[float, float]) -> NDArray[np.uint8]:
        """Paint the classes of a patch's first view.

        Parameters
        ----------
        scale
            Number of the scale.
        corner
            (x, y) of its top-left corner, level-0 pixels.

        Returns
        -------
        ndarray (tile_px, tile_px), uint8
            0 is no class, k + 1 is class k.

        Raises
        ------
        SlidekitError
            If the slide's regions or label mask cannot be used.
        """
        if self._painter is None:
            from slidekit.sampling.label_painter import LabelPainter

            self._painter = LabelPainter(self._slide, self._spec)
        width, height = self._extents[scale][0]
        return self._painter.paint(*corner, width, height, self._spec.scales[scale][0].tile_px)


def read_facts(slide: SampledSlide, spec: SamplingSpec, reader: SlideReader) -> SlideFacts:
    """What the size of patches depends on, of an open slide; its identity is left out.

    Raises
    ------
    MissingMPPError
        If the slide does not state its µm/px, and the size of patches needs it.
    """
    units = {view.unit for scale in spec.scales for view in scale}
    try:
        settled = settle_mpp(
            slide.path, reader.metadata, annotated=slide.mpp, given=spec.mpp, from_objective="x" in units
        )
        mpp = (float(settled.x), float(settled.y))
    except MissingMPPError:
        if not units.issubset(_WITHOUT_MPP):
            raise
        mpp = (math.nan, math.nan)
    downsamples = tuple((level.downsample_x, level.downsample_y) for level in reader.levels)
    return SlideFacts(slide.name, reader.dimensions, mpp, downsamples, "")
