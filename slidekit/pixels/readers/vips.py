"""Reader for what libvips opens and OpenSlide does not: PNG, JPEG, flat TIFF; and for tiled TIFF if forced."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyvips

from slidekit.errors import SlideOpenError, SlideReadError
from slidekit.pixels.metadata import SlideMetadata
from slidekit.pixels.readers.base import RGBImage, SlideReader, UnsuitableError, make_levels
from slidekit.pixels.readers.tiff_levels import TiffLevel, tiff_levels

__all__ = ["VipsReader"]

_TIFF = {".tif", ".tiff", ".svs", ".ndpi", ".svslide"}


class VipsReader(SlideReader):
    """Pixels by libvips regions; 16-bit and gray images become 8-bit RGB, transparency becomes white."""

    name = "vips"

    def __init__(self, path: Path, metadata: SlideMetadata) -> None:
        super().__init__(path, metadata)
        self._local = threading.local()
        self._images = [_as_rgb(image) for image in self._load()]
        self.levels = make_levels([(image.width, image.height) for image in self._images])

    def _load(self) -> list[Any]:
        try:
            if self.path.suffix.lower() not in _TIFF:
                return [pyvips.Image.new_from_file(str(self.path), fail_on="truncated")]
            levels = tiff_levels(self.path)
            if any(level.jfif_under_rgb_tag() for level in levels):
                raise UnsuitableError("libvips shows wrong colours where the tag says RGB and the stream YCbCr")
            return [self._load_page(level) for level in levels]
        except pyvips.Error as error:
            raise SlideOpenError(f"libvips cannot open it: {_first_line(error)}.", path=self.path) from error

    def _load_page(self, level: TiffLevel) -> Any:
        subifd = {} if level.subifd is None else {"subifd": level.subifd}
        return pyvips.Image.tiffload(str(self.path), page=level.page, fail_on="warning", **subifd)

    def _read_inside(self, level: int, x: int, y: int, width: int, height: int, shrink: int) -> RGBImage:
        try:
            data = self._region(level).fetch(x, y, width, height)
        except pyvips.Error as error:
            raise SlideReadError(
                f"libvips cannot read level {level} at x={x}, y={y}: {_first_line(error)}.", path=self.path
            ) from error
        return np.frombuffer(data, np.uint8).reshape(height, width, 3)

    def _region(self, level: int) -> Any:
        # A region belongs to the thread that made it.
        regions = self._local.__dict__.setdefault("regions", {})
        if level not in regions:
            regions[level] = pyvips.Region.new(self._images[level])
        return regions[level]

    def close(self) -> None:
        """Let go of the file."""
        self._local = threading.local()
        self._images = []


def _as_rgb(image: Any) -> Any:
    if image.interpretation not in ("srgb", "rgb"):
        image = image.colourspace("srgb")
    if image.hasalpha():
        image = image.flatten(background=[255, 255, 255])
    if image.bands == 1:
        image = image.bandjoin([image, image])
    if image.bands != 3:
        raise UnsuitableError(f"{image.bands} bands are not RGB")
    return image.cast("uchar")


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
