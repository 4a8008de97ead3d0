"""Small synthetic slides for the tests of one slide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from slidekit.io.slide_tiff import make_pyramid, write_svs, write_tiff

MakeSlide = Callable[..., Path]


def paint(width: int, height: int, seed: int = 0) -> np.ndarray:
    """Glass with an ellipse of textured tissue, whose right third is out of focus."""
    noise = np.random.default_rng(seed)
    image = np.clip(noise.normal(244, 1, (height, width, 1)) + np.zeros(3), 0, 255)
    tissue = np.array([190.0, 105.0, 160.0]) + noise.normal(0, 45, (height, width, 1)) * [0.6, 1.0, 0.7]
    y, x = np.mgrid[:height, :width]
    inside = ((x - width / 2) / (0.42 * width)) ** 2 + ((y - height / 2) / (0.42 * height)) ** 2 < 1
    image[inside] = np.clip(tissue, 0, 235)[inside]
    sharp = image.astype(np.uint8)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 10)
    return np.where((x > 0.65 * width)[..., None], blurred, sharp).astype(np.uint8)


@pytest.fixture(scope="session")
def make_slide(tmp_path_factory: pytest.TempPathFactory) -> MakeSlide:
    """Write an image as a slide: lossless TIFF, or JPEG in an SVS; each into a folder of its own."""

    def make(
        image: np.ndarray,
        mpp: tuple[float, float] | None = (0.5, 0.5),
        *,
        name: str = "slide",
        factors: Sequence[int] = (4,),
        svs: bool = False,
    ) -> Path:
        levels = make_pyramid(image, factors)
        folder = tmp_path_factory.mktemp("slides")
        if svs:
            return write_svs(folder / f"{name}.svs", levels, mpp=None if mpp is None else mpp[0], quality=92)
        mpp_x, mpp_y = (None, None) if mpp is None else mpp
        return write_tiff(folder / f"{name}.tiff", levels, mpp_x=mpp_x, mpp_y=mpp_y, compression="deflate")

    return make


@pytest.fixture(scope="session")
def tissue() -> np.ndarray:
    """Level 0 of `tissue_slide`, 1000 × 760 px."""
    return paint(1000, 760)


@pytest.fixture(scope="session")
def tissue_slide(make_slide: MakeSlide, tissue: np.ndarray) -> Path:
    """A lossless slide of 0.5 µm/px, levels 1 and 4: tiles of 64 px and 32 µm are its own pixels, 15 × 11 cells."""
    return make_slide(tissue, name="tissue")
