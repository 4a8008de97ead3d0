"""Pixels for windows that overlap: read in fixed blocks, so that a pixel is the same in every window that shows it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

import numpy as np

from slidekit.cells.methods.base import OverviewSlide
from slidekit.cells.windows import PixelBox
from slidekit.errors import SlideReadError
from slidekit.pixels.image import WHITE, RGBImage
from slidekit.pixels.readers import SlideReader
from slidekit.pixels.resize import SHORT_LEAD
from slidekit.pixels.source import choose_source
from slidekit.pixels.strips import read_resampled

__all__ = ["BlockReader"]

_EDGE = 512
"""Edge of a block. Resampling rounds grey levels by where a rectangle begins: blocks begin where windows do not."""

_CACHE_BYTES = 96 << 20
"""Two rows of blocks of a slide of 30 000 columns: what a row of windows shares with the next."""

_SMALLEST = 16
"""Pixels below which a part of a block that cannot be decoded is given up."""


class BlockReader:
    """Reads rectangles of a slide's overview grid; safe to use from several threads.

    Parameters
    ----------
    slide
        The slide.
    columns, rows
        Size of the grid.
    """

    def __init__(self, slide: OverviewSlide, columns: int, rows: int) -> None:
        self._size = columns, rows
        self._pixels = _strict_pixels(slide, columns, rows)
        self._kept: OrderedDict[tuple[int, int], RGBImage] = OrderedDict()
        self._bytes = 0
        self._lost: dict[tuple[int, int], list[PixelBox]] = {}
        self._lock = threading.Lock()

    @property
    def lost(self) -> int:
        """Pixels that could not be decoded so far, each counted once."""
        with self._lock:
            return sum(box.width * box.height for boxes in self._lost.values() for box in boxes)

    def lost_in(self, box: PixelBox) -> int:
        """Pixels of a rectangle that was read that could not be decoded."""
        with self._lock:
            holes = [hole for place in _blocks_of(box) for hole in self._lost.get(place, ())]
        return sum(
            max(0, min(box.right, hole.right) - max(box.left, hole.left))
            * max(0, min(box.bottom, hole.bottom) - max(box.top, hole.top))
            for hole in holes
        )

    def read(self, box: PixelBox) -> RGBImage:
        """Read a rectangle that lies inside the grid.

        Returns
        -------
        ndarray (height, width, 3), uint8, RGB
            White where pixels cannot be decoded; see `lost_in`.
        """
        image = np.empty((box.height, box.width, 3), np.uint8)
        for place in _blocks_of(box):
            block = self._block(place)
            x, y = place[0] * _EDGE, place[1] * _EDGE
            left, right = max(x, box.left), min(x + block.shape[1], box.right)
            top, bottom = max(y, box.top), min(y + block.shape[0], box.bottom)
            image[top - box.top : bottom - box.top, left - box.left : right - box.left] = block[
                top - y : bottom - y, left - x : right - x
            ]
        return image

    def _block(self, place: tuple[int, int]) -> RGBImage:
        with self._lock:
            kept = self._kept.get(place)
            if kept is not None:
                self._kept.move_to_end(place)
                return kept
        x, y = place[0] * _EDGE, place[1] * _EDGE
        box = PixelBox(x, y, min(x + _EDGE, self._size[0]), min(y + _EDGE, self._size[1]))
        block = np.empty((box.height, box.width, 3), np.uint8)
        lost = self._fill(block, box)
        with self._lock:
            if lost:
                self._lost[place] = lost
            if place not in self._kept:
                self._kept[place] = block
                self._bytes += block.nbytes
            while self._bytes > _CACHE_BYTES:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return block

    def _fill(self, image: RGBImage, box: PixelBox) -> list[PixelBox]:
        """Read a rectangle in halves of halves where it is damaged; return what cannot be read."""
        try:
            image[:] = self._pixels(box)
            return []
        except SlideReadError:
            if max(box.width, box.height) <= _SMALLEST:
                image[:] = WHITE
                return [box]
        if box.width >= box.height:
            middle = box.left + box.width // 2
            parts = PixelBox(box.left, box.top, middle, box.bottom), PixelBox(middle, box.top, box.right, box.bottom)
            images = image[:, : middle - box.left], image[:, middle - box.left :]
        else:
            middle = box.top + box.height // 2
            parts = PixelBox(box.left, box.top, box.right, middle), PixelBox(box.left, middle, box.right, box.bottom)
            images = image[: middle - box.top], image[middle - box.top :]
        return [hole for one, part in zip(images, parts, strict=True) for hole in self._fill(one, part)]


def _strict_pixels(slide: OverviewSlide, columns: int, rows: int) -> Callable[[PixelBox], RGBImage]:
    """Pixels of the grid, as `overview_window` has them; with an error where that shows little damage as white."""
    reader: SlideReader | None = getattr(slide, "reader", None)
    if reader is None:
        return lambda box: slide.overview_window(
            columns, rows, corner=(box.left, box.top), size=(box.width, box.height)
        )
    width, height = slide.dimensions
    source = choose_source(reader, width / columns, height / rows, resample="fast").averaged()
    pixel_x, pixel_y = source.scale_x * source.downsample_x, source.scale_y * source.downsample_y

    def read(box: PixelBox) -> RGBImage:
        x, y = box.left * pixel_x, box.top * pixel_y
        return read_resampled(reader, source, x, y, box.width, box.height, most_lead=SHORT_LEAD)

    return read


def _blocks_of(box: PixelBox) -> list[tuple[int, int]]:
    across = range(box.left // _EDGE, -(-box.right // _EDGE))
    down = range(box.top // _EDGE, -(-box.bottom // _EDGE))
    return [(x, y) for y in down for x in across]
