"""Where tiles lie, by phase: slides whose every pixel is a sinusoid of its place in microns.

A tile of such a slide says where it was cut: the phase of each sinusoid at the tile's first pixel is known from the
grid, and is measured in the tile's Fourier transform, to a few thousandths of a pixel.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from slidekit.io.slide_tiff import TileSource, write_tiff
from slidekit.slide.wsi import WSI

TILE_PX, TILE_UM = 64, 32.0
SPACINGS = [(0.2472, 0.2472), (0.2528, 0.2528), (0.5, 0.5), (0.3611, 0.3611), (0.25, 0.26)]

# Whole numbers of waves in a tile, so that its transform has each in one bin.
WAVES = 4
PERIOD_UM = TILE_UM / WAVES


def draw(mpp_x: float, mpp_y: float, factor: int = 1):
    """Pixels as means over their own area, as a scanner's are: red waves along x, green along y."""

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
    width, height = 2300, 1700
    levels = [
        TileSource(width, height, draw(mpp_x, mpp_y)),
        TileSource(width // 4, height // 4, draw(mpp_x, mpp_y, 4)),
    ]
    path = tmp_path_factory.mktemp("sinusoids") / f"sinusoid-{mpp_x}-{mpp_y}.tiff"
    return write_tiff(path, levels, mpp_x=mpp_x, mpp_y=mpp_y, compression="deflate")


def shift(profile: np.ndarray) -> float:
    """Where a wave that begins at the tile's edge was found, output pixels."""
    transform = np.fft.rfft(profile - profile.mean())
    # sin(2π·WAVES·(k + 1/2) / N): the bin's phase is −π/2 and half a pixel's worth.
    expected = -np.pi / 2 + np.pi * WAVES / len(profile)
    turned = np.angle(np.exp(1j * (np.angle(transform[WAVES]) - expected)))
    return float(turned * len(profile) / (2 * np.pi * WAVES))


def misplacement(tile: np.ndarray) -> tuple[float, float]:
    red, green = tile[..., 0].astype(float), tile[..., 1].astype(float)
    return shift(red.mean(axis=0)), shift(green.mean(axis=1))


@pytest.mark.parametrize("resample", ["exact", "shrink"])
def test_every_tile_lies_within_a_twentieth_of_a_pixel(sinusoids: Path, resample: str) -> None:
    # Arrange
    with WSI(sinusoids, TILE_PX, TILE_UM, resample=resample, grayspace_fraction=1) as wsi:
        assert len(wsi.grid) > 100

        # Act
        worst = 0.0
        for strip in wsi.tiles.strips(wsi.grid.cells()):
            for _, _, tile in wsi.tiles.cut(strip):
                worst = max(worst, *map(abs, misplacement(tile)))

    # Assert
    assert worst <= 0.05


def test_single_tiles_lie_there_too(sinusoids: Path) -> None:
    with WSI(sinusoids, TILE_PX, TILE_UM, resample="exact") as wsi:
        columns, rows = wsi.shape
        for i, j in [(0, 0), (columns - 1, 0), (0, rows - 1), (columns - 1, rows - 1), (columns // 2, rows // 2)]:
            assert max(map(abs, misplacement(wsi[i, j]))) <= 0.05


def test_a_level_that_is_read_for_coarse_tiles_lies_right(sinusoids: Path) -> None:
    # Arrange: 128 µm in 64 px is 2 µm/px, which level 1 serves
    with WSI(sinusoids, TILE_PX, 4 * TILE_UM, resample="exact") as wsi:
        assert wsi.plan.source.level == 1

        # Act
        tiles = [wsi[i, j] for i, j in wsi.grid.cells()]

    # Assert: a tile now holds four times as many waves
    for tile in tiles:
        red = np.fft.rfft(tile[..., 0].astype(float).mean(axis=0) - tile[..., 0].mean())
        waves = 4 * WAVES
        expected = -np.pi / 2 + np.pi * waves / TILE_PX
        turned = np.angle(np.exp(1j * (np.angle(red[waves]) - expected)))
        assert abs(turned * TILE_PX / (2 * np.pi * waves)) <= 0.05


def test_neighbours_leave_no_gap_and_do_not_overlap(sinusoids: Path) -> None:
    """Two neighbours put together continue the wave: their joint is where the next wave begins."""
    with WSI(sinusoids, TILE_PX, TILE_UM, resample="exact") as wsi:
        columns, rows = wsi.shape
        for i, j in [(0, 0), (columns // 2, rows // 2), (columns - 2, rows - 2)]:
            row = np.concatenate([wsi[i, j], wsi[i + 1, j]], axis=1)[..., 0].astype(float)
            column = np.concatenate([wsi[i, j], wsi[i, j + 1]], axis=0)[..., 1].astype(float)
            for profile in (row.mean(axis=0), column.mean(axis=1)):
                waves = 2 * WAVES
                transform = np.abs(np.fft.rfft(profile - profile.mean()))
                # A gap or an overlap breaks the wave, and its energy leaks out of its own bin.
                leaked = np.delete(transform, waves)
                assert leaked.max() < 0.01 * transform[waves]


def test_stride_and_origin_move_tiles_exactly(sinusoids: Path) -> None:
    with WSI(sinusoids, TILE_PX, TILE_UM, stride_div=4, resample="exact") as wsi:
        # A quarter of a tile is one whole period: every cell looks alike.
        for i, j in [(0, 0), (1, 0), (2, 3), (5, 7)]:
            assert max(map(abs, misplacement(wsi[i, j]))) <= 0.05
    shifted = 3 * PERIOD_UM
    with WSI(sinusoids, TILE_PX, TILE_UM, resample="exact") as plain:
        origin = (shifted / plain.mpp_x, shifted / plain.mpp_y)
    with WSI(sinusoids, TILE_PX, TILE_UM, origin=origin, resample="exact") as wsi:
        assert max(map(abs, misplacement(wsi[2, 2]))) <= 0.05


def test_a_wrong_place_would_be_seen(sinusoids: Path) -> None:
    """The measure itself: a tenth of an output pixel off is measured as a tenth."""
    with WSI(sinusoids, TILE_PX, TILE_UM, resample="exact") as wsi:
        pixel = TILE_UM / TILE_PX
    origin = (0.1 * pixel / wsi.mpp_x, 0.0)
    with WSI(sinusoids, TILE_PX, TILE_UM, origin=origin, resample="exact") as moved:
        across, down = misplacement(moved[3, 3])
    assert abs(abs(across) - 0.1) < 0.02
    assert abs(down) < 0.02


def test_given_coordinates_lie_within_a_twentieth_of_a_pixel(sinusoids: Path) -> None:
    # Arrange: centres at any real place, and some in one row on one lattice of output pixels, which are read together
    with WSI(sinusoids, TILE_PX, TILE_UM, resample="exact") as wsi:
        width, height = wsi.dimensions
        tile = np.array([TILE_UM / wsi.mpp_x, TILE_UM / wsi.mpp_y])
        pixel = tile[0] / TILE_PX
    noise = np.random.default_rng(3)
    centres = noise.uniform(tile / 2, np.array([width, height]) - tile / 2, (60, 2))
    row = np.stack([tile[0] / 2 + 11.3 + np.arange(20) * 23 * pixel, np.full(20, 700.7)], axis=1)

    # Act
    with WSI(sinusoids, TILE_PX, TILE_UM, coordinates=np.concatenate([centres, row])) as wsi:
        assert wsi.places is not None
        assert len(wsi.places.runs) - 1 == 61
        worst = 0.0
        for strip in wsi.tiles.strips(wsi.grid.cells()):
            for i, j, image in wsi.tiles.cut(strip):
                # Of the way from the slide's corner to the tile's, what is no whole period is seen.
                off = np.array(misplacement(image)) - np.array(wsi.grid.corner(i, j)) / tile * TILE_PX
                period = TILE_PX / WAVES
                worst = max(worst, *np.abs((off + period / 2) % period - period / 2))

    # Assert
    assert worst <= 0.05
