"""Levels of NDPI, from files that OpenSlide takes for Hamamatsu's and from one that is."""

from __future__ import annotations

import contextlib
import io
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from slidekit.errors import SlideOpenError, SlideReadError
from slidekit.io.slide_tiff import make_pyramid
from slidekit.pixels.metadata import SlideMetadata
from slidekit.pixels.readers import SlideReader, open_slide
from slidekit.pixels.readers.base import UnsuitableError
from slidekit.pixels.readers.native import NativeTiffReader
from tests.pixels.pictures import most_off, tissue
from tests.pixels.readers.contract import on_white
from tests.pixels.readers.ndpi_files import NdpiPage, chunk_starts, write_ndpi


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return tissue(1600, 1120)


def assert_equal(native: SlideReader, other: SlideReader, *, margin: int = 9) -> None:
    """The whole of every level, and what lies around it."""
    assert native.name == "native"
    assert native.levels == other.levels
    for level, at in enumerate(native.levels):
        place = (level, -margin, -margin, at.width + 2 * margin, at.height + 2 * margin)
        assert most_off(native.read(*place), other.read(*place)) == 0


@pytest.mark.parametrize("chunk_width", [None, 80, 320, 800])
def test_every_level_equals_openslides(tmp_path, image, chunk_width):
    # 1/2 is made from the first page, 1/4 stored, 1/8 to 1/32 are made from the second.
    pages = [NdpiPage(image, 20, chunk_width), NdpiPage(make_pyramid(image, (4,))[1], 5, chunk_width and 80)]
    path = write_ndpi(tmp_path / "a.ndpi", pages)

    with open_slide(path) as native, open_slide(path, "openslide") as openslide:
        assert [at.width for at in native.levels] == [1600, 800, 400, 200, 100, 50]
        assert native.metadata.vendor == "hamamatsu"
        assert_equal(native, openslide)


@pytest.fixture(scope="module")
def two_readers(tmp_path_factory, image):
    path = write_ndpi(tmp_path_factory.mktemp("ndpi") / "a.ndpi", [NdpiPage(image, 20, 400)])
    with open_slide(path, "native") as native, open_slide(path, "openslide") as openslide:
        yield native, openslide


@given(
    level=st.integers(0, 3),
    x=st.integers(-30, 1620),
    y=st.integers(-30, 1140),
    size=st.tuples(*[st.integers(1, 90)] * 2),
)
@settings(deadline=None, max_examples=60)
def test_rectangles_equal_openslides(two_readers, level, x, y, size):
    native, openslide = two_readers
    assert most_off(native.read(level, x, y, *size), openslide.read(level, x, y, *size)) == 0


@pytest.mark.parametrize("size", [(203, 101), (8, 16), (1025, 257), (799, 263)])
@pytest.mark.parametrize("chunk_width", [None, 8])
def test_sides_that_chunks_do_not_divide(tmp_path, image, size, chunk_width):
    # OpenSlide drops the chunks that are not whole, which would be the last row of blocks, or all.
    page = NdpiPage(image[: size[1], : size[0]], 20, chunk_width)
    expected = np.asarray(Image.open(io.BytesIO(page.jpeg())))
    path = write_ndpi(tmp_path / "a.ndpi", [page])

    with open_slide(path, "native") as reader:
        assert reader.dimensions == size
        assert np.array_equal(reader.read(0, 0, 0, *size), expected)
        edge = (size[0] - 7, size[1] - 5, 20, 20)
        assert np.array_equal(reader.read(0, *edge), on_white(expected, *edge))


def test_shrinks_equal_the_whole_jpeg_reduced(tmp_path, image):
    page = NdpiPage(image, 20, 200)
    path = write_ndpi(tmp_path / "a.ndpi", [page])
    with open_slide(path, "native") as reader:
        assert [reader.shrinks(level) for level in range(4)] == [(1, 2, 4, 8), (1, 2, 4), (1, 2), (1,)]
        for shrink in (2, 4, 8):
            drafted = Image.open(io.BytesIO(page.jpeg()))
            drafted.draft("RGB", (1600 // shrink, 1120 // shrink))
            width, height = reader.size(0, shrink)
            assert drafted.size == (width, height)
            assert most_off(reader.read(0, 0, 0, width, height, shrink), np.asarray(drafted)) == 0


def test_levels_wider_than_a_jpeg_can_be(tmp_path, image):
    wide = np.tile(image[:40, :1600], (1, 42, 1))
    path = write_ndpi(tmp_path / "a.ndpi", [NdpiPage(wide, 20, 1600)])
    with open_slide(path, "native") as native, open_slide(path, "openslide") as openslide:
        assert native.dimensions == (67_200, 40)
        assert native.levels == openslide.levels
        for x in (0, 1590, 32_000, 65_400, 67_100):
            assert most_off(native.read(0, x, -2, 300, 50), openslide.read(0, x, -2, 300, 50)) == 0


def test_pictures_of_the_glass_are_no_levels(tmp_path, image):
    small = image[:100, :200]
    pages = [NdpiPage(image, 20), NdpiPage(small, -1, 0), NdpiPage(small, -2, 0)]
    with open_slide(write_ndpi(tmp_path / "a.ndpi", pages), "native") as reader:
        assert [at.width for at in reader.levels] == [1600, 800, 400, 200]


@pytest.mark.parametrize(
    ("pages", "says"),
    [
        (lambda image: [NdpiPage(image, 20, 0)], "restart markers"),
        (lambda image: [NdpiPage(image, 20), NdpiPage(image[:80, :80], 5, 0)], "restart markers"),
        (lambda image: [NdpiPage(image, 20, subsampling=2)], "subsampled"),
        (lambda image: [NdpiPage(image, 20, subsampling=1)], "subsampled"),
        (lambda image: [NdpiPage(image, 20), NdpiPage(image, 20, focal_plane=2000)], "focal planes"),
    ],
)
def test_what_does_not_fit_is_left_to_openslide(tmp_path, image, pages, says):
    path = write_ndpi(tmp_path / "a.ndpi", pages(image))
    with pytest.raises(SlideOpenError, match=says):
        open_slide(path, "native")
    with open_slide(path) as reader:
        assert reader.name == "openslide"


class TestDamage:
    @pytest.fixture
    def page(self, image):
        return NdpiPage(image, 20, 320)  # 5 chunks a row, of which 3 are joined

    def spoilt(self, path, page, row, column, data):
        """Write over a chunk's last bytes, its restart marker included."""
        jpeg = page.jpeg()
        write_ndpi(path, [page])
        content = bytearray(path.read_bytes())
        end = content.index(jpeg) + chunk_starts(jpeg)[row * 5 + column + 1]
        content[end - len(data) : end] = data
        path.write_bytes(content)
        return path

    @pytest.mark.parametrize(
        ("data", "says"), [(b"\0\0", "no restart marker"), (b"\xff\xff\xff\xff\xd9\xff\xd0", "cannot be decoded")]
    )
    def test_a_damaged_chunk_is_named_and_the_rest_is_read(self, tmp_path, page, image, data, says):
        path = self.spoilt(tmp_path / "a.ndpi", page, 40, 1, data)  # x 320 to 640, y 320 to 328
        with open_slide(path, "native") as reader:
            for _ in range(2):
                with pytest.raises(SlideReadError, match=says) as error:
                    reader.read(0, 400, 310, 30, 30)
                assert "x=0, y=256 of level 0" in str(error.value)
                assert error.value.path == path
            expected = np.asarray(Image.open(io.BytesIO(page.jpeg())))
            assert np.array_equal(reader.read(0, 0, 0, 1600, 256), expected[:256])
            assert np.array_equal(reader.read(0, 960, 256, 640, 300), expected[256:556, 960:])

    @pytest.mark.parametrize(
        ("chunk", "place", "says"),
        [
            (30, 1 << 31, "table of chunks"),
            (31, 1 << 31, "table of chunks"),
            (32, 5, "table of chunks"),
            (33, 1 << 31, "table of chunks"),
            (33, None, "no restart marker"),
        ],
    )
    def test_a_table_of_chunks_that_is_wrong(self, tmp_path, page, chunk, place, says):
        # Chunks 30 to 32 lie in the first tile; 33 says where 32 ends.
        path = write_ndpi(tmp_path / "a.ndpi", [page])
        content = bytearray(path.read_bytes())
        right = chunk_starts(page.jpeg())[chunk]
        start = content.index(struct.pack("<I", right))
        content[start : start + 4] = struct.pack("<I", right - 1 if place is None else place)
        path.write_bytes(content)
        with open_slide(path, "native") as reader:
            with pytest.raises(SlideReadError, match=says):
                reader.read(0, 100, 50, 10, 10)
            reader.read(0, 100, 256, 10, 10)


@pytest.fixture(scope="module")
def small_file(tmp_path_factory, image):
    folder = tmp_path_factory.mktemp("damage")
    pages = [NdpiPage(image[:80, :96], 20, 32), NdpiPage(image[:16, :24], 5)]
    return write_ndpi(folder / "a.ndpi", pages).read_bytes(), folder / "damaged.ndpi"


@given(data=st.data())
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_damaged_it_is_one_of_our_errors(small_file, data):
    content, path = bytearray(small_file[0]), small_file[1]
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.sampled_from([len(content)] * 4 + [len(content) // 2, 900]))])
    try:
        reader = NativeTiffReader(path, SlideMetadata("hamamatsu"))
    except (SlideOpenError, UnsuitableError):
        return
    with reader:
        for level, at in enumerate(reader.levels):
            width, height = min(at.width, 200), min(at.height, 200)
            with contextlib.suppress(SlideReadError):
                assert reader.read(level, 0, 0, width, height).shape == (height, width, 3)


@pytest.mark.realdata
class TestRealSlide:
    def test_every_level_equals_openslides(self, real_data):
        path = real_data / "slides" / "fluorescence-DAPI.ndpi"
        with open_slide(path) as native, open_slide(path, "openslide") as openslide:
            assert len(native.levels) == 7
            assert_equal(native, openslide)
