"""The per-tile loops that people write: each does the same work as slidekit on the same cells."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openslide
import pyvips
from PIL import Image

from slidekit.io.tfrecord import TileRecord, frame

__all__ = ["Work", "openslide_and_pillow", "pyvips_crop_and_resize"]

GRAY_SATURATION, GRAY_SHARE = 0.05, 0.6


@dataclass(frozen=True)
class Work:
    """What is to be done.

    Attributes
    ----------
    slide
        The file.
    corners
        Top-left corners of the tiles, level-0 pixels.
    edge
        Edge of a tile in level-0 pixels.
    level, downsample
        Level to read, and its downsample.
    tile_px
        Edge of a tile in output pixels.
    """

    slide: Path
    corners: Sequence[tuple[float, float]]
    edge: float
    level: int
    downsample: float
    tile_px: int


def _finish(image: Image.Image, x: float, y: float, file: io.BufferedWriter) -> None:
    hue_saturation_value = np.asarray(image.convert("HSV"))
    if np.mean(hue_saturation_value[..., 1] < GRAY_SATURATION * 255) > GRAY_SHARE:
        return
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=95, subsampling="4:2:0")
    file.write(frame(TileRecord("slide", encoded.getvalue(), int(x), int(y)).encode()))


def openslide_and_pillow(work: Work, out: Path) -> None:
    """``read_region`` and Pillow's Lanczos, tile by tile."""
    slide = openslide.OpenSlide(str(work.slide))
    read = round(work.edge / work.downsample)
    with out.open("wb") as file:
        for x, y in work.corners:
            image = slide.read_region((round(x), round(y)), work.level, (read, read)).convert("RGB")
            if read != work.tile_px:
                image = image.resize((work.tile_px, work.tile_px), Image.Resampling.LANCZOS)
            _finish(image, x, y, file)


def pyvips_crop_and_resize(work: Work, out: Path) -> None:
    """``crop().resize()`` on the level's page, tile by tile, as Slideflow does."""
    image = pyvips.Image.tiffload(str(work.slide), page=_page(work))
    read = round(work.edge / work.downsample)
    with out.open("wb") as file:
        for x, y in work.corners:
            region = image.crop(round(x / work.downsample), round(y / work.downsample), read, read)
            if read != work.tile_px:
                region = region.resize(work.tile_px / read)
            _finish(Image.fromarray(region.numpy()), x, y, file)


def _page(work: Work) -> int:
    from slidekit.pixels.readers.tiff_levels import tiff_levels

    return tiff_levels(work.slide)[work.level].page
