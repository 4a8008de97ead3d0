"""Slides of known pixels for the tests of readers and resampling."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from slidekit.io.slide_tiff import make_pyramid, write_tiff
from tests.pixels.pictures import positions, tissue

pytest.register_assert_rewrite("tests.pixels.readers.contract")

# Whole downsamples, so that OpenSlide's grid is the level's own; tiles of 128 px do not divide them.
LEVEL_SIZES = [(912, 704), (228, 176), (57, 44)]


@pytest.fixture(scope="session")
def known_levels() -> list[np.ndarray]:
    """Three levels of 912 × 704, 228 × 176 and 57 × 44 px, each saying where its pixels are."""
    return [positions(width, height, level) for level, (width, height) in enumerate(LEVEL_SIZES)]


@pytest.fixture(scope="session")
def known_slide(tmp_path_factory: pytest.TempPathFactory, known_levels: list[np.ndarray]) -> Path:
    """`known_levels` in a lossless slide of 0.25 µm/px."""
    path = tmp_path_factory.mktemp("known") / "known.tiff"
    return write_tiff(path, known_levels, mpp_x=0.25, mpp_y=0.25, compression="deflate", tile_size=128)


@pytest.fixture(scope="session")
def tissue_image() -> np.ndarray:
    """1400 × 1100 px of something like tissue."""
    return tissue(1400, 1100)


@pytest.fixture(scope="session")
def tissue_slide(tmp_path_factory: pytest.TempPathFactory, tissue_image: np.ndarray) -> Path:
    """`tissue_image` and a level of a quarter of it, lossless."""
    path = tmp_path_factory.mktemp("tissue") / "tissue.tiff"
    return write_tiff(path, make_pyramid(tissue_image, (4,)), mpp_x=0.25, mpp_y=0.25, compression="deflate")


@pytest.fixture(scope="session")
def smooth_image() -> np.ndarray:
    """500 × 300 px that JPEG changes little, whatever its subsampling."""
    return tissue(500, 300, detail=6)
