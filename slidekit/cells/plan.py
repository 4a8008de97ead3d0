"""What is to be done on a slide to find its cells: windows, margin, and what the method has seen of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from slidekit.cells.methods import CellMethod
from slidekit.cells.methods.base import check_lengths
from slidekit.cells.tissue import CellMask, Tissue
from slidekit.cells.windows import CellFrame, CellWindow, WindowGrid
from slidekit.errors import CellError, SlidekitError
from slidekit.slide.image import SlideImage

__all__ = ["SegmentationPlan", "make_plan"]

_BEYOND = 8
"""Margin over this: how far beyond its core a window takes cells that no earlier window saw as its own. It matters
to methods that see a cell otherwise in another window, such as networks."""


@dataclass(frozen=True)
class SegmentationPlan:
    """What is to be done on a slide.

    Attributes
    ----------
    slide
        The slide.
    method, facts
        The method, and what its `prepare` returned; None where there is no tissue.
    frame
        The pixels that it works in.
    grid
        All windows.
    margin_px
        Pixels that are read around the core of each.
    tissue
        Where cells count.
    windows
        Those windows in which some may.
    """

    slide: SlideImage
    method: CellMethod
    facts: Any
    frame: CellFrame
    grid: WindowGrid
    margin_px: int
    tissue: Tissue
    windows: list[CellWindow]

    @property
    def beyond(self) -> int:
        """As for `find_cells`."""
        return self.margin_px // _BEYOND

    def describe(self, window: CellWindow) -> str:
        """Where a window is, on level 0."""
        (width, height), core = self.frame.pixel, window.core
        place = f"({round(core.left * width)}, {round(core.top * height)})"
        return f"window at {place}, {round(core.width * width)} × {round(core.height * height)} px of level 0"


def make_plan(slide: SlideImage, method: CellMethod, window_px: int, mask: CellMask | None) -> SegmentationPlan:
    """Lay windows over a slide, and let the method look at it.

    Parameters
    ----------
    slide, method, window_px, mask
        As for `slidekit.cells.segment_slide`.

    Raises
    ------
    SpecError
        If the method's lengths, or the size of the windows, make no sense.
    CellError
        If the method cannot prepare.
    QCError
        If `mask` is none of this slide.
    """
    check_lengths(**{f"{method.name}.mpp": method.mpp, f"{method.name}.margin_um": method.margin_um})
    frame = CellFrame.at(method.mpp, slide.dimensions, (slide.mpp_x, slide.mpp_y))
    margin_px = math.ceil(method.margin_um / min(frame.mpp))
    grid = WindowGrid(frame.columns, frame.rows, window_px, margin_px)
    tissue = Tissue(slide, mask, method.mpp)
    windows = [window for window in grid if tissue.has(window, frame)]
    # A slide without tissue has no stains to look for.
    facts = _prepare(slide, method) if windows else None
    return SegmentationPlan(slide, method, facts, frame, grid, margin_px, tissue, windows)


def _prepare(slide: SlideImage, method: CellMethod) -> Any:
    try:
        return method.prepare(slide)
    except SlidekitError as error:
        if error.path is not None:
            raise
        # A method knows the pixels of a slide, and not its name.
        raise type(error)(error.message, mend=error.mend, path=slide.path) from error
    except Exception as error:
        what = f"slide {slide.name}: method {method.name} failed to prepare: {type(error).__name__}: {error}"
        raise CellError(what, path=slide.path) from error
