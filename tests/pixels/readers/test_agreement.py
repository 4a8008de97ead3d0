"""The same slide through any reader: the same pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from slidekit.errors import SlideReadError
from slidekit.io.slide_tiff import make_pyramid, write_svs, write_tiff
from slidekit.pixels.readers import open_slide
from tests.pixels.pictures import most_off, remove_tiles

KINDS = [("ycbcr", "420"), ("ycbcr", "422"), ("ycbcr", "444"), ("rgb", "444"), ("rgb", "420"), ("rgb", "422")]


def compare(path: Path, *, other: str = "openslide", count: int = 6) -> None:
    """Random rectangles of every level, from two readers."""
    rng = np.random.default_rng(1)
    with open_slide(path, "native") as native, open_slide(path, other) as second:
        assert native.levels == second.levels
        for level, at in enumerate(native.levels):
            for _ in range(count):
                w, h = int(rng.integers(1, 200)), int(rng.integers(1, 200))
                x, y = int(rng.integers(-20, at.width)), int(rng.integers(-20, at.height))
                assert most_off(native.read(level, x, y, w, h), second.read(level, x, y, w, h)) == 0


@pytest.fixture(scope="module")
def pyramid(tissue_image) -> list[np.ndarray]:
    # Whole downsamples; sides that are no multiple of any tile.
    return make_pyramid(tissue_image[:752, :912], (2, 4, 16))


@pytest.mark.parametrize("other", ["openslide", "vips"])
@pytest.mark.parametrize(("photometric", "subsampling"), KINDS)
def test_jpeg(tmp_path, pyramid, photometric, subsampling, other):
    options = {"photometric": photometric, "subsampling": subsampling, "tile_size": 240}
    compare(write_svs(tmp_path / "a.svs", pyramid, mpp=0.5, **options), other=other)
    compare(write_tiff(tmp_path / "a.tiff", pyramid, mpp_x=0.5, mpp_y=0.5, **options), other=other)


@pytest.mark.parametrize("predictor", [False, True])
@pytest.mark.parametrize("compression", ["none", "lzw", "adobe_deflate"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_lossless(tmp_path, pyramid, compression, predictor, byteorder):
    if compression == "none" and predictor:
        pytest.skip("there is no predictor without compression")
    path = tmp_path / "a.tiff"
    with tifffile.TiffWriter(path, byteorder=byteorder) as tiff:
        for number, level in enumerate(pyramid):
            tiff.write(
                level,
                photometric="rgb",
                tile=(112, 128),
                subfiletype=int(number > 0),
                compression=compression,
                predictor=predictor,
                metadata=None,
            )
    if byteorder == "<":  # OpenSlide takes no others
        compare(path, count=5)
    with open_slide(path, "native") as native:
        for number, level in enumerate(pyramid):
            assert np.array_equal(native.read(number, 0, 0, level.shape[1], level.shape[0]), level)


def test_absent_tiles(tmp_path, pyramid):
    path = write_tiff(tmp_path / "a.tiff", pyramid, mpp_x=0.5, mpp_y=0.5, tile_size=128)
    remove_tiles(path, 0, [0, 7, 11, 30, 47])
    remove_tiles(path, 1, [2, 11])
    compare(path, count=30)
    path = write_svs(tmp_path / "a.svs", pyramid[:1], mpp=0.5, tile_size=128)
    remove_tiles(path, 0, [0, 7, 11, 30, 47])
    compare(path, count=30)


@pytest.mark.parametrize("compression", ["zlib", "lzw", None])
def test_ome_tiff_with_levels_in_subifds(tmp_path, pyramid, compression):
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tiff:
        options = {"photometric": "rgb", "tile": (128, 128), "compression": compression}
        metadata = {"axes": "YXS", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
        tiff.write(pyramid[0], subifds=2, metadata=metadata, **options)
        tiff.write(pyramid[1], subfiletype=1, **options)
        tiff.write(pyramid[2], subfiletype=1, **options)

    for name in ("native", "vips"):
        with open_slide(path, name) as reader:
            assert [at.downsample_x for at in reader.levels] == [1, 2, 4]
            for number in range(3):
                height, width, _ = pyramid[number].shape
                assert np.array_equal(reader.read(number, 0, 0, width, height), pyramid[number])


@pytest.mark.realdata
class TestRealSlides:
    @pytest.mark.parametrize("name", ["CMU-1-Small-Region.svs", "CMU-1-Small-Region-wrong-mpp.tiff", "tiny.svs"])
    def test_slides_of_one_level_equal_openslide(self, real_data, name):
        compare(real_data / "slides" / name)

    def test_boxes_equal_their_stored_pixels(self, real_data):
        path = real_data / "slides" / "boxes.tiff"
        with tifffile.TiffFile(path) as tiff, open_slide(path, "native") as native:
            assert len(native.levels) == len(tiff.pages)
            for level, page in enumerate(tiff.pages):
                at = native.levels[level]
                assert np.array_equal(native.read(level, 0, 0, at.width, at.height), page.asarray())

    def test_gastric_level_0_equals_openslide(self, real_data):
        rng = np.random.default_rng(2)
        path = real_data / "slides" / "gastric-HE-40x.svs"
        with open_slide(path, "native") as native, open_slide(path, "openslide") as openslide:
            for _ in range(8):
                x, y = int(rng.integers(12900)), int(rng.integers(11400))
                assert most_off(native.read(0, x, y, 290, 280), openslide.read(0, x, y, 290, 280)) == 0

    def test_gastric_levels_equal_their_stored_pixels(self, real_data):
        path = real_data / "slides" / "gastric-HE-40x.svs"
        with tifffile.TiffFile(path) as tiff, open_slide(path, "native") as native:
            assert np.array_equal(native.read(1, 1000, 800, 600, 500), tiff.pages[2].asarray()[800:1300, 1000:1600])
            assert np.array_equal(native.read(2, 0, 0, 825, 731), tiff.pages[3].asarray())

    def test_ome_tiff_equals_tifffile(self, real_data):
        path = real_data / "slides" / "OS-1-detail.ome.tif"
        with open_slide(path) as reader:
            assert np.array_equal(reader.read(0, 0, 0, 1101, 1101), tifffile.imread(path))

    @pytest.mark.parametrize("name", ["native", "vips", "openslide"])
    def test_bad_tile_data(self, real_data, name):
        path = real_data / "broken" / "bad-tile-data.svs"
        with open_slide(path, name) as reader, pytest.raises(SlideReadError, match=r"bad-tile-data\.svs.*level 0"):
            reader.read(0, 0, 0, 16, 16)
