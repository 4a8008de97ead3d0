from __future__ import annotations

import io

import numpy as np
import openslide
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from slidekit.errors import SpecError
from slidekit.io import tiff_pages
from slidekit.io.slide_tiff import TileSource, make_pyramid, write_svs, write_tiff


@pytest.fixture(scope="module")
def picture():
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (30, 40, 3)).astype(np.uint8)
    smooth = Image.fromarray(coarse).resize((1403, 1100), Image.Resampling.BICUBIC)
    return np.asarray(smooth)


def level_pixels(slide, level):
    return np.asarray(slide.read_region((0, 0), level, slide.level_dimensions[level]).convert("RGB"))


def tile_bytes(path, page_number, tile):
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[page_number]
        tiff.filehandle.seek(page.dataoffsets[tile])
        return tiff.filehandle.read(page.databytecounts[tile])


def test_svs_is_what_openslide_calls_aperio(tmp_path, picture):
    path = tmp_path / "a.svs"

    written = write_svs(path, make_pyramid(picture), mpp=0.2528, objective_power=40)

    slide = openslide.OpenSlide(written)
    assert openslide.OpenSlide.detect_format(path) == "aperio"
    assert slide.level_dimensions == ((1403, 1100), (350, 275), (87, 68))
    assert slide.level_downsamples == pytest.approx((1, 4, 16), rel=0.01)
    assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(0.2528, rel=1e-9)
    assert float(slide.properties["openslide.mpp-y"]) == pytest.approx(0.2528, rel=1e-9)
    assert slide.properties["openslide.objective-power"] == "40"
    assert not slide.associated_images


def test_downsamples_are_whole_where_the_size_allows_it(tmp_path, picture):
    write_svs(tmp_path / "a.svs", make_pyramid(picture[:1024, :1280]), mpp=0.5)

    assert openslide.OpenSlide(tmp_path / "a.svs").level_downsamples == (1, 4, 16)


def test_svs_without_mpp_and_power_says_neither(tmp_path, picture):
    write_svs(tmp_path / "a.svs", [picture], mpp=None)

    properties = openslide.OpenSlide(tmp_path / "a.svs").properties
    assert "openslide.mpp-x" not in properties
    assert "openslide.objective-power" not in properties


@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
def test_svs_pixels_are_the_decoded_jpeg_tiles(tmp_path, picture, subsampling):
    path = tmp_path / "a.svs"

    write_svs(path, [picture], mpp=0.5, subsampling=subsampling, tile_size=240)

    shown = level_pixels(openslide.OpenSlide(path), 0)
    for row, column in ((0, 0), (2, 3), (4, 5)):
        decoded = np.asarray(Image.open(io.BytesIO(tile_bytes(path, 0, row * 6 + column))))
        part = shown[row * 240 : (row + 1) * 240, column * 240 : (column + 1) * 240]
        np.testing.assert_array_equal(part, decoded[: part.shape[0], : part.shape[1]])
    with tifffile.TiffFile(path) as tiff:
        np.testing.assert_array_equal(tiff.pages[0].asarray(), shown)
    assert np.abs(shown.astype(int) - picture).mean() < 3


def test_rgb_photometric_tells_its_colour_space_by_the_tag_alone(tmp_path, picture):
    path = tmp_path / "a.svs"

    write_svs(path, [picture], mpp=0.5, photometric="rgb")

    jpeg = tile_bytes(path, 0, 0)
    assert b"Adobe" not in jpeg
    assert b"JFIF" not in jpeg
    with tifffile.TiffFile(path) as tiff:
        assert tiff.pages[0].photometric == tifffile.PHOTOMETRIC.RGB
    shown = level_pixels(openslide.OpenSlide(path), 0)
    assert np.abs(shown.astype(int) - picture).mean() < 2


def test_associated_images_have_their_names(tmp_path, picture):
    path = tmp_path / "a.svs"
    levels = make_pyramid(picture)

    write_svs(
        path,
        levels,
        mpp=0.5,
        thumbnail=levels[1],
        associated={"label": picture[:90, :70], "macro": picture[:60, :200]},
    )

    slide = openslide.OpenSlide(path)
    assert slide.level_count == 3
    sizes = {name: image.size for name, image in slide.associated_images.items()}
    assert sizes == {"thumbnail": (350, 275), "label": (70, 90), "macro": (200, 60)}
    thumbnail = np.asarray(slide.associated_images["thumbnail"].convert("RGB"))
    assert np.abs(thumbnail.astype(int) - levels[1]).mean() < 6


@pytest.mark.parametrize("compression", ["deflate", "none"])
def test_lossless_tiff_gives_back_every_pixel(tmp_path, picture, compression):
    path = tmp_path / "a.tiff"
    levels = make_pyramid(picture)

    write_tiff(path, levels, mpp_x=0.25, mpp_y=0.26, compression=compression)

    slide = openslide.OpenSlide(path)
    assert openslide.OpenSlide.detect_format(path) == "generic-tiff"
    for number, level in enumerate(levels):
        np.testing.assert_array_equal(level_pixels(slide, number), level)
        with tifffile.TiffFile(path) as tiff:
            np.testing.assert_array_equal(tiff.pages[number].asarray(), level)


@settings(max_examples=20, deadline=None)
@given(
    mpp_x=st.floats(0.05, 20, allow_nan=False),
    mpp_y=st.floats(0.05, 20, allow_nan=False),
)
def test_tiff_resolution_is_precise_in_x_and_y(tmp_path_factory, mpp_x, mpp_y):
    path = tmp_path_factory.mktemp("mpp") / "a.tiff"
    image = np.full((64, 64, 3), 200, np.uint8)

    write_tiff(path, make_pyramid(image), mpp_x=mpp_x, mpp_y=mpp_y, tile_size=64, compression="none")

    slide = openslide.OpenSlide(path)
    assert slide.level_downsamples == (1, 4, 16)
    assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(mpp_x, rel=1e-6)
    assert float(slide.properties["openslide.mpp-y"]) == pytest.approx(mpp_y, rel=1e-6)
    with tifffile.TiffFile(path) as tiff:
        for page, downsample in zip(tiff.pages, (1, 4, 16), strict=True):
            for tag, mpp in (("XResolution", mpp_x), ("YResolution", mpp_y)):
                number, denominator = page.tags[tag].value
                assert 1e4 / (number / denominator) == pytest.approx(mpp * downsample, rel=1e-6)


def test_tiff_without_mpp_has_none(tmp_path, picture):
    write_tiff(tmp_path / "a.tiff", [picture], mpp_x=None, mpp_y=None)

    assert "openslide.mpp-x" not in openslide.OpenSlide(tmp_path / "a.tiff").properties


def test_a_tile_source_writes_the_same_file_as_its_array(tmp_path, picture):
    asked = []

    def read_tile(x, y, w, h):
        asked.append((x, y, w, h))
        return picture[y : y + h, x : x + w]

    small = make_pyramid(picture)[1]

    write_svs(tmp_path / "array.svs", [picture, small], mpp=0.5)
    write_svs(tmp_path / "source.svs", [TileSource(1403, 1100, read_tile), small], mpp=0.5)
    write_svs(tmp_path / "tuple.svs", [(1403, 1100, read_tile), small], mpp=0.5)

    assert (tmp_path / "array.svs").read_bytes() == (tmp_path / "source.svs").read_bytes()
    assert (tmp_path / "array.svs").read_bytes() == (tmp_path / "tuple.svs").read_bytes()
    assert all(x + w <= 1403 and y + h <= 1100 and w <= 256 and h <= 256 for x, y, w, h in asked)
    assert sum(w * h for _, _, w, h in asked) == 2 * 1403 * 1100


def test_large_slides_are_bigtiff(tmp_path, picture, monkeypatch):
    monkeypatch.setattr(tiff_pages, "_CLASSIC_LIMIT", 1000)

    write_svs(tmp_path / "a.svs", [picture], mpp=0.5)

    with tifffile.TiffFile(tmp_path / "a.svs") as tiff:
        assert tiff.is_bigtiff
    assert openslide.OpenSlide(tmp_path / "a.svs").dimensions == (1403, 1100)


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 70), factor=st.integers(2, 16), seed=st.integers(0, 99))
def test_pyramid_is_the_mean_of_whole_blocks(height, width, factor, seed):
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)

    levels = make_pyramid(image, (factor,))

    rows, columns = height // factor, width // factor
    if not rows or not columns:
        assert len(levels) == 1
        return
    whole = image[: rows * factor, : columns * factor].astype(np.float64)
    means = whole.reshape(rows, factor, columns, factor, 3).mean((1, 3))
    assert levels[1].shape == (rows, columns, 3)
    assert levels[1].dtype == np.uint8
    assert np.abs(levels[1] - means).max() <= 0.5 + 1e-6


@pytest.mark.parametrize(
    ("levels", "options", "says"),
    [
        ([], {}, "at least one level"),
        ([np.zeros((8, 8), np.uint8)], {}, "shape"),
        ([np.zeros((8, 8, 3), np.float32)], {}, "float32"),
        ([np.zeros((0, 8, 3), np.uint8)], {}, "no pixels"),
        ([np.zeros((8, 8, 3), np.uint8), np.zeros((9, 8, 3), np.uint8)], {}, "grow"),
        ([np.zeros((8, 8, 3), np.uint8)], {"tile_size": 250}, "tile_size"),
        ([np.zeros((8, 8, 3), np.uint8)], {"quality": 0}, "quality"),
        ([np.zeros((8, 8, 3), np.uint8)], {"mpp": -1.0}, "µm/px"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, levels, options, says):
    with pytest.raises(SpecError, match=says):
        write_svs(tmp_path / "a.svs", levels, **({"mpp": 0.5} | options))

    assert list(tmp_path.iterdir()) == []


def test_a_source_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.svs"
    path.write_bytes(b"mine")

    def wrong_size(x, y, w, h):
        return np.zeros((h + 1, w, 3), np.uint8)

    with pytest.raises(SpecError, match="read_tile"):
        write_svs(path, [(600, 600, wrong_size)], mpp=0.5)

    assert path.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [path]
