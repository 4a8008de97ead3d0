"""Native tiles of JPEG 2000."""

from __future__ import annotations

import logging
import struct
import tracemalloc

import numpy as np
import pytest
import tifffile

from slidekit.errors import SlideOpenError, SlideReadError
from slidekit.io.slide_tiff import make_pyramid
from slidekit.pixels.metadata import metadata_from_tiff
from slidekit.pixels.readers import native_jpeg2000, open_slide
from slidekit.pixels.readers.base import UnsuitableError
from slidekit.pixels.readers.native import NativeTiffReader
from tests.pixels.pictures import most_off, remove_tiles, tissue
from tests.pixels.readers.jpeg2000_files import TILE, encode, write_jpeg2000

YCBCR, RGB, ANY = 33003, 33005, 34712


@pytest.fixture(scope="module")
def levels() -> list[np.ndarray]:
    # Whole downsamples; sides that tiles do not divide.
    return make_pyramid(tissue(560, 400), (2, 4))


def patched(codestream: bytes, place: int, data: bytes) -> bytes:
    """Other bytes at a place of the segment SIZ, counted from Xsiz."""
    return codestream[: 8 + place] + data + codestream[8 + place + len(data) :]


@pytest.mark.parametrize("compression", [YCBCR, RGB])
@pytest.mark.parametrize("options", [{}, {"level": 35}, {"mct": False}, {"resolutions": 2}])
def test_aperio_equals_openslide(tmp_path, levels, compression, options):
    path = write_jpeg2000(tmp_path / "a.svs", levels, compression, **options)
    with open_slide(path) as native, open_slide(path, "openslide") as openslide:
        assert native.name == "native"
        assert native.metadata.vendor == "aperio"
        assert native.levels == openslide.levels
        for level, at in enumerate(native.levels):
            assert native.shrinks(level) == (1,)
            place = (level, -5, -6, at.width + 20, at.height + 20)
            assert most_off(native.read(*place), openslide.read(*place)) == 0


def test_rgb_without_loss_is_what_was_written(tmp_path, levels):
    path = write_jpeg2000(tmp_path / "a.svs", levels, RGB)
    with open_slide(path, "native") as reader:
        for number, level in enumerate(levels):
            assert np.array_equal(reader.read(number, 0, 0, level.shape[1], level.shape[0]), level)


def test_all_colours_are_openslides(tmp_path):
    # Every pair of Cb and Cr, for some Y.
    cb, cr = np.meshgrid(np.arange(256), np.arange(256))
    rows = [np.stack([np.full_like(cb, y), cb, cr], axis=2) for y in (0, 16, 77, 128, 201, 255)]
    path = write_jpeg2000(tmp_path / "a.svs", [np.vstack(rows).astype(np.uint8)], YCBCR, mct=False)
    with open_slide(path, "native") as native, open_slide(path, "openslide") as openslide:
        size = native.dimensions
        assert size == (256, 6 * 256)
        assert most_off(native.read(0, 0, 0, *size), openslide.read(0, 0, 0, *size)) == 0


@pytest.mark.parametrize("photometric", ["rgb", "ycbcr"])
def test_other_writers_say_the_colours_by_the_photometric_tag(tmp_path, levels, photometric):
    stored = levels[0]
    if photometric == "ycbcr":
        y = stored @ np.array([0.299, 0.587, 0.114])
        blue, red = (stored[..., 2] - y) / 1.772, (stored[..., 0] - y) / 1.402
        stored = np.rint(np.stack([y, blue + 128, red + 128], axis=2)).astype(np.uint8)
    path = write_jpeg2000(tmp_path / "a.tif", [stored], ANY, photometric, mct=False)
    # By its class: OpenSlide, which is asked first, knows the format, but not the code, and refuses the file.
    with NativeTiffReader(path, metadata_from_tiff(path)) as reader:
        assert most_off(reader.read(0, 0, 0, 560, 400), levels[0]) <= (2 if photometric == "ycbcr" else 0)


def test_absent_tiles_are_white(tmp_path, levels):
    path = write_jpeg2000(tmp_path / "a.svs", levels[:1], RGB)
    remove_tiles(path, 0, [0, 7])
    with open_slide(path, "native") as reader:
        assert (reader.read(0, 0, 0, TILE, TILE) == 255).all()
        assert np.array_equal(reader.read(0, TILE, 0, TILE, TILE), levels[0][:TILE, TILE : 2 * TILE])


def replace_tile(path, tile, codestream):
    """Put a codestream in a tile's place: appended to the file, its offset and count changed."""
    with tifffile.TiffFile(path) as tiff:
        places = [tiff.pages[0].tags[name].valueoffset + 4 * tile for name in ("TileOffsets", "TileByteCounts")]
    content = bytearray(path.read_bytes())
    for place, value in zip(places, (len(content), len(codestream)), strict=True):
        content[place : place + 4] = struct.pack("<I", value)
    path.write_bytes(content + codestream)


GOOD = encode(tissue(TILE, TILE))
HOSTILE = {
    "more pixels than a tile": (patched(GOOD, 0, struct.pack(">II", 60_000, 60_000)), "60000 × 60000"),
    "billions of pixels": (patched(GOOD, 0, b"\xff" * 8), "4294967295 × 4294967295"),
    "an origin": (patched(GOOD, 8, struct.pack(">II", 100, 100)), "whole image"),
    "no pixels": (patched(GOOD, 0, bytes(8)), "whole image"),
    "tiles of its own without pixels": (patched(GOOD, 16, bytes(8)), "whole image"),
    "as many tiles of its own as pixels": (patched(GOOD, 16, struct.pack(">II", 1, 1)), "too many tiles"),
    "another number of components": (patched(GOOD, 32, struct.pack(">H", 16_384)), "components"),
    "16 bits": (patched(GOOD, 34, b"\x0f"), "components"),
    "half": (GOOD[: len(GOOD) // 2], "cannot be decoded"),
    "half a header": (GOOD[:30], "not a codestream"),
    "not JPEG 2000": (b"\xaa" * 5000, "not a codestream"),
    "too small a picture": (encode(tissue(TILE, 64)), "too few"),
}


@pytest.mark.parametrize(("codestream", "says"), HOSTILE.values(), ids=HOSTILE)
def test_damage_is_an_error_at_its_place_in_bounded_memory(tmp_path, levels, codestream, says):
    path = write_jpeg2000(tmp_path / "a.svs", levels[:1], RGB)
    replace_tile(path, 1, codestream)
    tracemalloc.start()
    try:
        with open_slide(path, "native") as reader:
            with pytest.raises(SlideReadError, match=says) as error:
                reader.read(0, TILE, 0, 10, 10)
            assert "x=128, y=0 of level 0" in str(error.value)
            assert np.array_equal(reader.read(0, 0, 0, 10, 10), levels[0][:10, :10])
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("component", [1, 2])
def test_subsampled_colours_are_left_to_openslide(tmp_path, levels, component):
    path = write_jpeg2000(tmp_path / "a.svs", levels[:1], YCBCR, mct=False)
    replace_tile(path, 0, patched(GOOD, 35 + 3 * component, b"\x02"))
    with pytest.raises(SlideOpenError, match="full resolution"):
        open_slide(path, "native")


def test_a_photometric_that_is_no_colour_is_refused(tmp_path, levels):
    path = write_jpeg2000(tmp_path / "a.tif", levels[:1], ANY)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages[0].tags["PhotometricInterpretation"].overwrite(8)
    with pytest.raises(UnsuitableError, match="photometric 8"):
        NativeTiffReader(path, metadata_from_tiff(path))


def test_precincts_that_would_take_gigabytes_are_refused(tmp_path, levels):
    # Arrange: a coding style with precincts of one pixel at each resolution
    path = write_jpeg2000(tmp_path / "a.svs", levels[-1:], RGB)
    with tifffile.TiffFile(path) as tiff:
        offset, count = tiff.pages.first.dataoffsets[0], tiff.pages.first.databytecounts[0]
    data = bytearray(path.read_bytes())
    style = data.index(b"\xff\x52", offset, offset + count)
    length = int.from_bytes(data[style + 2 : style + 4], "big")
    data[style + 4] |= 1
    data[style + 14 : style + 2 + length] = bytes(length - 12)
    data[style + 2 + length : style + 2 + length + 4] = b"\x00\x00\x00\x00"
    data[style + 2 : style + 4] = (length + 4).to_bytes(2, "big")
    path.write_bytes(data)

    # Act, Assert
    with open_slide(path, "native") as reader, pytest.raises(SlideReadError, match="precincts are too small"):
        reader.read(0, 0, 0, 16, 16)


class TestWarnings:
    """Of OpenJPEG, which imagecodecs writes into a log."""

    def test_one_makes_the_tile_unreadable(self, tmp_path, levels, monkeypatch, caplog):
        path = write_jpeg2000(tmp_path / "a.svs", levels, RGB)
        decode = native_jpeg2000.imagecodecs.jpeg2k_decode

        def decode_with_doubts(data, **options):
            assert options["verbose"] == 2
            logging.getLogger("imagecodecs").warning("JPEG2K warning: %s", "segment too long")
            return decode(data, **options)

        monkeypatch.setattr(native_jpeg2000.imagecodecs, "jpeg2k_decode", decode_with_doubts)
        with open_slide(path, "native") as reader, pytest.raises(SlideReadError, match="segment too long"):
            reader.read(0, 0, 0, 10, 10)
        assert caplog.records == []

    def test_sound_tiles_have_none_and_damaged_ones_say_what_is_wrong(self):
        data = encode(tissue(TILE, TILE), level=35)
        assert native_jpeg2000._decode_strictly(data).shape == (TILE, TILE, 3)
        with pytest.raises(ValueError, match="Tile part length size inconsistent"):
            native_jpeg2000._decode_strictly(data[:-20])

    def test_what_others_decode_is_still_logged(self, caplog):
        logging.getLogger("imagecodecs").warning("of somebody else")
        assert [record.getMessage() for record in caplog.records] == ["of somebody else"]
