"""Resampling that is planned once for all patches of a slide, because their place may give way a little.

A patch at random need not lie at one exact place: half a stored pixel to the left is as random. So the grid of output
pixels is laid where resampling is cheapest, the same for all patches of a view, and each patch is moved to the nearest
whole number of stored pixels from it. Where a patch then lies is known exactly, and is what is reported.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import cv2
import numpy as np

from slidekit.pixels.image import RGBImage
from slidekit.pixels.readers.base import SlideReader
from slidekit.pixels.resize import AxisPlan, interpolate_to_plan, plan_axis, resize_to_plan
from slidekit.pixels.source import Source
from slidekit.pixels.strips import read_planned

__all__ = ["MOST_OFF", "FloatingGrid", "float_grid", "resize_cubic"]

_Resize: TypeAlias = Callable[[RGBImage, AxisPlan, AxisPlan], RGBImage]

MOST_OFF = 0.04
"""By what any pixel may lie off its place, in output pixels (SEMANTICS, Geometry, allows 0.05)."""

_MOST_MORE = 96
"""Outputs beyond those that are wanted, to find sizes that fit; a few do, as a rule."""

_CUBIC_MARGIN, _LANCZOS_MARGIN = 2, 3
"""Outputs to drop at each end: their kernels reach beyond what was read."""

_MOST_LANCZOS = 300
"""libvips refuses kernels of more than about 2000 points, 6 for each source pixel per output pixel."""

_CERTAIN = 0.4
"""libvips rounds the quotient of length and scale to a number of outputs; so near to it, there is no doubt."""


@dataclass(frozen=True)
class FloatingGrid:
    """How patches of one view of one slide are read, wherever they are.

    Attributes
    ----------
    source
        Where pixels come from.
    across, down
        Plans of columns and rows for a patch near the slide's origin.
    resize
        Resamples as two plans say.
    """

    source: Source
    across: AxisPlan
    down: AxisPlan
    resize: _Resize

    def place(self, reader: SlideReader, x: float, y: float) -> tuple[float, float, int, int]:
        """Move a patch to where it can be read.

        Parameters
        ----------
        reader
            The slide.
        x, y
            Its top-left corner, level-0 pixels.

        Returns
        -------
        tuple
            (x, y) of the corner, level-0 pixels, at most half a source pixel from there, or one at the slide's edge,
            where a patch that lies on the slide stays there; and by how many source pixels the plans are moved.
        """
        width, height = reader.dimensions
        to_x, by_x = _move(x, self.across, self.source.downsample_x, width)
        to_y, by_y = _move(y, self.down, self.source.downsample_y, height)
        return to_x, to_y, by_x, by_y

    def read(self, reader: SlideReader, place: tuple[float, float, int, int]) -> RGBImage:
        """Read a patch at a place that `place` gave.

        Raises
        ------
        SlideReadError
            If pixels cannot be decoded.
        """
        x, y, by_x, by_y = place
        across = replace(self.across, start=self.across.start + by_x)
        down = replace(self.down, start=self.down.start + by_y)
        return read_planned(reader, self.source, across, down, x, y, self.resize)


def _move(wanted: float, plan: AxisPlan, downsample: float, slide: int) -> tuple[float, int]:
    """Corner of a patch along one axis, level-0 pixels, and by how many source pixels its plan is moved."""
    origin = plan.start + plan.box[0]
    extent = plan.size * plan.scale
    by = round(wanted / downsample - origin)
    end = slide / downsample
    if wanted >= 0 and wanted / downsample + extent <= end:
        # What lies on the slide stays on it, as far as there is a stored pixel to spare.
        if origin + by < 0:
            by += 1
        elif origin + by + extent > end and origin + by >= 1:
            by -= 1
    return (origin + by) * downsample, by


def float_grid(source: Source, tile_px: int) -> FloatingGrid:
    """Plan how patches of one view are read.

    Parameters
    ----------
    source
        Where pixels come from; nothing of it is averaged.
    tile_px
        Edge of a patch, output pixels.
    """
    scales = source.scale_x, source.scale_y
    across, down = (plan_axis(0.0, scale, tile_px, 0) for scale in scales)
    if across.is_crop and down.is_crop:
        return FloatingGrid(source, across, down, resize_to_plan)
    if source.cubic:
        cubic = [_plan_cubic(scale, tile_px) for scale in scales]
        if cubic[0] is not None and cubic[1] is not None:
            return FloatingGrid(source, cubic[0], cubic[1], resize_cubic)
        return FloatingGrid(source, across, down, interpolate_to_plan)
    if all(1 < scale <= _MOST_LANCZOS for scale in scales):
        lanczos = [_plan_lanczos(scale, tile_px) for scale in scales]
        if lanczos[0] is not None and lanczos[1] is not None:
            return FloatingGrid(source, lanczos[0], lanczos[1], resize_to_plan)
    return FloatingGrid(source, across, down, resize_to_plan)


def _plan_cubic(scale: float, size: int) -> AxisPlan | None:
    """Find whole numbers of inputs and outputs whose quotient is so near the scale that no pixel is off its place.

    What is left of an error is shared out: it is 0 in the middle of the patch.
    """
    total = np.arange(size + 2 * _CUBIC_MARGIN, size + _MOST_MORE)
    length = np.rint(total * scale)
    off = np.abs(length / total - scale) * size / 2 / scale
    cost = off + 1e-4 * (total - size) + np.where(off > MOST_OFF, np.inf, 0)
    best = int(np.argmin(cost))
    if not math.isfinite(cost[best]):
        return None
    middle = (_CUBIC_MARGIN + size / 2) * float(length[best]) / float(total[best])
    edge = middle - size / 2 * scale
    return AxisPlan(0, int(length[best]), _CUBIC_MARGIN, size, int(total[best]), (edge, edge + size * scale), scale)


def _plan_lanczos(scale: float, size: int) -> AxisPlan | None:
    """Find the least that libvips can be given; where it then puts the grid is of no matter."""
    for total in range(size + 2 * _LANCZOS_MARGIN, size + _MOST_MORE):
        length = round(total * scale)
        if abs(length / scale - total) <= _CERTAIN:
            edge = (length - total * scale) / 2 + _LANCZOS_MARGIN * scale
            return AxisPlan(0, length, _LANCZOS_MARGIN, size, total, (edge, edge + size * scale), scale)
    return None


def resize_cubic(image: RGBImage, across: AxisPlan, down: AxisPlan) -> RGBImage:
    """Interpolate cubically as two plans say that were made for it.

    OpenCV's `resize` goes by the ratio of whole sizes, so sizes were chosen whose ratio is the scale; it takes a
    fifth of the time of `warpAffine` and `remap`, which compute weights for each pixel.

    Parameters
    ----------
    image
        (down.length, across.length, 3), uint8.
    across, down
        Plans of columns and rows.

    Returns
    -------
    ndarray (down.size, across.size, 3), uint8
    """
    made = cv2.resize(image, (across.total, down.total), interpolation=cv2.INTER_CUBIC)
    rows, columns = slice(down.lead, down.lead + down.size), slice(across.lead, across.lead + across.size)
    return np.asarray(made[rows, columns], dtype=np.uint8)
