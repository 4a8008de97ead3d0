"""Where concentric tiles lie, by phase: slides whose every pixel is a sinusoid of its place in microns.

Sine and cosine of the place that the geometry promises are fitted to what was read, pixels at the slide's edge left
out; their phase is how far off the pixels lie.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from slidekit.io.slide_tiff import TileSource, write_tiff
from slidekit.slide.wsi import WSI

TILE_PX, TILE_UM, PERIOD_UM = 64, 32.0, 16.0
SPACINGS = [(0.2472, 0.2472), (0.2528, 0.2528), (0.5, 0.5), (0.3611, 0.3611), (0.25, 0.26)]
FURTHER_UM = (128.0, 75.0)
"""The first lies on the grid's pixels, so that rows are read in strips; the second is read tile by tile."""

RINGING_PX = 5


def draw(mpp_x: float, mpp_y: float, factor: int = 1):
    """Pixels as means over their own area: red waves along x, green along y."""

    def read(x: int, y: int, width: int, height: int) -> np.ndarray:
        def wave(start: int, count: int, mpp: float) -> np.ndarray:
            edges = np.arange(start, start + count + 1) * factor * mpp * 2 * np.pi / PERIOD_UM
            return 128 - 100 * np.diff(np.cos(edges)) / np.diff(edges)

        image = np.full((height, width, 3), 128.0)
        image[..., 0] = wave(x, width, mpp_x)
        image[..., 1] = wave(y, height, mpp_y)[:, None]
        return np.rint(image).astype(np.uint8)

    return read


@pytest.fixture(scope="module", params=SPACINGS, ids=lambda mpp: f"{mpp[0]}x{mpp[1]}")
def sinusoids(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    mpp_x, mpp_y = request.param
    levels = [
        TileSource(1300, 1100, draw(mpp_x, mpp_y)),
        TileSource(1300 // 4, 1100 // 4, draw(mpp_x, mpp_y, 4)),
    ]
    path = tmp_path_factory.mktemp("sinusoids") / f"sinusoid-{mpp_x}-{mpp_y}.tiff"
    return write_tiff(path, levels, mpp_x=mpp_x, mpp_y=mpp_y, compression="deflate")


def misplacement(profile: np.ndarray, corner_um: float, mpp: float, slide_um: float) -> float:
    """How far off the wave lies along an axis whose first pixel should begin at `corner_um`; output pixels."""
    places = corner_um + (np.arange(len(profile)) + 0.5) * mpp
    inside = (places > RINGING_PX * mpp) & (places < slide_um - RINGING_PX * mpp)
    angle = 2 * np.pi * places[inside] / PERIOD_UM
    terms = np.stack([np.ones_like(angle), np.sin(angle), np.cos(angle)], axis=1)
    (_, sine, cosine), *_ = np.linalg.lstsq(terms, profile[inside], rcond=None)
    return float(np.arctan2(cosine, sine) * PERIOD_UM / (2 * np.pi) / mpp)


def worst_of(wsi: WSI, images: list[np.ndarray], cells: list[tuple[int, int]], tile_um: float) -> float:
    """The largest misplacement of tiles whose centres are promised to be those of the grid's cells."""
    worst, (width_um, height_um), mpp = 0.0, wsi.size_um, tile_um / TILE_PX
    for image, (i, j) in zip(images, cells, strict=True):
        x, y = ((k + 0.5) * TILE_UM - tile_um / 2 for k in (i, j))
        rows, columns = (np.flatnonzero((image != 255).any(axis=(axis, 2))) for axis in (1, 0))
        red = image[rows][:, :, 0].astype(float).mean(axis=0)
        green = image[:, columns][:, :, 1].astype(float).mean(axis=1)
        worst = max(worst, abs(misplacement(red, x, mpp, width_um)), abs(misplacement(green, y, mpp, height_um)))
    return worst


@pytest.mark.parametrize("resample", ["exact", "shrink"])
def test_all_sizes_lie_around_one_centre(sinusoids: Path, resample: str) -> None:
    # Arrange: the edges of the grid, where large tiles reach over the slide's edge, and a row in the middle
    with WSI(sinusoids, TILE_PX, [TILE_UM, *FURTHER_UM], resample=resample) as wsi:
        columns, rows = wsi.shape
        for j in (0, rows // 2, rows - 1):
            cells = [(i, j) for i in range(columns)]

            # Act
            primary = [wsi[cell] for cell in cells]
            further = [list(reader.read(cells)) for reader in wsi.further]

            # Assert
            assert worst_of(wsi, primary, cells, TILE_UM) <= 0.05
            for images, tile_um in zip(further, FURTHER_UM, strict=True):
                assert worst_of(wsi, images, cells, tile_um) <= 0.05


def test_a_wrong_place_would_be_seen(sinusoids: Path) -> None:
    """The measure itself: a tenth of an output pixel off is measured as a tenth."""
    with WSI(sinusoids, TILE_PX, [TILE_UM, 128], resample="exact") as wsi:
        pixel = 128 / TILE_PX
    origin = (0.1 * pixel / wsi.mpp_x, 0.0)
    with WSI(sinusoids, TILE_PX, [TILE_UM, 128], origin=origin, resample="exact") as moved:
        (image,) = moved.further[0].read([(3, 3)])

        assert abs(worst_of(moved, [image], [(3, 3)], 128.0) - 0.1) < 0.02
