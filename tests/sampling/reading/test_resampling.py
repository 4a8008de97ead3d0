"""What ``resample="auto"`` stands for, and how near to exact it stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from slidekit.io.slide_tiff import make_pyramid, write_svs
from slidekit.pixels.readers import open_slide
from slidekit.pixels.source import choose_source
from slidekit.pixels.strips import read_resampled
from slidekit.sampling.reading.floating import FloatingGrid, float_grid
from slidekit.sampling.reading.resampling import settle_source
from tests.pixels.pictures import psnr, tissue


@pytest.mark.parametrize(
    ("mpp", "pixel", "same_as"),
    [
        (0.2528, 1.978, "fast"),  # 40× to 0.5 µm/px
        (0.25, 2.09, "fast"),
        (0.25, 2.2, "shrink"),
        (0.499, 2.004, "shrink"),  # 20×: interpolation is too far off
        (0.2528, 3.956, "shrink"),  # 1/4
        (0.2528, 7.91, "shrink"),  # 1/2 of a level that is not the first
        (float("nan"), 2.0, "shrink"),
    ],
)
def test_auto_interpolates_half_of_a_fine_level_0_alone(tmp_path: Path, mpp: float, pixel: float, same_as: str) -> None:
    write_svs(tmp_path / "a.svs", make_pyramid(tissue(640, 512, seed=1), (4,)), mpp=0.25, tile_size=128)
    with open_slide(tmp_path / "a.svs") as slide:
        found = settle_source(slide, (pixel, pixel), (mpp, mpp), "auto")
        assert found == choose_source(slide, pixel, pixel, resample=same_as)
        assert settle_source(slide, (pixel, pixel), (mpp, mpp), "exact").shrink == 1


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "mpp", "target", "mean"),
    [
        ("gastric-HE-40x.svs", 0.2528, 0.5, 38.0),
        ("gastric-HE-40x.svs", 0.2528, 1.0, 40.0),
        ("CMU-1-Small-Region.svs", 0.499, 1.0, 40.0),
    ],
)
def test_auto_stays_near_exact(real_data: Path, name: str, mpp: float, target: float, mean: float) -> None:
    pixel = target / mpp
    with open_slide(real_data / "slides" / name) as slide:
        grid = float_grid(settle_source(slide, (pixel, pixel), (mpp, mpp), "auto"), 128)
        exact = choose_source(slide, pixel, pixel, resample="exact")
        assert isinstance(grid, FloatingGrid)
        width, height = slide.dimensions
        rng = np.random.default_rng(1)
        found = []
        while len(found) < 6:
            place = grid.place(slide, rng.uniform(0, width - 128 * pixel), rng.uniform(0, height - 128 * pixel))
            image = grid.read(slide, place)
            if image.std() < 20:  # glass is no test
                continue
            found.append(psnr(image, read_resampled(slide, exact, place[0], place[1], 128, 128)))
    assert np.mean(found) >= mean
