"""Reader for everything that OpenSlide opens: MIRAX, NDPI, SCN, BIF, DICOM, CZI and more."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import openslide

from slidekit.errors import SlideOpenError, SlideReadError
from slidekit.pixels.metadata import SlideMetadata
from slidekit.pixels.readers.base import WHITE, RGBImage, SlideReader, UnsuitableError, make_levels

__all__ = ["OpenSlideReader"]

_SEARCH = 16
"""How many pixels further left a read may start to find a whole level-0 coordinate."""


class OpenSlideReader(SlideReader):
    """Pixels by OpenSlide, on each level's own grid.

    OpenSlide takes level-0 coordinates in whole pixels and renders between pixels of the level where they do not
    fall on one; a read therefore starts where they (nearly) do.
    """

    name = "openslide"

    def __init__(self, path: Path, metadata: SlideMetadata) -> None:
        super().__init__(path, metadata)
        self._lock = threading.Lock()
        self._slide = self._open()
        self.levels = make_levels(list(self._slide.level_dimensions))
        self._downsamples = [float(value) for value in self._slide.level_downsamples]

    def _open(self) -> openslide.OpenSlide:
        try:
            return openslide.OpenSlide(str(self.path))
        except openslide.OpenSlideUnsupportedFormatError as error:
            raise UnsuitableError(str(error)) from error
        except openslide.OpenSlideError as error:
            raise SlideOpenError(f"OpenSlide cannot open it: {error}.", path=self.path) from error

    def _read_inside(self, level: int, x: int, y: int, width: int, height: int, shrink: int) -> RGBImage:
        downsample = self._downsamples[level]
        left, top = _whole_start(x, downsample), _whole_start(y, downsample)
        corner = (round(left * downsample), round(top * downsample))
        slide = self._slide
        try:
            rgba = slide.read_region(corner, level, (x - left + width, y - top + height))
        except openslide.OpenSlideError as error:
            self._replace(slide)
            raise SlideReadError(
                f"OpenSlide cannot read level {level} at x={x}, y={y}: {error}.", path=self.path
            ) from error
        return _on_white(np.asarray(rgba)[y - top :, x - left :])

    def _replace(self, broken: openslide.OpenSlide) -> None:
        # After one error an OpenSlide handle answers every call with that error.
        with self._lock:
            if self._slide is broken:
                self._slide = self._open()

    def close(self) -> None:
        """Let go of the file."""
        self._slide.close()


def _whole_start(start: int, downsample: float) -> int:
    """The place at or shortly before `start` that lies nearest to a whole level-0 coordinate."""
    if downsample == int(downsample):
        return start
    places = range(start, max(start - _SEARCH, -1), -1)
    return min(places, key=lambda place: abs(place * downsample - round(place * downsample)))


def _on_white(rgba: np.ndarray) -> RGBImage:
    alpha = rgba[..., 3:]
    if alpha.min(initial=255) == 255:
        return np.ascontiguousarray(rgba[..., :3])
    mixed = rgba[..., :3].astype(np.uint16) * alpha + np.uint16(WHITE) * (255 - alpha)
    return np.asarray((mixed + 127) // 255, dtype=np.uint8)
