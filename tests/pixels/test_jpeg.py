"""JPEG tiles out of TIFF files."""

from __future__ import annotations

import io

import imagecodecs
import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from slidekit.pixels.jpeg import decode_jpeg, join_tables, jpeg_frame, with_colour_marker
from tests.pixels.pictures import most_off, tissue

ADOBE = b"\xff\xee\x00\x0eAdobe"


@pytest.fixture(scope="module")
def image():
    return tissue(128, 96, detail=4)


def bare(image, colorspace):
    """A stream that does not say its colour space: neither JFIF nor Adobe marker."""
    stream = imagecodecs.jpeg8_encode(image, level=95, colorspace="rgb", outcolorspace=colorspace, subsampling="444")
    for marker in (b"\xff\xe0", ADOBE[:2]):
        if stream[2:4] == marker:
            stream = stream[:2] + stream[4 + int.from_bytes(stream[4:6], "big") :]
    assert b"JFIF" not in stream
    assert b"Adobe" not in stream
    return stream


@pytest.mark.parametrize(("colorspace", "ycbcr"), [("rgb", False), ("ycbcr", True)])
def test_streams_that_are_silent_are_what_the_tag_says(image, colorspace, ycbcr):
    marked = with_colour_marker(bare(image, colorspace), ycbcr=ycbcr)
    assert most_off(decode_jpeg(marked), image) < 12
    wrong = with_colour_marker(bare(image, colorspace), ycbcr=not ycbcr)
    assert most_off(decode_jpeg(wrong), image) > 50


@pytest.mark.parametrize("ycbcr", [True, False])
def test_streams_that_say_it_are_left_alone(image, ycbcr):
    jfif = simplejpeg.encode_jpeg(image)
    assert with_colour_marker(jfif, ycbcr=ycbcr) is jfif
    adobe = with_colour_marker(bare(image, "rgb"), ycbcr=False)
    assert with_colour_marker(adobe, ycbcr=ycbcr) is adobe


@pytest.mark.parametrize("stream", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe0\x00\x00", b"\xff\xd8\xff", b"no jpeg at all"])
def test_rubbish_is_an_error_and_nothing_hangs(stream):
    with pytest.raises(ValueError, match=r"."):
        decode_jpeg(with_colour_marker(stream, ycbcr=True))


def test_tables_are_put_in_front(image):
    whole = simplejpeg.encode_jpeg(image)
    frame = whole.index(b"\xff\xc0")
    tables = whole[:frame] + b"\xff\xd9"
    data = b"\xff\xd8" + whole[frame:]
    assert join_tables(tables, data) == whole
    assert join_tables(None, whole) == whole


@pytest.mark.parametrize("shrink", [1, 2, 4, 8])
@pytest.mark.parametrize("size", [(128, 96), (113, 91), (8, 8), (17, 1)])
def test_reductions_round_up_and_equal_pillows(shrink, size):
    stream = simplejpeg.encode_jpeg(tissue(*size, detail=4), colorsubsampling="444")
    image = decode_jpeg(stream, shrink)
    assert image.shape == (-(-size[1] // shrink), -(-size[0] // shrink), 3)

    drafted = Image.open(io.BytesIO(stream))
    drafted.draft("RGB", (max(1, size[0] // shrink), max(1, size[1] // shrink)))
    if drafted.size == image.shape[1::-1]:  # Pillow may choose another
        assert most_off(image, np.asarray(drafted)) <= 3


def test_a_stream_larger_than_allowed(image):
    stream = simplejpeg.encode_jpeg(image)
    assert decode_jpeg(stream, most=(96, 128)).shape == (96, 128, 3)
    for most in ((95, 128), (96, 127)):
        with pytest.raises(ValueError, match="128 × 96"):
            decode_jpeg(stream, most=most)


def test_damage_is_an_error_not_rubbish(image):
    stream = simplejpeg.encode_jpeg(image)
    with pytest.raises(ValueError, match=r"."):
        decode_jpeg(stream[: len(stream) // 2])


def header_of(image, **options):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", **options)
    stream = buffer.getvalue()
    scan = stream.index(b"\xff\xda")
    return stream[: scan + 2 + int.from_bytes(stream[scan + 2 : scan + 4], "big")]


@pytest.mark.parametrize(("subsampling", "first"), [(0, (1, 1)), (1, (2, 1)), (2, (2, 2))])
@pytest.mark.parametrize("interval", [0, 5])
def test_what_a_header_says(image, subsampling, first, interval):
    header = header_of(image, subsampling=subsampling, restart_marker_blocks=interval)

    frame = jpeg_frame(header)

    assert frame.precision == 8
    assert frame.sampling == (first, (1, 1), (1, 1))
    assert frame.restart_interval == interval
    assert header[frame.size_at : frame.size_at + 4] == bytes([0, 96, 0, 128])


def test_headers_of_other_jpegs_are_refused(image):
    good = header_of(image)
    assert jpeg_frame(good).restart_interval == 0
    one_of_three = good[:-10] + b"\x00\x08\x01" + good[-7:]
    for header in (header_of(image, progressive=True), good[:-14], good[: good.index(b"\xff\xc0") + 7], one_of_three):
        with pytest.raises(ValueError, match="no header of a baseline JPEG"):
            jpeg_frame(header)


@given(places=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6), end=st.integers(0, 700))
@settings(deadline=None)
def test_a_damaged_header_is_refused_or_read_within_itself(places, end):
    header = bytearray(header_of(np.zeros((16, 16, 3), np.uint8)))[:end]
    for place, value in places:
        if header:
            header[place % len(header)] = value
    try:
        frame = jpeg_frame(bytes(header))
    except ValueError:
        return
    assert 0 < frame.size_at <= len(header) - 4
    assert frame.sampling
