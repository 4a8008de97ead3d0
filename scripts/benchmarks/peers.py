"""The per-tile loops that people write: each does the same work as slidekit on the same cells."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import openslide
import pyvips
from PIL import Image

from slidekit.io.tfrecord import TileRecord, frame
from slidekit.pixels.readers.tiff_levels import tiff_levels

__all__ = ["LOOPS", "Work", "openslide_and_pillow", "otsu", "pyvips_crop_and_resize"]

GRAY_SATURATION, GRAY_SHARE = 0.05, 0.6
MASK_UM = 4
"""Where slidekit makes the mask of the bench slide: its smallest level."""

MEDIAN_PX = 7


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
    mpp
        µm per level-0 pixel.
    qc
        Whether to make an Otsu mask first; the cells are the same either way.
    """

    slide: Path
    corners: Sequence[tuple[float, float]]
    edge: float
    level: int
    downsample: float
    tile_px: int
    mpp: float
    qc: bool


def otsu(thumbnail: Image.Image) -> np.ndarray:
    """Where the saturation of a thumbnail, median-filtered, is above Otsu's threshold."""
    saturation = np.ascontiguousarray(np.asarray(thumbnail.convert("HSV"))[..., 1])
    return cv2.threshold(cv2.medianBlur(saturation, MEDIAN_PX), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1]


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
    if work.qc:
        width, height = slide.dimensions
        otsu(slide.get_thumbnail((width * work.mpp / MASK_UM, height * work.mpp / MASK_UM)))
    read = round(work.edge / work.downsample)
    with out.open("wb") as file:
        for x, y in work.corners:
            image = slide.read_region((round(x), round(y)), work.level, (read, read)).convert("RGB")
            if read != work.tile_px:
                image = image.resize((work.tile_px, work.tile_px), Image.Resampling.LANCZOS)
            _finish(image, x, y, file)


def pyvips_crop_and_resize(work: Work, out: Path) -> None:
    """``crop().resize()`` on the level's page, tile by tile, as Slideflow does."""
    levels = tiff_levels(work.slide)
    image = pyvips.Image.tiffload(str(work.slide), page=levels[work.level].page)
    if work.qc:
        # libvips' own thumbnail would decode level 0: a practised user takes the smallest level.
        smallest = pyvips.Image.tiffload(str(work.slide), page=levels[-1].page)
        otsu(Image.fromarray(smallest.resize(levels[0].width * work.mpp / MASK_UM / smallest.width).numpy()))
    read = round(work.edge / work.downsample)
    with out.open("wb") as file:
        for x, y in work.corners:
            region = image.crop(round(x / work.downsample), round(y / work.downsample), read, read)
            if read != work.tile_px:
                region = region.resize(work.tile_px / read)
            _finish(Image.fromarray(region.numpy()), x, y, file)


LOOPS: dict[str, Callable[[Work, Path], None]] = {
    "openslide + Pillow": openslide_and_pillow,
    "pyvips crop().resize()": pyvips_crop_and_resize,
}
"""Name of each loop, and the loop."""
