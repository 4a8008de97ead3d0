"""Tiles of real slides against an independent reference: OpenSlide level 0 and Pillow's Lanczos on the same microns."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import openslide
import pytest
from PIL import Image

from slidekit.io.tfrecord import TileRecord, iter_records
from slidekit.slide.wsi import WSI

pytestmark = pytest.mark.realdata

CASES = [
    pytest.param("gastric-HE-40x.svs", 256, 128, marks=pytest.mark.long),
    pytest.param("gastric-HE-40x.svs", 256, 256, marks=pytest.mark.long),
    ("CMU-1-Small-Region.svs", 256, 128),
    ("CMU-1-Small-Region.svs", 256, 256),
]


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = np.mean((a.astype(np.float64) - b) ** 2)
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def reference(slide: openslide.OpenSlide, mpp: float, tile_px: int, tile_um: float, i: int, j: int) -> np.ndarray:
    """The same micron rectangle by other means; the crop is as wide as the kernel reaches, inside the slide."""
    edge = tile_um / mpp
    x, y = i * edge, j * edge
    margin = 4 * math.ceil(edge / tile_px) + 2
    left, top = max(0, math.floor(x) - margin), max(0, math.floor(y) - margin)
    right = min(slide.dimensions[0], math.ceil(x + edge) + margin)
    bottom = min(slide.dimensions[1], math.ceil(y + edge) + margin)
    crop = slide.read_region((left, top), 0, (right - left, bottom - top)).convert("RGB")
    box = (x - left, y - top, x - left + edge, y - top + edge)
    return np.asarray(crop.resize((tile_px, tile_px), Image.Resampling.LANCZOS, box=box))


def records(folder: Path, name: str) -> list[TileRecord]:
    return [TileRecord.decode(payload) for _, payload in iter_records(folder / f"{name}.tfrecords")]


@pytest.mark.parametrize(("name", "tile_px", "tile_um"), CASES)
def test_exact_png_tiles_equal_openslide_and_pillow(
    real_data: Path, tmp_path: Path, name: str, tile_px: int, tile_um: float
) -> None:
    # Arrange
    path = real_data / "slides" / name
    with WSI(path, tile_px, tile_um, resample="exact", qc="otsu") as wsi:
        mpp = wsi.mpp

        # Act
        report = wsi.extract_tiles(tmp_path, img_format="png")

    # Assert
    assert report.kept > 5
    slide = openslide.OpenSlide(str(path))
    values = []
    for record in records(tmp_path, path.stem):
        tile = np.asarray(Image.open(io.BytesIO(record.image_raw)))
        values.append(psnr(tile, reference(slide, mpp, tile_px, tile_um, record.grid_x, record.grid_y)))
    assert len(values) == report.kept
    assert min(values) >= 48, f"worst tile {min(values):.1f} dB, mean {np.mean(values):.1f} dB"


@pytest.mark.parametrize(("name", "tile_px", "tile_um"), CASES[::2])
def test_jpeg_tiles_lose_no_more_than_the_jpeg_of_the_reference(
    real_data: Path, tmp_path: Path, name: str, tile_px: int, tile_um: float
) -> None:
    # Arrange
    path = real_data / "slides" / name
    with WSI(path, tile_px, tile_um, resample="exact", qc="otsu") as wsi:
        mpp = wsi.mpp

        # Act
        wsi.extract_tiles(tmp_path, img_format="jpg")

    # Assert
    slide = openslide.OpenSlide(str(path))
    compared = records(tmp_path, path.stem)[:60]
    assert len(compared) > 20
    for record in compared:
        expected = reference(slide, mpp, tile_px, tile_um, record.grid_x, record.grid_y)
        encoded = io.BytesIO()
        Image.fromarray(expected).save(encoded, "JPEG", quality=95, subsampling="4:2:0")
        tile = np.asarray(Image.open(io.BytesIO(record.image_raw)))
        best = psnr(np.asarray(Image.open(encoded)), expected)
        assert psnr(tile, expected) >= best - 1


@pytest.mark.parametrize(("resample", "least"), [("shrink", 40.0), ("fast", 31.0)])
@pytest.mark.parametrize("tile_um", [128, 256])
def test_faster_modes_stay_near_exact(real_data: Path, resample: str, least: float, tile_um: float) -> None:
    # Arrange
    path = real_data / "slides" / "gastric-HE-40x.svs"
    with (
        WSI(path, 256, tile_um, resample="exact", qc="otsu") as exact,
        WSI(path, 256, tile_um, resample=resample) as faster,
    ):
        cells = exact.grid.cells()[exact.fates().taken][:: 5 if tile_um == 128 else 2]

        # Act
        values = [psnr(faster[i, j], exact[i, j]) for i, j in cells]

    # Assert
    assert len(values) >= 40
    assert min(values) >= least


@pytest.mark.parametrize("reader", ["vips", "openslide"])
def test_every_reader_gives_the_same_tiles(real_data: Path, reader: str) -> None:
    # Arrange
    path = real_data / "slides" / "gastric-HE-40x.svs"
    with (
        WSI(path, 256, 128, resample="exact", qc="otsu") as native,
        WSI(path, 256, 128, resample="exact", reader=reader) as other,
    ):
        cells = native.grid.cells()[native.fates().taken][::40]

        # Act
        pairs = [(native[i, j], other[i, j]) for i, j in cells]

    # Assert
    assert native.reader.name == "native"
    assert other.reader.name == reader
    for expected, tile in pairs:
        np.testing.assert_array_equal(tile, expected)
