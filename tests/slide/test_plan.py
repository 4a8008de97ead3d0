"""How a slide meets a spec: level, resampling in words, random origin."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from slidekit.slide.wsi import WSI


@pytest.mark.parametrize(
    ("tile_um", "words", "level"),
    [
        (32, "level 0, which has the resolution asked for", 0),
        (128, "level 1, which has the resolution asked for", 1),
        (48, "reduced 1.5× from level 0", 0),
        (256, "reduced 2× from level 1", 1),
        (16, "enlarged 2× from level 0", 0),
        ("20x", "level 0 as stored", 0),
        ("5x", "level 1 as stored", 1),  # 2.0 µm/px
        ("10x", "reduced 2× from level 0", 0),
    ],
)
def test_the_level_is_chosen_and_said(tissue_slide: Path, tile_um, words: str, level: int) -> None:
    with WSI(tissue_slide, 64, tile_um, resample="exact") as wsi:
        assert wsi.plan.resampling == words
        assert wsi.plan.source.level == level


def test_a_shrink_while_decoding_is_said(make_slide, tissue) -> None:
    with WSI(make_slide(tissue, svs=True, factors=()), 64, 96) as wsi:
        assert re.fullmatch(r"reduced 3× from level 0, JPEG decoded at 1/2", wsi.plan.resampling)


@pytest.mark.parametrize("resample", ["exact", "shrink", "fast"])
def test_an_average_is_said_and_moves_no_tile(tissue_slide: Path, resample: str) -> None:
    with WSI(tissue_slide, 8, 64, enable_downsample=False, resample=resample) as wsi:
        assert wsi.plan.resampling == "reduced 16× from level 0, 4 × 4 pixels averaged first"
        assert (wsi.grid.tile_width, wsi.grid.tile_height) == pytest.approx((128, 128), rel=1e-6)
        whole = wsi.reader.read(0, 128, 256, 128, 128).reshape(8, 16, 8, 16, 3).mean(axis=(1, 3))
        # Lanczos is no average; but both are the same tile.
        assert np.abs(wsi[1, 2] - whole).mean() < 5


def test_a_random_origin_depends_on_seed_and_name_and_is_less_than_a_stride(make_slide, tissue) -> None:
    def origin(name: str, seed: int, stride_div: float = 1) -> tuple[float, float]:
        path = make_slide(tissue[:200, :200], name=name)
        with WSI(path, 64, 32, stride_div, randomize_origin=True, seed=seed) as wsi:
            assert 0 <= wsi.grid.origin_x < wsi.grid.stride_x
            assert 0 <= wsi.grid.origin_y < wsi.grid.stride_y
            return wsi.grid.origin_x, wsi.grid.origin_y

    first = origin("a", 0)
    assert origin("a", 0) == first
    assert len({first, origin("b", 0), origin("a", 1)}) == 3
    assert origin("a", 0, 2) == pytest.approx((first[0] / 2, first[1] / 2))


def test_a_given_origin_is_where_cell_0_begins(tissue_slide: Path) -> None:
    with WSI(tissue_slide, 64, 32, origin=(10.5, 20)) as wsi:
        assert tuple(wsi.grid.boxes()[0]) == pytest.approx((10.5, 20, 74.5, 84), rel=1e-6)
        assert wsi.grid.location(0, 0) == (42, 52)


def test_pixels_that_are_not_square_give_square_tiles(make_slide, tissue) -> None:
    with WSI(make_slide(tissue, (0.5, 0.25)), 64, 32) as wsi:
        assert (wsi.grid.tile_width, wsi.grid.tile_height) == pytest.approx((64, 128), rel=1e-6)
        assert wsi.shape == (15, 5)
        assert wsi[3, 2].shape == (64, 64, 3)
