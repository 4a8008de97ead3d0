"""The reader of native tiles."""

from __future__ import annotations

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import simplejpeg
import tifffile

from slidekit.errors import SlideOpenError, SlideReadError
from slidekit.io.slide_tiff import make_pyramid, write_svs, write_tiff
from slidekit.pixels.readers import open_slide
from tests.pixels.pictures import positions, remove_tiles
from tests.pixels.readers.contract import ReaderContract


class TestNative(ReaderContract):
    name = "native"


def replace_tile(path, tile, data):
    """Put other bytes in a tile's place: appended to the file, its offset and count changed."""
    with tifffile.TiffFile(path) as tiff:
        tags = tiff.pages[0].tags
        places = [tags[name].valueoffset + 4 * tile for name in ("TileOffsets", "TileByteCounts")]
        assert {int(tags[name].dtype) for name in ("TileOffsets", "TileByteCounts")} == {4}
    with path.open("r+b") as file:
        end = file.seek(0, 2)
        file.write(data)
        for place, value in zip(places, (end, len(data)), strict=True):
            file.seek(place)
            file.write(struct.pack("<I", value))
    return path


def test_an_svs_without_thumbnail_keeps_all_its_levels(tmp_path, tissue_image):
    path = write_svs(tmp_path / "a.svs", make_pyramid(tissue_image, (2, 4, 8)), mpp=0.5)
    with open_slide(path, "native") as reader:
        assert [at.width for at in reader.levels] == [1400, 700, 350, 175]


def test_thumbnail_label_and_macro_are_no_levels(tmp_path, tissue_image):
    small = tissue_image[:100, :150]
    path = write_svs(
        tmp_path / "a.svs",
        make_pyramid(tissue_image, (4,)),
        mpp=0.5,
        thumbnail=small,
        associated={"label": small, "macro": small},
    )
    with open_slide(path, "native") as reader:
        assert [at.width for at in reader.levels] == [1400, 350]


@pytest.mark.parametrize("level", [0, 1])
def test_absent_tiles_are_white(tmp_path, known_slide, known_levels, level):
    path = tmp_path / "a.tiff"
    path.write_bytes(known_slide.read_bytes())
    remove_tiles(path, level, [1])
    with open_slide(path, "native") as reader:
        assert (reader.read(level, 128, 0, 100, 128) == 255).all()
        assert np.array_equal(reader.read(level, 0, 0, 128, 128), known_levels[level][:128, :128])


@pytest.mark.parametrize("level", [0, 1])
def test_aperio_levels_with_holes_are_left_to_openslide(tmp_path, tissue_image, level):
    path = write_svs(tmp_path / "a.svs", make_pyramid(tissue_image, (4,)), mpp=0.5)
    remove_tiles(path, level, [0])
    with pytest.raises(SlideOpenError, match="absent tiles"):
        open_slide(path, "native")
    with open_slide(path) as reader:
        assert reader.name == "openslide"


def test_no_dct_reduction_where_tile_borders_would_move(tmp_path):
    path = write_svs(tmp_path / "a.svs", [positions(300, 200)], mpp=0.5, tile_size=240)
    with open_slide(path, "native") as reader:
        assert reader.shrinks(0) == (1, 2, 4, 8)
    tifffile.imwrite(
        tmp_path / "b.tif", positions(300, 200), tile=(16 * 3, 16 * 5), compression="jpeg", photometric="rgb"
    )
    with open_slide(tmp_path / "b.tif", "native") as reader:
        assert reader.shrinks(0) == (1, 2, 4, 8)
    tifffile.imwrite(tmp_path / "c.tif", positions(300, 200), rowsperstrip=20, compression="jpeg", photometric="rgb")
    with open_slide(tmp_path / "c.tif", "native") as reader:
        assert reader.shrinks(0) == (1, 2, 4)


def test_lossless_levels_have_no_reductions(known_slide):
    with open_slide(known_slide, "native") as reader:
        assert [reader.shrinks(level) for level in range(3)] == [(1,)] * 3


class TestDamage:
    """Each must be an error at its place, in bounded memory; never rubbish."""

    @pytest.fixture
    def slide(self, tmp_path):
        # OpenSlide reads the smallest level when it opens a file; the larger one can be damaged unseen.
        levels = [positions(384, 256), positions(96, 64)]
        path = tmp_path / "a.tiff"
        return write_tiff(path, levels, mpp_x=0.5, mpp_y=0.5, compression="deflate", tile_size=128)

    @pytest.fixture
    def jpeg(self, tmp_path):
        levels = [positions(384, 256), positions(96, 64)]
        return write_tiff(tmp_path / "j.tiff", levels, mpp_x=0.5, mpp_y=0.5, tile_size=128)

    def read_error(self, path, match):
        tracemalloc.start()
        try:
            with open_slide(path, "native") as reader:
                with pytest.raises(SlideReadError, match=match) as error:
                    reader.read(0, 128, 0, 10, 10)
                assert "x=128, y=0 of level 0" in str(error.value)
                reader.read(0, 0, 0, 10, 10)
            assert tracemalloc.get_traced_memory()[1] < 20 << 20
        finally:
            tracemalloc.stop()

    def test_a_stream_that_unpacks_to_gigabytes(self, slide):
        self.read_error(replace_tile(slide, 1, zlib.compress(bytes(60 << 20))), "does not end")

    def test_a_stream_that_ends_early(self, slide):
        self.read_error(replace_tile(slide, 1, zlib.compress(bytes(128 * 128 * 3))[:-3]), "does not end")

    def test_a_stream_with_too_few_pixels(self, slide):
        self.read_error(replace_tile(slide, 1, zlib.compress(bytes(128 * 100 * 3))), "too few")

    def test_a_stream_whose_checksum_is_wrong(self, slide):
        good = bytearray(zlib.compress(np.random.default_rng(0).bytes(128 * 128 * 3), 0))
        good[1000] ^= 1
        self.read_error(replace_tile(slide, 1, bytes(good)), "incorrect data check")

    def test_a_jpeg_that_claims_a_huge_size(self, jpeg):
        huge = bytearray(simplejpeg.encode_jpeg(positions(128, 128)))
        frame = huge.index(b"\xff\xc0")
        huge[frame + 5 : frame + 9] = struct.pack(">HH", 65_000, 65_000)
        self.read_error(replace_tile(jpeg, 1, bytes(huge)), "65000 × 65000")

    def test_a_jpeg_that_is_too_small(self, jpeg):
        self.read_error(replace_tile(jpeg, 1, simplejpeg.encode_jpeg(positions(64, 128))), "too few")

    def test_a_jpeg_cut_in_half(self, jpeg):
        self.read_error(replace_tile(jpeg, 1, simplejpeg.encode_jpeg(positions(128, 128))[:2000]), "cannot be decoded")

    def test_a_count_beyond_all_files(self, slide):
        replace_tile(slide, 1, b"x")
        with tifffile.TiffFile(slide) as tiff:
            place = tiff.pages[0].tags["TileByteCounts"].valueoffset + 4
        with slide.open("r+b") as file:
            file.seek(place)
            file.write(b"\xff\xff\xff\x7f")
        self.read_error(slide, "file ends")
