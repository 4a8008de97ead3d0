"""The whole slide at a low resolution, and band by band."""

from __future__ import annotations

import math
import struct
import tracemalloc

import cv2
import numpy as np
import pytest
import simplejpeg

from slidekit.errors import SlideReadError
from slidekit.io.slide_tiff import write_tiff
from slidekit.pixels.overview import read_overview, read_overview_bands, read_overview_window
from slidekit.pixels.readers import open_slide
from slidekit.pixels.strips import STRIP_BYTES
from tests.pixels.pictures import spoil_tile, tissue
from tests.pixels.stubs import StubReader


@pytest.fixture(scope="module")
def reader(tissue_slide):
    with open_slide(tissue_slide) as opened:
        yield opened


@pytest.mark.parametrize("pixel", [1, 2.5, 4, 7.77, 16, 50, 75, 130, 299, 555])
def test_it_shows_the_slide(reader, tissue_image, pixel):
    image = read_overview(reader, pixel, pixel)

    assert image.shape == (math.ceil(1100 / pixel), math.ceil(1400 / pixel), 3)
    whole = tissue_image[: int(1100 // pixel * pixel), : int(1400 // pixel * pixel)]
    size = (int(1400 // pixel), int(1100 // pixel))
    expected = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
    covered = image[: size[1], : size[0]]
    assert np.abs(covered.astype(int) - expected).mean() < 6
    assert np.abs(covered.mean(axis=(0, 1)) - expected.mean(axis=(0, 1))).max() < 2


def test_exact_sizes_of_pictures_are_kept(reader):
    # WSI asks for columns and rows; their quotients must not become one more by rounding.
    for columns, rows in [(1024, 805), (333, 262), (77, 61), (1, 1), (1400, 1100)]:
        assert read_overview(reader, 1400 / columns, 1100 / rows).shape == (rows, columns, 3)


def test_axes_of_their_own(reader):
    assert read_overview(reader, 10, 20).shape == (55, 140, 3)


@pytest.mark.parametrize("pixel", [2.5, 5.3, 9])
@pytest.mark.parametrize("band_rows", [16, 37, 100])
def test_bands_are_the_whole_in_pieces(reader, pixel, band_rows):
    whole = read_overview(reader, pixel, pixel, band_rows=10_000)
    joined = read_overview(reader, pixel, pixel, band_rows=band_rows)
    bands = list(read_overview_bands(reader, pixel, pixel, band_rows=band_rows))

    assert [first for first, _ in bands] == list(range(0, whole.shape[0], band_rows))
    assert np.array_equal(np.concatenate([band for _, band in bands]), joined)
    off = np.abs(joined.astype(int) - whole)
    assert off.mean() < 1
    assert off.mean(axis=(1, 2)).max() < 3  # nor at the joints


@pytest.mark.parametrize("overlap", [1, 5, 40])
def test_bands_show_their_neighbours(reader, overlap):
    whole = read_overview(reader, 5.3, 5.3, band_rows=10_000)
    rows = whole.shape[0]
    for first, band in read_overview_bands(reader, 5.3, 5.3, band_rows=32, overlap=overlap):
        top, bottom = max(0, first - overlap), min(rows, first + 32 + overlap)
        assert band.shape[0] == bottom - top
        assert np.abs(band.astype(int) - whole[top:bottom]).mean() < 1


@pytest.mark.parametrize(("size", "shrinks"), [((60_000, 50_000), (1, 2, 4, 8)), ((20_000, 8_000), (1,))])
def test_memory_is_bounded_for_a_large_slide(size, shrinks):
    stub = StubReader(size, shrinks=shrinks)
    tracemalloc.start()
    try:
        shapes = [band.shape for _, band in read_overview_bands(stub, 60, 60)]
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(rows for rows, _, _ in shapes) == -(-size[1] // 60)
    assert max(stub.reads) <= 1.3 * STRIP_BYTES
    assert most < 6 * STRIP_BYTES


def test_a_sparse_slide_of_three_gigapixels(tmp_path):
    # A valid file whose 2 891 tiles are absent but one.
    path = tmp_path / "sparse.tiff"
    width, height, edge = 60_000, 50_000, 1024
    columns, rows = -(-width // edge), -(-height // edge)
    data = simplejpeg.encode_jpeg(np.full((edge, edge, 3), 90, np.uint8))
    counts, offsets = [0] * (columns * rows), [0] * (columns * rows)
    here = 30 * columns + 40
    tags = [
        (254, 4, [0]), (256, 4, [width]), (257, 4, [height]), (258, 3, [8, 8, 8]), (259, 3, [7]), (262, 3, [6]),
        (277, 3, [3]), (284, 3, [1]), (322, 4, [edge]), (323, 4, [edge]), (324, 4, offsets), (325, 4, counts),
    ]  # fmt: skip
    start = 8 + 2 + 12 * len(tags) + 4
    sizes = [len(values) * {3: 2, 4: 4}[kind] for _, kind, values in tags]
    data_start = start + sum(size for size in sizes if size > 4)
    counts[here], offsets[here] = len(data), data_start
    directory, outside = struct.pack("<H", len(tags)), b""
    for (code, kind, values), size in zip(tags, sizes, strict=True):
        packed = struct.pack(f"<{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if size > 4:
            packed, outside = struct.pack("<I", start + len(outside)), outside + packed
        directory += struct.pack("<HHI", code, kind, len(values)) + packed.ljust(4, b"\0")
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + directory + bytes(4) + outside + data)

    tracemalloc.start()
    try:
        with open_slide(path) as reader:
            assert (reader.name, reader.dimensions) == ("native", (width, height))
            image = read_overview(reader, 1024, 1024)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert most < 350 << 20  # the cache of tiles (128 MiB) and a few strips; the slide has 9 GB of pixels
    assert image.shape == (rows, columns, 3)
    assert np.argwhere((image < 200).any(axis=2)).tolist() == [[30, 40]]


@pytest.mark.parametrize("pixel", [4, 5.3])
def test_windows_are_parts_of_the_picture_and_white_beyond_it(reader, pixel):
    picture = read_overview(reader, pixel, pixel)
    inner = read_overview_window(reader, pixel, pixel, (17, 9), (60, 40))
    corner = read_overview_window(reader, pixel, pixel, (-5, -3), (20, 12))

    assert np.abs(inner.astype(int) - picture[9:49, 17:77]).mean() < 1
    assert np.abs(corner[3:, 5:].astype(int) - picture[:9, :15]).mean() < 1
    assert (corner[:3] == 255).all()
    assert (corner[:, :5] == 255).all()


@pytest.mark.parametrize("pixel", [17, 33.3, 61.8])
def test_averages_are_where_they_belong(tmp_path, pixel):
    """One level without DCT reductions: blocks are averaged first, then resampled; a ramp says where."""
    y, x = np.mgrid[:1500, :1700]
    ramp = np.stack([x / 8, y / 8, np.full_like(x, 128)], axis=2).astype(np.uint8)
    path = write_tiff(tmp_path / "a.tiff", [ramp], mpp_x=1, mpp_y=1, compression="deflate")
    with open_slide(path) as opened:
        image = read_overview(opened, pixel, pixel)

    rows, columns = image.shape[0] - 4, image.shape[1] - 4  # the ends ring: the ramp stops there
    for axis, channel, count in ((1, 0, columns), (0, 1, rows)):
        profile = image[4:rows, 4:columns, channel].astype(float).mean(axis=1 - axis)
        expected = ((np.arange(4, count) + 0.5) * pixel - 0.5) / 8 - 0.4375  # of a ramp whose eighths are cut off
        assert np.abs(profile - expected).max() <= 1
        assert abs((profile - expected).mean()) <= 0.05 * pixel / 8 + 0.3


@pytest.mark.long
def test_one_damaged_tile_does_not_cost_the_overview(tmp_path):
    # Arrange: one of 256 native tiles is damaged
    picture = tissue(4096, 4096)
    path = write_tiff(tmp_path / "a.tiff", [picture], mpp_x=0.5, mpp_y=0.5)
    spoil_tile(path, 0, 100)

    # Act
    with open_slide(path) as reader:
        image = read_overview(reader, 16, 16)

    # Assert: its place is white, all else is as it was
    expected = cv2.resize(picture, (256, 256), interpolation=cv2.INTER_AREA)
    row, column = divmod(100, 16)
    damaged = np.zeros((256, 256), bool)
    damaged[max(row * 16 - 16, 0) : row * 16 + 32, max(column * 16 - 16, 0) : column * 16 + 32] = True
    assert (image[row * 16 + 4 : row * 16 + 12, column * 16 + 4 : column * 16 + 12] == 255).all()
    assert np.abs(image.astype(int) - expected)[~damaged].mean() < 4


def test_a_slide_that_is_damaged_all_over_has_no_overview(tmp_path):
    path = write_tiff(tmp_path / "a.tiff", [tissue(1024, 1024)], mpp_x=0.5, mpp_y=0.5)
    for index in range(16):
        spoil_tile(path, 0, index)

    with open_slide(path) as reader, pytest.raises(SlideReadError, match="cannot be decoded"):
        read_overview(reader, 8, 8)
