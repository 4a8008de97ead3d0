"""Where a slide has something to cut tiles from: dark pixels by Otsu's threshold, or a mask that somebody made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from slidekit.pixels.overview import read_overview
from slidekit.pixels.readers import Level, SlideReader

__all__ = ["ArrayMask", "Box", "Foreground", "MaskSource", "SlideMask", "find_foreground"]

_LONGEST_SIDE = 4096
"""Pixels of the image that is thresholded, at most: a slide without a pyramid is not read at full resolution."""

_BAND_ROWS = 512
_MATCHES = 1.01

BoolMask = npt.NDArray[np.bool_]
Box = tuple[float, float, float, float]
"""x0, y0, x1, y1."""


class MaskSource(ABC):
    """A mask over a whole slide, of any resolution; True is foreground."""

    @abstractmethod
    def read(self, level: Level, x: int, y: int, width: int, height: int) -> BoolMask:
        """Read a rectangle at the resolution of a level, by nearest neighbour.

        Parameters
        ----------
        level
            Level of the slide.
        x, y
            Top-left corner, pixels of the level; may lie outside.
        width, height
            Size, the same.

        Returns
        -------
        ndarray (height, width), bool
            False outside the slide.
        """

    @abstractmethod
    def bounds(self) -> Box | None:
        """Box of all that is foreground, level-0 pixels of the slide; None where there is none."""


@dataclass(frozen=True)
class ArrayMask(MaskSource):
    """A mask in memory.

    Attributes
    ----------
    mask
        (rows, columns), bool, from the slide's top-left corner on.
    pixel
        Size of its pixels along x and y, level-0 pixels of the slide.
    """

    mask: BoolMask
    pixel: tuple[float, float]

    def read(self, level: Level, x: int, y: int, width: int, height: int) -> BoolMask:
        """As `MaskSource.read`."""
        rows, columns = self.mask.shape
        across = _nearest(x, width, level.downsample_x / self.pixel[0], columns)
        down = _nearest(y, height, level.downsample_y / self.pixel[1], rows)
        return _scatter(self.mask, (height, width), across, down)

    def bounds(self) -> Box | None:
        """As `MaskSource.bounds`."""
        return _box(np.any(self.mask, axis=0), np.any(self.mask, axis=1), self.pixel)


class SlideMask(MaskSource):
    """A mask in a file that is itself a slide or a picture; its red channel is not 0 where there is foreground.

    It is never read whole.

    Parameters
    ----------
    reader
        Of the mask.
    dimensions
        Width and height of level 0 of the slide that it covers.
    """

    def __init__(self, reader: SlideReader, dimensions: tuple[int, int]) -> None:
        self._reader = reader
        scale = dimensions[0] / reader.dimensions[0], dimensions[1] / reader.dimensions[1]
        self._pixels = [(at.downsample_x * scale[0], at.downsample_y * scale[1]) for at in reader.levels]

    def read(self, level: Level, x: int, y: int, width: int, height: int) -> BoolMask:
        """As `MaskSource.read`, from the mask's coarsest level that is not coarser than the slide's."""
        fine = [
            number
            for number, pixel in enumerate(self._pixels)
            if pixel[0] <= level.downsample_x * _MATCHES and pixel[1] <= level.downsample_y * _MATCHES
        ]
        number = max(fine, default=0)
        pixel, at = self._pixels[number], self._reader.levels[number]
        across = _nearest(x, width, level.downsample_x / pixel[0], at.width)
        down = _nearest(y, height, level.downsample_y / pixel[1], at.height)
        if not (across.places.size and down.places.size):
            return np.zeros((height, width), np.bool_)
        left, top = int(across.places[0]), int(down.places[0])
        size = int(across.places[-1]) - left + 1, int(down.places[-1]) - top + 1
        part = self._reader.read(number, left, top, *size)[..., 0] > 0
        return _scatter(part, (height, width), across.moved(left), down.moved(top))

    def bounds(self) -> Box | None:
        """As `MaskSource.bounds`, from the mask's smallest level."""
        number = len(self._pixels) - 1
        at = self._reader.levels[number]
        columns, rows = np.zeros(at.width, np.bool_), np.zeros(at.height, np.bool_)
        for top in range(0, at.height, _BAND_ROWS):
            band = self._reader.read(number, 0, top, at.width, min(_BAND_ROWS, at.height - top))[..., 0] > 0
            columns |= band.any(axis=0)
            rows[top : top + len(band)] = band.any(axis=1)
        return _box(columns, rows, self._pixels[number])


@dataclass(frozen=True)
class Foreground:
    """What Otsu's threshold says of one slide.

    Attributes
    ----------
    mask
        Its foreground.
    threshold
        Mean of red, green and blue, 0–255; what is not brighter is foreground.
    """

    mask: ArrayMask
    threshold: float


def find_foreground(reader: SlideReader, threshold: float | None = None) -> Foreground:
    """Threshold the luminance of a slide's lowest level.

    N. Otsu's threshold (IEEE Trans. SMC 9, 1979) on the mean of red, green and blue; each slide has its own.

    Parameters
    ----------
    reader
        The slide. A lowest level of more than 4096 px is read at 4096 px.
    threshold
        A fixed threshold instead, 0–255.

    Raises
    ------
    SlideReadError
        If more than 5 % of the slide cannot be decoded.
    """
    lowest = reader.levels[-1]
    shrink = max(1.0, max(lowest.width, lowest.height) / _LONGEST_SIDE)
    pixel = lowest.downsample_x * shrink, lowest.downsample_y * shrink
    image = read_overview(reader, *pixel)
    luminance = np.rint(image.mean(axis=2, dtype=np.float32)).astype(np.uint8)
    if threshold is None:
        found, _ = cv2.threshold(luminance, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
        # An image of one colour has no two classes: nothing on it is foreground.
        threshold = -1.0 if luminance.min() == luminance.max() else float(found)
    return Foreground(ArrayMask(luminance <= threshold, pixel), threshold)


@dataclass(frozen=True)
class _Axis:
    """Pixels `inside` of a wanted range have their nearest source pixels at `places`, in order."""

    inside: slice
    places: npt.NDArray[np.int64]

    def moved(self, start: int) -> _Axis:
        return _Axis(self.inside, self.places - start)


def _nearest(start: int, count: int, step: float, limit: int) -> _Axis:
    """Source pixels under the centres of pixels that are `step` of them wide."""
    places = np.floor((np.arange(start, start + count) + 0.5) * step).astype(np.int64)
    first, last = np.searchsorted(places, [0, limit])
    return _Axis(slice(int(first), int(last)), places[first:last])


def _scatter(source: BoolMask, shape: tuple[int, int], across: _Axis, down: _Axis) -> BoolMask:
    mask = np.zeros(shape, np.bool_)
    mask[down.inside, across.inside] = source[np.ix_(down.places, across.places)]
    return mask


def _box(columns: Any, rows: Any, pixel: tuple[float, float]) -> Box | None:
    (xs,), (ys,) = np.nonzero(columns), np.nonzero(rows)
    if not len(xs):
        return None
    x0, y0, x1, y1 = int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1
    return x0 * pixel[0], y0 * pixel[1], x1 * pixel[0], y1 * pixel[1]
