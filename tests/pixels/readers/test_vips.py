"""The reader by libvips."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
import tifffile
from PIL import Image

from slidekit.errors import SlideOpenError, SlideReadError
from slidekit.pixels.readers import open_slide
from tests.pixels.pictures import most_off, positions, remove_tiles, tissue
from tests.pixels.readers.contract import ReaderContract


class TestVips(ReaderContract):
    name = "vips"


@pytest.fixture
def colours():
    return np.random.default_rng(0).integers(0, 256, (60, 90, 4), np.uint8)


def test_png_and_jpeg_are_slides_of_one_level(tmp_path):
    image = positions(90, 60)
    Image.fromarray(image).save(tmp_path / "a.png")
    Image.fromarray(image).save(tmp_path / "a.jpg", quality=95)

    with open_slide(tmp_path / "a.png") as png, open_slide(tmp_path / "a.jpg") as jpeg:
        assert (png.name, png.metadata.vendor, png.dimensions) == ("vips", "png", (90, 60))
        assert np.array_equal(png.read(0, 0, 0, 90, 60), image)
        assert jpeg.metadata.vendor == "jpeg"
        assert most_off(jpeg.read(0, 0, 0, 90, 60), np.asarray(Image.open(tmp_path / "a.jpg"))) <= 1


@pytest.mark.parametrize("strips", [True, False])
def test_gray_becomes_rgb(tmp_path, colours, strips):
    gray = colours[..., 0]
    tifffile.imwrite(tmp_path / "a.tif", gray, photometric="minisblack", tile=None if strips else (32, 32))

    with open_slide(tmp_path / "a.tif", "vips") as reader:
        assert np.array_equal(reader.read(0, 0, 0, 90, 60), np.dstack([gray] * 3))


def test_sixteen_bits_become_eight(tmp_path, colours):
    deep = colours[..., :3].astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb")

    with open_slide(tmp_path / "a.tif") as reader:
        assert np.array_equal(reader.read(0, 0, 0, 90, 60), colours[..., :3])


@pytest.mark.parametrize("kind", ["png", "tif"])
def test_transparency_is_glass(tmp_path, colours, kind):
    path = tmp_path / f"a.{kind}"
    if kind == "png":
        Image.fromarray(colours).save(path)
    else:
        tifffile.imwrite(path, colours, photometric="rgb", extrasamples=["unassalpha"])
    alpha = colours[..., 3:] / 255
    expected = colours[..., :3] * alpha + 255 * (1 - alpha)

    with open_slide(path) as reader:
        assert np.abs(reader.read(0, 0, 0, 90, 60) - expected).max() <= 1.5


def test_channels_that_are_not_colours_are_refused(tmp_path, colours):
    tifffile.imwrite(tmp_path / "a.ome.tif", np.moveaxis(colours, 2, 0), metadata={"axes": "CYX"})
    with pytest.raises(SlideOpenError, match="several planes"):
        open_slide(tmp_path / "a.ome.tif")


def test_absent_tiles_are_left_to_readers_that_know_them(tmp_path, known_slide):
    path = tmp_path / "a.tiff"
    path.write_bytes(known_slide.read_bytes())
    remove_tiles(path, 0, [3])
    with pytest.raises(SlideOpenError, match="absent"):
        open_slide(path, "vips")


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_a_picture_cut_short_is_an_error(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    Image.fromarray(positions(300, 200)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    with open_slide(path) as reader:
        for _ in range(2):
            with pytest.raises(SlideReadError) as error:
                reader.read(0, 0, 150, 300, 50)
            assert str(path) in str(error.value)


def test_what_is_called_a_picture_and_is_none(tmp_path):
    (tmp_path / "a.png").write_text("not a picture")
    with pytest.raises(SlideOpenError) as error:
        open_slide(tmp_path / "a.png")
    assert "a.png" in str(error.value)


def test_a_png_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    # Arrange: a header of 40000 x 40000 pixels on the data of 8 x 8
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(buffer, "PNG")
    data = bytearray(buffer.getvalue())
    data[16:24] = (40_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path = tmp_path / "lying.png"
    path.write_bytes(data)

    # Act / Assert
    with pytest.raises(SlideOpenError, match=r"claims 40000 × 40000 pixels, but has only \d+ bytes"):
        open_slide(path)


def test_an_empty_but_large_png_is_read(tmp_path: Path) -> None:
    path = tmp_path / "white.png"
    Image.fromarray(np.full((4000, 4000), 255, np.uint8)).convert("1").save(path, optimize=True)

    with open_slide(path) as reader:
        assert reader.read(0, 3900, 3900, 100, 100).min() == 255


def has_doubts(jpeg: bytes) -> bool:
    """Whether libjpeg decodes it, but warns."""
    simplejpeg.decode_jpeg(jpeg, strict=False)
    try:
        simplejpeg.decode_jpeg(jpeg, strict=True)
    except ValueError as error:
        return "extraneous bytes" in str(error)
    return False


@pytest.mark.parametrize("start", [0.3, 0.6, 0.9])
def test_a_jpeg_that_libjpeg_warns_about_behind_its_last_row_is_an_error(tmp_path, start):
    path = tmp_path / "a.jpg"
    Image.fromarray(tissue(300, 200)).save(path, quality=90)
    data = path.read_bytes()
    places = range(int(len(data) * start), len(data) - 10)
    flipped = (data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :] for place in places)
    path.write_bytes(next(broken for broken in flipped if has_doubts(broken)))

    with open_slide(path) as reader:
        for _ in range(2):
            with pytest.raises(SlideReadError, match="extraneous bytes") as error:
                reader.read(0, 0, 0, 20, 20)
            assert error.value.path == path


def test_a_gray_jpeg_is_read(tmp_path):
    gray = tissue(300, 200)[..., 0]
    Image.fromarray(gray).save(tmp_path / "a.jpg", quality=95)
    with open_slide(tmp_path / "a.jpg") as reader:
        assert np.array_equal(reader.read(0, 0, 0, 300, 200)[..., 1], np.asarray(Image.open(tmp_path / "a.jpg")))


def test_a_cmyk_jpeg_is_still_read(tmp_path):
    Image.fromarray(tissue(64, 64)).convert("CMYK").save(tmp_path / "a.jpg")
    with open_slide(tmp_path / "a.jpg") as reader:
        assert reader.read(0, 0, 0, 64, 64).shape == (64, 64, 3)
