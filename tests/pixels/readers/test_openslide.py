"""The reader by OpenSlide."""

from __future__ import annotations

import numpy as np
import pytest

from slidekit.errors import SlideOpenError, SlideReadError
from slidekit.io.slide_tiff import make_pyramid, write_svs
from slidekit.pixels.readers import open_slide
from tests.pixels.pictures import most_off, remove_tiles, spoil_tile
from tests.pixels.readers.contract import ReaderContract


class TestOpenSlide(ReaderContract):
    name = "openslide"


def test_absent_tiles_are_white(tmp_path, known_slide, known_levels):
    path = tmp_path / "a.tiff"
    path.write_bytes(known_slide.read_bytes())
    remove_tiles(path, 0, [0])

    with open_slide(path, "openslide") as reader:
        assert (reader.read(0, 0, 0, 128, 128) == 255).all()
        assert np.array_equal(reader.read(0, 128, 0, 128, 128), known_levels[0][:128, 128:256])


def test_levels_whose_downsample_is_no_whole_number_to_openslide(tmp_path, tissue_image):
    # 1399 / 349 is 4.0086 to OpenSlide, which then renders between the pixels of the level.
    levels = make_pyramid(tissue_image[:1099, :1399], (4,))
    path = write_svs(tmp_path / "a.svs", levels, mpp=0.25, quality=100, subsampling="444")

    with open_slide(path, "native") as native, open_slide(path, "openslide") as reader:
        assert reader.levels == native.levels
        assert reader.levels[1].downsample_x == 4
        for x, y in np.random.default_rng(0).integers(0, (300, 230), (40, 2)).tolist():
            expected = native.read(1, x, y, 40, 40)
            steepest = max(np.abs(np.diff(expected.astype(int), axis=axis)).max() for axis in (0, 1))
            # 0.04 px off along both axes.
            assert most_off(reader.read(1, x, y, 40, 40), expected) <= 2 * 0.04 * steepest + 1


def test_a_slide_that_vanished_is_a_read_error(tmp_path, known_slide):
    path = tmp_path / "a.tiff"
    path.write_bytes(known_slide.read_bytes())
    spoil_tile(path, 0, 0)
    reader = open_slide(path, "openslide")
    path.unlink()
    for _ in range(2):
        with pytest.raises(SlideReadError):
            reader.read(0, 0, 0, 10, 10)
    reader.close()


def test_what_it_does_not_know(tmp_path):
    from PIL import Image

    Image.fromarray(np.zeros((10, 10, 3), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(SlideOpenError, match='Use reader="auto"'):
        open_slide(tmp_path / "a.png", "openslide")
