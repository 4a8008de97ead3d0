"""Numbers of label images are those that are stored, whatever the format and the depth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import pyvips
import tifffile
from PIL import Image

from slidekit.errors import SlideError
from slidekit.sampling.masks.label_image import LabelImage

NUMBERS = np.repeat(np.arange(4, dtype=np.uint8), 48)[None].repeat(128, axis=0)
REVERSED = np.stack([np.arange(255, -1, -1)] * 3).astype(np.uint16) * 257


def tiff(kind: type[np.generic] = np.uint8, **options: object) -> Callable[[Path], None]:
    return lambda path: tifffile.imwrite(path.with_suffix(".tif"), NUMBERS.astype(kind), **options)


def rgb16_tiff(path: Path) -> None:
    pixels = np.stack([NUMBERS, NUMBERS + 9, NUMBERS], axis=-1).astype(np.uint16)
    tifffile.imwrite(path.with_suffix(".tif"), pixels, photometric="rgb", tile=(64, 64), compression="deflate")


def grey_png(bits: int) -> Callable[[Path], None]:
    spread = 255 // (2**bits - 1)
    return lambda path: pyvips.Image.new_from_array(NUMBERS * np.uint8(spread)).pngsave(
        str(path.with_suffix(".png")), bitdepth=bits
    )


def rgb16_png(path: Path) -> None:
    cv2.imwrite(str(path.with_suffix(".png")), np.stack([NUMBERS + 9, NUMBERS, NUMBERS], axis=-1).astype(np.uint16))


WAYS = {
    "uint16 tiles": tiff(np.uint16, tile=(64, 64), photometric="minisblack"),
    "uint16 strips": tiff(np.uint16, rowsperstrip=50, photometric="minisblack"),
    "int32 tiles": tiff(np.int32, tile=(64, 64), photometric="minisblack"),
    "float32 tiles": tiff(np.float32, tile=(64, 64), photometric="minisblack", compression="zstd"),
    "uint16 RGB": rgb16_tiff,
    "palette": tiff(photometric="palette", colormap=REVERSED),
    "palette, LZW": tiff(photometric="palette", colormap=REVERSED, tile=(64, 64), compression="lzw", predictor=True),
    "white is zero": tiff(photometric="miniswhite", compression="deflate"),
    "PNG of 2 bits": grey_png(2),
    "PNG of 4 bits": grey_png(4),
    "PNG of RGB16": rgb16_png,
}


def read(path: Path) -> np.ndarray:
    with LabelImage(path) as image:
        rows, columns = NUMBERS.shape
        return image.sample(0, (np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows)


@pytest.mark.parametrize("way", WAYS)
def test_numbers_are_those_that_are_stored(tmp_path: Path, way: str) -> None:
    WAYS[way](tmp_path / "labels")
    [path] = tmp_path.iterdir()
    # "4 bits" has 0, 17, 34, 51 in eight bits, which are 0 to 3 in four
    assert np.array_equal(read(path), NUMBERS)


@pytest.mark.parametrize("tile", [None, (64, 64)])
def test_one_bit_is_zero_or_one(tmp_path: Path, tile) -> None:
    tifffile.imwrite(tmp_path / "a.tif", NUMBERS > 1, tile=tile)
    assert np.array_equal(read(tmp_path / "a.tif"), NUMBERS > 1)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.full((64, 64), 300, np.uint16), "beyond 255"),
        (np.full((64, 64), -1, np.int32), "beyond 255"),
        (np.full((64, 64), np.nan, np.float32), "beyond 255"),
        (np.full((64, 64), 0.5, np.float32), "not whole"),
    ],
)
def test_other_numbers_are_refused(tmp_path: Path, pixels: np.ndarray, message: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    with pytest.raises(SlideError, match=message):
        read(tmp_path / "a.tif")


def test_what_is_no_mask_says_how_to_save_one(tmp_path: Path) -> None:
    Image.fromarray(NUMBERS).save(tmp_path / "a.bmp")
    (tmp_path / "cut.tif").write_bytes(b"II*\0\xff\0\0\0")
    for name in ("a.bmp", "cut.tif"):
        with pytest.raises(SlideError, match="lossless, with numbers from 0 to 255"):
            read(tmp_path / name)


@pytest.mark.parametrize(("shrink", "levels"), [("mean", 1), ("nearest", 3)])
def test_levels_that_mix_numbers_do_not_count(tmp_path: Path, shrink: str, levels: int) -> None:
    # Arrange: a disk of class 3 on 0, of which a mean makes 1 and 2
    y, x = np.mgrid[:1024, :1024]
    disk = np.where((x - 500) ** 2 + (y - 510) ** 2 < 300**2, 3, 0).astype(np.uint8)
    options = {"tile": True, "pyramid": True, "compression": "deflate", "tile_width": 256, "tile_height": 256}
    pyvips.Image.new_from_array(disk).tiffsave(str(tmp_path / "a.tif"), region_shrink=shrink, **options)
    # Act
    with LabelImage(tmp_path / "a.tif") as image:
        small = image.sample(image.level_for(256), *[(np.arange(256) + 0.5) / 256] * 2)
        # Assert
        assert len(image.sizes) == levels
    assert set(np.unique(small)) == {0, 3}
