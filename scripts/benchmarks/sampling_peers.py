"""What slidekit's sampler is measured beside: histo-fetch's way, written anew from its description, and chopping.

histo-fetch: J Pathol Inform 2022;13:7. A patch is made from nothing each time: the slide is opened, its mask decoded,
its tissue pixels are listed, and one of them is drawn.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openslide
from PIL import Image, ImageFilter
from skimage import color, transform

__all__ = ["augment_patch", "chop", "fetch_patch", "fetch_with_tf_data", "write_mask"]

MASK_PX, BLUR_PX = 2000, 10
THREADS, SHUFFLE = 40, 100
PADDING = 4
"""Pixels that are read more where patches are augmented; half of them are cut from each side after it."""

GRID = 8
HUE, LIGHTNESS = 0.025, 0.015


def write_mask(slide: Path, folder: Path) -> Path:
    """Write histo-fetch's mask of a slide: an 8-bit PNG of up to 2000 px, tissue is 255."""
    opened = openslide.OpenSlide(str(slide))
    edge = min(MASK_PX, max(opened.dimensions))
    red = np.asarray(opened.get_thumbnail((edge, edge)).filter(ImageFilter.GaussianBlur(BLUR_PX)))[..., 0]
    opened.close()
    background = cv2.threshold(np.ascontiguousarray(red), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1]
    tissue = 255 - cv2.erode(background, np.ones((5, 5), np.uint8))
    path = folder / f"{slide.stem}_MASK.png"
    Image.fromarray(tissue).save(path)
    return path


def fetch_patch(
    slide: Path, mask: Path, *, px: int = 256, downsample: float = 4, augment: bool = False, generator: random.Random
) -> np.ndarray:
    """Read one patch around a random tissue pixel, as histo-fetch does.

    What it does where reading fails (another level, at last a white patch) is left out: nothing fails here.

    Returns
    -------
    ndarray (px, px, 3), uint8, RGB
        Black beyond the slide.
    """
    opened = openslide.OpenSlide(str(slide))
    tissue = np.asarray(Image.open(mask))
    level = opened.get_best_level_for_downsample(downsample + 0.1)
    factor = round(downsample / opened.level_downsamples[level])
    across, down = np.meshgrid(np.arange(tissue.shape[1]), np.arange(tissue.shape[0]), copy=False)
    row, column = generator.choice(np.argwhere(tissue > 0))
    edge = px + PADDING if augment else px
    half = edge * factor * opened.level_downsamples[level] / 2
    x = across[row, column] * opened.dimensions[0] / tissue.shape[1] - half
    y = down[row, column] * opened.dimensions[1] / tissue.shape[0] - half
    image = opened.read_region((int(x), int(y)), level, (edge * factor, edge * factor))
    opened.close()
    if factor > 1:
        image = image.resize((edge, edge), Image.Resampling.LANCZOS)
    patch = np.asarray(image)[..., :3]
    if not augment:
        return patch
    cut = PADDING // 2
    return augment_patch(patch, generator)[cut:-cut, cut:-cut]


def augment_patch(patch: np.ndarray, generator: random.Random) -> np.ndarray:
    """Shift hue and lightness, and warp piece by piece, with scikit-image in float64, as histo-fetch does.

    Parameters
    ----------
    patch
        (h, w, 3) uint8, RGB.
    generator
        What all is drawn from.

    Returns
    -------
    ndarray (h, w, 3), uint8
    """
    hsv = color.rgb2hsv(patch)
    hsv[..., 0] = (hsv[..., 0] + generator.gauss(0, HUE)) % 1
    lab = color.rgb2lab(color.hsv2rgb(hsv))
    lab[..., 0] = 100 * np.clip(lab[..., 0] / 100, 0, 1) ** generator.gauss(1, LIGHTNESS)
    height, width = patch.shape[:2]
    nodes = np.stack(np.meshgrid(np.linspace(0, width, GRID), np.linspace(0, height, GRID)), axis=-1)
    moved = nodes.copy()
    spread = height / (GRID * 10)
    for row in range(1, GRID - 1):
        for column in range(1, GRID - 1):
            moved[row, column] += generator.gauss(0, spread), generator.gauss(0, spread)
    warp = transform.PiecewiseAffineTransform.from_estimate(nodes.reshape(-1, 2), moved.reshape(-1, 2))
    warped = transform.warp(color.lab2rgb(lab), warp)
    return np.clip(np.rint(warped * 255), 0, 255).astype(np.uint8)


def fetch_with_tf_data(slide: Path, mask: Path, patches: int, *, augment: bool, batch: int, **size: Any) -> int:
    """Run histo-fetch's graph over one slide: `py_function` forty times in parallel, shuffle, batch, prefetch.

    Returns
    -------
    int
        How many patches came; `patches`, less what fills no batch.
    """
    import tensorflow as tf

    def fetch(path: Any) -> Any:
        generator = random.Random()
        name = Path(path.numpy().decode())
        return fetch_patch(name, mask, augment=augment, generator=generator, **size).astype(np.float32)

    paths = tf.data.Dataset.from_tensor_slices([str(slide)]).repeat(patches)
    images = paths.map(lambda path: tf.py_function(fetch, [path], tf.float32), num_parallel_calls=THREADS)
    batches = images.shuffle(SHUFFLE).batch(batch, drop_remainder=True).prefetch(1)
    return sum(len(images) for images in batches)


def chop(
    slide: Path,
    corners: Sequence[tuple[float, float]],
    folder: Path,
    *,
    level: int,
    read_px: int,
    tile_px: int,
    quality: int,
) -> int:
    """Write tiles as JPEG files with OpenSlide and Pillow, one after the other.

    Parameters
    ----------
    slide
        The file.
    corners
        Top-left corners of the tiles, level-0 pixels.
    folder
        Where to write them.
    level, read_px
        Level to read, and the edge of a tile there.
    tile_px
        Edge of a tile that is written.
    quality
        Of JPEG.

    Returns
    -------
    int
        Bytes of all tiles.
    """
    opened = openslide.OpenSlide(str(slide))
    written = 0
    for x, y in corners:
        image = opened.read_region((round(x), round(y)), level, (read_px, read_px)).convert("RGB")
        if read_px != tile_px:
            image = image.resize((tile_px, tile_px), Image.Resampling.LANCZOS)
        path = folder / f"{round(x)}_{round(y)}.jpg"
        image.save(path, "JPEG", quality=quality)
        written += path.stat().st_size
    opened.close()
    return written
