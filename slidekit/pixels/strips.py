"""Rectangles of a slide at any resolution and sub-pixel place: read once, resampled once, then cut into tiles."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

from slidekit.pixels.image import WHITE, RGBImage
from slidekit.pixels.readers.base import SlideReader
from slidekit.pixels.resize import (
    MOST_LEAD,
    SHORT_LEAD,
    AxisPlan,
    interpolate_to_plan,
    plan_axis,
    resize_to_plan,
)
from slidekit.pixels.source import Source

__all__ = ["STRIP_BYTES", "read_planned", "read_resampled", "tiles_per_strip"]

STRIP_BYTES = 12 << 20
"""Source pixels of a strip, in bytes, that are in memory at one time."""

_WIDEST_STRIP = 16_384
"""Output pixels; OpenCV interpolates images of less than 32768 columns."""

_EDGE = 1e-6


def read_resampled(
    reader: SlideReader, source: Source, x: float, y: float, width: int, height: int, *, most_lead: int = MOST_LEAD
) -> RGBImage:
    """Read a rectangle of the slide at the resolution that `source` was chosen for.

    Parameters
    ----------
    reader
        The slide.
    source
        Where its pixels come from.
    x, y
        Exact top-left corner, level-0 pixels; may lie outside the slide.
    width, height
        Size in output pixels.
    most_lead
        How many output pixels may be read to the left and above, so that libvips can resample; see `plan_axis`.

    Returns
    -------
    ndarray (height, width, 3), uint8, RGB
        Output pixels whose centre lies outside the slide are white.

    Raises
    ------
    SlideReadError
        If pixels cannot be decoded.
    """
    if source.average > 1 or len(reader.shrinks(source.level)) == 1:
        # Each pixel more stands for many, or costs several times what one of JPEG does.
        most_lead = min(most_lead, SHORT_LEAD)
    axes = (x / source.downsample_x, source.scale_x, width), (y / source.downsample_y, source.scale_y, height)
    across, down = (plan_axis(*axis, most_lead) for axis in axes)
    if across.is_crop and down.is_crop and source.average == 1:
        return reader.read(source.level, across.start, down.start, width, height, source.shrink)
    by_vips = across.total > 0 and down.total > 0
    if not by_vips:
        # Both axes go through one resampler: one that takes any origin can do both, never the other way round.
        across, down = (plan_axis(*axis, 0) for axis in axes)
    resize = interpolate_to_plan if source.cubic and not by_vips else resize_to_plan
    return read_planned(reader, source, across, down, x, y, resize)


def read_planned(
    reader: SlideReader,
    source: Source,
    across: AxisPlan,
    down: AxisPlan,
    x: float,
    y: float,
    resize: Callable[[RGBImage, AxisPlan, AxisPlan], RGBImage] = resize_to_plan,
) -> RGBImage:
    """Read what two plans ask for, and resample it.

    Parameters
    ----------
    reader
        The slide.
    source
        Where its pixels come from.
    across, down
        Plans of columns and rows.
    x, y
        The top-left corner that they are for, level-0 pixels: pixels are white by it.
    resize
        Resamples an image as two plans say.

    Returns
    -------
    ndarray (down.size, across.size, 3), uint8, RGB
        Output pixels whose centre lies outside the slide are white.

    Raises
    ------
    SlideReadError
        If pixels cannot be decoded.
    """
    image = resize(_read_extended(reader, source, across, down), across, down)
    return _whiten_outside(image, reader, source, x, y)


def _read_extended(reader: SlideReader, source: Source, across: AxisPlan, down: AxisPlan) -> RGBImage:
    """Read what two plans ask for; beyond the slide its edge is repeated, so that no white rings into tissue."""
    width, height = (-(-side // source.average) for side in reader.size(source.level, source.shrink))
    left, right = _clip(across.start, across.length, width)
    top, bottom = _clip(down.start, down.length, height)
    if right <= left or bottom <= top:
        return np.full((down.length, across.length, 3), WHITE, np.uint8)
    image = _read_source(reader, source, left, top, right - left, bottom - top)
    before = (top - down.start, left - across.start)
    after = (down.start + down.length - bottom, across.start + across.length - right)
    if not (any(before) or any(after)):
        return image
    return np.pad(image, ((before[0], after[0]), (before[1], after[1]), (0, 0)), mode="edge")


def _read_source(reader: SlideReader, source: Source, x: int, y: int, width: int, height: int) -> RGBImage:
    """Read source pixels inside the level; averages a few rows at a time, so that no large image is in memory."""
    by = source.average
    if by == 1:
        return reader.read(source.level, x, y, width, height, source.shrink)
    level_width, level_height = reader.size(source.level, source.shrink)
    columns = min((x + width) * by, level_width) - x * by
    rows = max(1, STRIP_BYTES // (width * by * by * 3))
    image = np.empty((height, width, 3), np.uint8)
    for first in range(0, height, rows):
        count = min(rows, height - first)
        top = (y + first) * by
        bottom = min(top + count * by, level_height)
        part = reader.read(source.level, x * by, top, columns, bottom - top, source.shrink)
        if part.shape[:2] != (count * by, width * by):
            surplus = (count * by - part.shape[0], width * by - part.shape[1])
            part = np.pad(part, ((0, surplus[0]), (0, surplus[1]), (0, 0)), mode="edge")
        image[first : first + count] = cv2.resize(part, (width, count), interpolation=cv2.INTER_AREA)
    return image


def _clip(start: int, length: int, limit: int) -> tuple[int, int]:
    return max(start, 0), min(start + length, limit)


def _whiten_outside(image: RGBImage, reader: SlideReader, source: Source, x: float, y: float) -> RGBImage:
    height, width, _ = image.shape
    slide_width, slide_height = reader.dimensions
    pixel_x, pixel_y = source.scale_x * source.downsample_x, source.scale_y * source.downsample_y
    # Output pixel k has its centre at x + (k + 0.5) · pixel.
    left = max(0, math.ceil(-x / pixel_x - 0.5 - _EDGE))
    top = max(0, math.ceil(-y / pixel_y - 0.5 - _EDGE))
    right = min(width, math.ceil((slide_width - x) / pixel_x - 0.5 + _EDGE))
    bottom = min(height, math.ceil((slide_height - y) / pixel_y - 0.5 + _EDGE))
    if (left, top, right, bottom) == (0, 0, width, height):
        return image
    white = np.full_like(image, WHITE)
    if right > left and bottom > top:
        white[top:bottom, left:right] = image[top:bottom, left:right]
    return white


def tiles_per_strip(source: Source, tile_px: int, pitch_px: int) -> int:
    """How many tiles of a row are read and resampled together within `STRIP_BYTES`, counted before any averaging.

    Parameters
    ----------
    source
        Where pixels come from.
    tile_px
        Edge of a tile, output pixels.
    pitch_px
        From one tile's left edge to the next, output pixels.
    """
    column_bytes = tile_px * source.scale_y * 3 * source.scale_x * source.average**2
    columns = min(int(STRIP_BYTES / column_bytes), _WIDEST_STRIP)
    return max(1, (columns - tile_px) // pitch_px + 1)
