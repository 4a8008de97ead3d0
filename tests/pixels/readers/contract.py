"""What every reader of slides keeps; a new reader's tests inherit `ReaderContract` and name it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest

from slidekit.errors import SlideReadError
from slidekit.io.slide_tiff import write_svs, write_tiff
from slidekit.pixels.readers import SlideReader, open_slide
from tests.pixels.pictures import most_off, positions, spoil_tile

EDGES = {
    "left": (-7, 300, 40, 30),
    "right": (900, 300, 40, 30),
    "top": (300, -5, 40, 30),
    "bottom": (300, 690, 40, 30),
    "upper left": (-3, -4, 50, 50),
    "lower right": (880, 680, 64, 64),
    "all": (-2, -3, 920, 720),
}
OUTSIDE = [
    (-50, 0, 50, 20),
    (912, 0, 10, 10),
    (0, -20, 30, 20),
    (0, 704, 30, 20),
    (10**6, 10**6, 4, 3),
    (-(10**6), 5, 4, 3),
]
COLOURS = [("ycbcr", "420"), ("ycbcr", "422"), ("ycbcr", "444"), ("rgb", "444"), ("rgb", "420")]


def on_white(level: np.ndarray, x: int, y: int, width: int, height: int) -> np.ndarray:
    """The rectangle of a level, white where it reaches beyond; an oracle that is not the readers' arithmetic."""
    rows, columns = np.arange(y, y + height), np.arange(x, x + width)
    inside = np.outer((rows >= 0) & (rows < level.shape[0]), (columns >= 0) & (columns < level.shape[1]))
    picked = level[np.clip(rows, 0, level.shape[0] - 1)][:, np.clip(columns, 0, level.shape[1] - 1)]
    return np.where(inside[..., None], picked, 255).astype(np.uint8)


class ReaderContract:
    """Inherit, set `name`, and add what is special to the reader."""

    name: ClassVar[str]

    @pytest.fixture
    def reader(self, known_slide: Path) -> Iterator[SlideReader]:
        with open_slide(known_slide, self.name) as reader:
            yield reader

    def test_is_the_reader_that_was_asked_for(self, reader):
        assert reader.name == self.name

    def test_levels(self, reader):
        assert reader.dimensions == (912, 704)
        assert [(at.width, at.height) for at in reader.levels] == [(912, 704), (228, 176), (57, 44)]
        assert [(at.downsample_x, at.downsample_y) for at in reader.levels] == [(1, 1), (4, 4), (16, 16)]

    @pytest.mark.parametrize("level", [0, 1, 2])
    def test_each_level_has_its_own_pixels_from_its_own_corner(self, reader, known_levels, level):
        height, width, _ = known_levels[level].shape

        image = reader.read(level, 0, 0, width, height)

        assert np.array_equal(image, known_levels[level])

    @pytest.mark.parametrize("level", [0, 1, 2])
    def test_rectangles_anywhere_inside(self, reader, known_levels, level):
        rng = np.random.default_rng(level)
        height, width, _ = known_levels[level].shape
        for _ in range(20):
            x, y = int(rng.integers(width)), int(rng.integers(height))
            w, h = int(rng.integers(1, width - x + 1)), int(rng.integers(1, height - y + 1))
            assert np.array_equal(reader.read(level, x, y, w, h), known_levels[level][y : y + h, x : x + w])

    @pytest.mark.parametrize("place", EDGES.values(), ids=EDGES)
    def test_beyond_an_edge_is_white(self, reader, known_levels, place):
        assert np.array_equal(reader.read(0, *place), on_white(known_levels[0], *place))

    @pytest.mark.parametrize("place", OUTSIDE)
    def test_outside_is_white(self, reader, place):
        image = reader.read(0, *place)
        assert image.shape == (place[3], place[2], 3)
        assert (image == 255).all()

    @pytest.mark.parametrize("place", [(0, 0, 30, 20), (130, 120, 300, 200), (-4, 600, 30, 200), (-90, 0, 5, 4)])
    def test_images_are_contiguous_rgb_bytes(self, reader, place):
        image = reader.read(0, *place)
        assert image.shape == (place[3], place[2], 3)
        assert image.dtype == np.uint8
        assert image.flags.c_contiguous

    def test_writing_into_an_image_does_not_change_the_slide(self, reader, known_levels):
        first = reader.read(0, 0, 0, 128, 128)
        if first.flags.writeable:
            first[:] = 0
        assert np.array_equal(reader.read(0, 0, 0, 128, 128), known_levels[0][:128, :128])

    def test_many_threads_read_the_same_pixels(self, reader, known_levels):
        rng = np.random.default_rng(5)
        places = [(int(rng.integers(3)), int(rng.integers(-20, 900)), int(rng.integers(-20, 700))) for _ in range(120)]

        with ThreadPoolExecutor(6) as pool:
            images = list(pool.map(lambda place: reader.read(*place, 70, 60), places))

        for (level, x, y), image in zip(places, images, strict=True):
            assert np.array_equal(image, on_white(known_levels[level], x, y, 70, 60))

    def test_opened_again_it_reads_the_same(self, known_slide):
        images = []
        for _ in range(2):
            with open_slide(known_slide, self.name) as reader:
                images.append(reader.read(0, 100, 100, 300, 300))
        assert np.array_equal(*images)

    def test_a_file_written_anew_shows_its_new_pixels(self, tmp_path):
        path = tmp_path / "a.tiff"
        for value in (10, 200):
            write_tiff(path, [np.full((256, 256, 3), value, np.uint8)], mpp_x=None, mpp_y=None, compression="deflate")
            with open_slide(path, self.name) as reader:
                assert (reader.read(0, 0, 0, 20, 20) == value).all()

    def test_a_closed_slide_says_so(self, known_slide):
        with open_slide(known_slide, self.name) as reader:
            reader.read(0, 0, 0, 10, 10)
        reader.close()
        with pytest.raises(SlideReadError, match="closed") as error:
            reader.read(0, 0, 0, 10, 10)
        assert str(known_slide) in str(error.value)

    @pytest.mark.parametrize("compression", ["deflate", "jpeg"])
    def test_a_damaged_tile_is_named_and_the_rest_is_read(self, tmp_path, compression):
        original = positions(512, 384)
        path = write_tiff(
            tmp_path / "a.tiff", [original], mpp_x=0.5, mpp_y=0.5, compression=compression, tile_size=128, quality=95
        )
        with open_slide(path, self.name) as reader:
            whole = reader.read(0, 0, 0, 512, 384)
        spoil_tile(path, 0, 5)  # columns 128 to 255, rows 128 to 255

        with open_slide(path, self.name) as reader:
            for _ in range(2):
                with pytest.raises(SlideReadError) as error:
                    reader.read(0, 150, 140, 20, 20)
                assert error.value.path == path
                assert str(path) in str(error.value)
                assert "level 0" in str(error.value)
                assert np.array_equal(reader.read(0, 0, 0, 512, 128), whole[:128])
                assert np.array_equal(reader.read(0, 256, 128, 256, 256), whole[128:, 256:])

    def test_threads_that_read_sound_places_do_not_suffer_from_a_damaged_one(self, tmp_path):
        original = positions(512, 384)
        path = write_tiff(tmp_path / "a.tiff", [original], mpp_x=0.5, mpp_y=0.5, compression="deflate", tile_size=128)
        spoil_tile(path, 0, 0)

        def read(place: tuple[int, int]) -> np.ndarray | None:
            try:
                return reader.read(0, *place, 60, 60)
            except SlideReadError:
                return None

        places = [(0, 0), (130, 0), (400, 300), (200, 200)] * 20
        with open_slide(path, self.name) as reader, ThreadPoolExecutor(4) as pool:
            images = list(pool.map(read, places))

        for (x, y), image in zip(places, images, strict=True):
            if (x, y) == (0, 0):
                assert image is None
            else:
                assert image is not None
                assert np.array_equal(image, original[y : y + 60, x : x + 60])

    @pytest.mark.parametrize("write", ["svs", "tiff"])
    @pytest.mark.parametrize(("photometric", "subsampling"), COLOURS)
    def test_jpeg_has_its_true_colours(self, tmp_path, smooth_image, write, photometric, subsampling):
        original = smooth_image
        options = {"photometric": photometric, "subsampling": subsampling, "quality": 95, "tile_size": 128}
        if write == "svs":
            path = write_svs(tmp_path / "a.svs", [original], mpp=0.5, **options)
        else:
            path = write_tiff(tmp_path / "a.tiff", [original], mpp_x=0.5, mpp_y=0.5, **options)

        with open_slide(path, self.name) as reader:
            image = reader.read(0, 0, 0, 500, 300)

        assert np.abs(image.astype(np.int16) - original).mean() < 3
        assert np.abs(image.mean(axis=(0, 1)) - original.mean(axis=(0, 1))).max() < 1

    def test_shrinks_are_reductions_of_the_same_pixels(self, tmp_path, smooth_image):
        original = smooth_image
        path = write_svs(tmp_path / "a.svs", [original], mpp=0.5, tile_size=128, quality=95)
        with open_slide(path, self.name) as reader:
            assert reader.shrinks(0)[0] == 1
            for shrink in reader.shrinks(0):
                width, height = reader.size(0, shrink)
                image = reader.read(0, 0, 0, width, height, shrink)
                whole = original[: 300 // shrink * shrink, : 500 // shrink * shrink]
                expected = cv2.resize(whole, (500 // shrink, 300 // shrink), interpolation=cv2.INTER_AREA)
                assert (width, height) == (-(-500 // shrink), -(-300 // shrink))
                assert np.abs(image[: 300 // shrink, : 500 // shrink].astype(np.int16) - expected).mean() < 3
                part = reader.read(0, width // 3, height // 4, 37, 21, shrink)
                assert most_off(part, image[height // 4 : height // 4 + 21, width // 3 : width // 3 + 37]) == 0
