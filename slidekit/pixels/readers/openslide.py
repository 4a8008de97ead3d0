"""Reader for everything that OpenSlide opens: MIRAX, NDPI, SCN, BIF, DICOM, CZI and more."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import numpy as np
import openslide
from PIL import Image

from slidekit.errors import SlideOpenError, SlideReadError
from slidekit.pixels.image import WHITE, RGBImage
from slidekit.pixels.metadata import SlideMetadata
from slidekit.pixels.readers.base import SlideReader, UnsuitableError, make_levels

__all__ = ["OpenSlideReader"]

_SEARCH = 1024
"""How many pixels further left a read may start to find a whole level-0 coordinate."""

_NEAR = 0.04
"""Pixels of the level by which the start of a read may miss its place (SEMANTICS allows 0.05)."""


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
        size = (x - left + width, y - top + height)
        slide = self._slide
        try:
            rgba = slide.read_region(corner, level, size)
        except openslide.OpenSlideError:
            rgba = self._read_again(slide, corner, level, size)
        return _on_white(np.asarray(rgba)[y - top :, x - left :])

    def _read_again(
        self, broken: openslide.OpenSlide, corner: tuple[int, int], level: int, size: tuple[int, int]
    ) -> Image.Image:
        """Read with a handle of one's own.

        After one error an OpenSlide handle answers every call with that error, so the error may be that of another
        thread, which read elsewhere at the same time.
        """
        try:
            with openslide.OpenSlide(str(self.path)) as own:
                rgba = own.read_region(corner, level, size)
        except openslide.OpenSlideError as error:
            raise SlideReadError(
                f"OpenSlide cannot read level {level} at level-0 x={corner[0]}, y={corner[1]}: {error}.",
                path=self.path,
            ) from error
        finally:
            self._replace(broken)
        return rgba

    def _replace(self, broken: openslide.OpenSlide) -> None:
        with self._lock:
            if self._slide is broken and not self.closed:
                # The broken handle is not closed here: other threads may still be in it.
                with contextlib.suppress(openslide.OpenSlideError):
                    self._slide = openslide.OpenSlide(str(self.path))

    def _close(self) -> None:
        self._slide.close()


def _whole_start(start: int, downsample: float) -> int:
    """The last place up to `start` that lies near enough to a whole level-0 coordinate, or the nearest of all."""
    if downsample == int(downsample):
        return start
    places = np.arange(start, max(start - _SEARCH, -1), -1)
    off = np.abs(places * downsample - np.rint(places * downsample)) / downsample
    near = off <= _NEAR
    return int(places[np.argmax(near) if near.any() else np.argmin(off)])


def _on_white(rgba: np.ndarray) -> RGBImage:
    alpha = rgba[..., 3:]
    if alpha.min(initial=255) == 255:
        return np.ascontiguousarray(rgba[..., :3])
    mixed = rgba[..., :3].astype(np.uint16) * alpha + np.uint16(WHITE) * (255 - alpha)
    return np.asarray((mixed + 127) // 255, dtype=np.uint8)
