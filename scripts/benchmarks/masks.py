"""QC masks of a whole slide: slidekit beside the same method on OpenSlide's thumbnail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import openslide
from PIL import Image
from scipy import ndimage

from benchmarks.measure import Measured
from benchmarks.peers import MASK_UM, otsu
from slidekit.slide.wsi import WSI

__all__ = ["measure_masks"]

BLUR_UM = 2
BLUR_RADIUS = 3
BLUR_THRESHOLD = 0.02


def measure_masks(slide: Path, *, rounds: int) -> Measured:
    """Open the slide and make its mask, once a way and round."""

    def with_slidekit(method: str) -> None:
        with WSI(slide, 256, 128) as wsi:
            wsi.qc(method)

    ways: dict[str, Callable[[], object]] = {
        "otsu: OpenSlide thumbnail + OpenCV": lambda: otsu(_thumbnail(slide, MASK_UM)),
        "otsu: slidekit": lambda: with_slidekit("otsu"),
        "blur: OpenSlide thumbnail + scipy": lambda: _blur(_thumbnail(slide, BLUR_UM)),
        "blur: slidekit": lambda: with_slidekit("blur"),
    }
    measured = Measured(1)
    measured.rounds(ways, rounds)
    return measured


def _thumbnail(slide: Path, um: float) -> Image.Image:
    with openslide.OpenSlide(str(slide)) as opened:
        mpp = float(opened.properties[openslide.PROPERTY_NAME_MPP_X])
        return opened.get_thumbnail(tuple(side * mpp / um for side in opened.dimensions))


def _blur(thumbnail: Image.Image) -> np.ndarray:
    """Where a picture differs little from itself blurred: as Slideflow's GaussianV2 finds what is out of focus."""
    gray = np.asarray(thumbnail.convert("L")).astype(np.float32) / 255
    return np.abs(gray - ndimage.gaussian_filter(gray, BLUR_RADIUS)) < BLUR_THRESHOLD
