"""Reader for what libvips opens and OpenSlide does not: PNG, JPEG, flat TIFF; and for tiled TIFF if forced."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
import simplejpeg

from slidekit.errors import SlideOpenError, SlideReadError
from slidekit.pixels.image import RGBImage
from slidekit.pixels.metadata import SlideMetadata
from slidekit.pixels.readers.base import SlideReader, UnsuitableError, make_levels
from slidekit.pixels.readers.tiff_levels import OTHER_LAYOUTS, TiffLevel, tiff_levels

__all__ = ["VipsReader"]

_TIFF = {".tif", ".tiff", ".svs", ".ndpi", ".svslide"}

# Of TIFF's compressions, those that the libvips of the wheels decodes: none, LZW, JPEG, Deflate (two codes), PackBits.
_COMPRESSIONS = {1, 5, 7, 8, 32773, 32946}

_MOST_COMPRESSED = 1500
"""Bytes of pixels that a byte of the file can stand for at most: Deflate's limit is 1032, LZW's about 1350."""

_LARGE_TILE = 1 << 24
"""Pixels of a tile, or of a strip, beyond which its size is doubted before room is made for it."""


class VipsReader(SlideReader):
    """Pixels by libvips regions; 16-bit and gray images become 8-bit RGB, transparency becomes white."""

    name = "vips"

    def __init__(self, path: Path, metadata: SlideMetadata) -> None:
        super().__init__(path, metadata)
        if metadata.vendor in OTHER_LAYOUTS:
            raise UnsuitableError(f"the layout of {metadata.vendor} needs its own reader")
        self._lock = threading.Lock()
        # What is wrong with the stream of a JPEG picture; None until it was looked at.
        self._damage = None if metadata.vendor == "jpeg" else ""
        self._images = self._open()
        self.levels = make_levels([(image.width, image.height) for image in self._images])

    def _open(self) -> list[Any]:
        try:
            return [_as_rgb(image) for image in self._load()]
        except pyvips.Error as error:
            raise SlideOpenError(f"libvips cannot open it: {_first_line(error)}.", path=self.path) from error

    def _load(self) -> list[Any]:
        if self.path.suffix.lower() not in _TIFF:
            # revalidate: libvips keeps opened files in a cache and would show what a rewritten file held before.
            image = pyvips.Image.new_from_file(str(self.path), fail_on="warning", revalidate=True)
            self._check_size(image)
            return [image]
        levels = tiff_levels(self.path)
        if any(level.jfif_under_rgb_tag() for level in levels):
            raise UnsuitableError("libvips shows wrong colours where the tag says RGB and the stream YCbCr")
        for level in levels:
            if level.compression not in _COMPRESSIONS:
                raise UnsuitableError(f"TIFF compression {level.compression}")
            if 0 in level.counts:
                raise UnsuitableError("libvips cannot read absent tiles")
        return [self._load_page(level) for level in levels]

    def _check_size(self, image: Any) -> None:
        """Refuse a header that lies about its size: libvips would fill the disk with pixels that are not there."""
        bits = image.get("bits-per-sample") if image.get_typeof("bits-per-sample") else 8
        raw, stored = image.width * image.height * image.bands * bits / 8, self.path.stat().st_size
        if raw > _MOST_COMPRESSED * stored:
            raise SlideOpenError(
                f"it claims {image.width} × {image.height} pixels, but has only {stored} bytes.",
                mend="Copy it again.",
                path=self.path,
            )

    def _load_page(self, level: TiffLevel) -> Any:
        subifd = {} if level.subifd is None else {"subifd": level.subifd}
        image = pyvips.Image.tiffload(str(self.path), page=level.page, fail_on="warning", revalidate=True, **subifd)
        if level.tile_width * level.tile_height > _LARGE_TILE:
            self._check_size(image)
        return image

    def _read_inside(self, level: int, x: int, y: int, width: int, height: int, shrink: int) -> RGBImage:
        # One read at a time: libvips reports a damaged tile once, to whoever asked first, and shows it as black to
        # all others and from then on. After an error the images are therefore opened anew.
        with self._lock:
            if self._damage is None:
                self._damage = _doubts_of_libjpeg(self.path)
            if self._damage:
                raise SlideReadError(f"its JPEG is damaged: {self._damage}.", mend="Copy it again.", path=self.path)
            images = self._images or self._open_again()
            try:
                data = pyvips.Region.new(images[level]).fetch(x, y, width, height)
            except pyvips.Error as error:
                self._images = []
                raise SlideReadError(
                    f"libvips cannot read level {level} at x={x}, y={y}: {_first_line(error)}.", path=self.path
                ) from error
        return np.frombuffer(data, np.uint8).reshape(height, width, 3)

    def _open_again(self) -> list[Any]:
        try:
            self._images = self._open()
        except (SlideOpenError, UnsuitableError) as error:
            raise SlideReadError("it cannot be opened any more.", mend="Look at the file.", path=self.path) from error
        return self._images

    def _close(self) -> None:
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


def _doubts_of_libjpeg(path: Path) -> str:
    """What libjpeg warns about in a JPEG; libvips does not hear what it says behind the last row."""
    try:
        stream = path.read_bytes()
        simplejpeg.decode_jpeg(stream, min_height=1, min_width=1, strict=False)
    except (OSError, ValueError):
        return ""  # gone, or of a kind that only libvips decodes
    try:
        simplejpeg.decode_jpeg(stream, min_height=1, min_width=1, strict=True)
    except ValueError as error:
        return str(error)
    return ""


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
