from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.errors import SpecError
from slidekit.pixels.tiling import assemble, crop_back, padding, slide_locations, tile_array

sizes = st.integers(1, 40)


@st.composite
def images(draw):
    shape = (draw(sizes), draw(sizes), *draw(st.sampled_from([(), (1,), (3,)])))
    count = int(np.prod(shape))
    return (np.arange(count) * 7 % 251).reshape(shape).astype(draw(st.sampled_from([np.uint8, np.float32])))


@settings(deadline=None, max_examples=60)
@given(images(), st.integers(1, 17), st.sampled_from(["NHWC", "NCHW"]), st.sampled_from([0, 255]))
def test_assemble_is_the_inverse_of_tile_array(image, tile_px, layout, fill):
    tiles, locations = tile_array(image, tile_px, fill=fill, layout=layout)

    whole, offset = assemble(tiles, locations, layout=layout)

    before = offset[1] * -1, offset[0] * -1
    widths = [(first, whole.shape[axis] - image.shape[axis] - first) for axis, first in enumerate(before)]
    expected = np.pad(image, widths + [(0, 0)] * (image.ndim - 2), constant_values=fill)
    np.testing.assert_array_equal(whole, expected)
    np.testing.assert_array_equal(crop_back(whole, offset, image.shape[1::-1]), image)
    assert tiles.dtype == image.dtype


@settings(deadline=None, max_examples=60)
@given(images(), st.integers(1, 17))
def test_a_tile_is_the_slice_of_the_padded_image_that_its_location_says(image, tile_px):
    tiles, locations = tile_array(image, tile_px, fill=9)

    far = np.pad(image, [(tile_px, tile_px)] * 2 + [(0, 0)] * (image.ndim - 2), constant_values=9)
    for tile, (x, y) in zip(tiles, locations + tile_px, strict=True):
        np.testing.assert_array_equal(tile, far[y : y + tile_px, x : x + tile_px])
    np.testing.assert_array_equal(locations, sorted(locations.tolist(), key=lambda place: (place[1], place[0])))


@settings(deadline=None)
@given(st.integers(1, 10_000), st.integers(1, 500))
def test_padding_is_symmetrical_and_its_odd_pixel_comes_last(length, tile_px):
    before, after = padding(length, tile_px)

    assert (length + before + after) % tile_px == 0
    assert after - before in (0, 1)
    assert before + after < tile_px


@pytest.mark.parametrize("tile_px", [3, 4, 5])
def test_an_image_of_8_by_6(tile_px):
    image = np.arange(48).reshape(6, 8)

    tiles, locations = tile_array(image, tile_px, fill=-1)

    starts = {3: ((0, 3, 6), (0, 3)), 4: ((0, 4), (-1, 3)), 5: ((-1, 4), (-2, 3))}[tile_px]
    assert locations.tolist() == [[x, y] for y in starts[1] for x in starts[0]]
    assert np.count_nonzero(tiles == -1) == tiles.size - image.size


def test_channels_go_first_where_asked_for():
    image = np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8)

    last, _ = tile_array(image, 4)
    first, _ = tile_array(image, 4, layout="NCHW")

    assert (last.shape, first.shape) == ((4, 4, 4, 3), (4, 3, 4, 4))
    np.testing.assert_array_equal(first, last.transpose(0, 3, 1, 2))
    assert first.flags.c_contiguous


def test_missing_tiles_are_filled_and_order_does_not_matter():
    image = np.random.default_rng(0).random((12, 12))
    tiles, locations = tile_array(image, 4)
    kept = [8, 1, 4]

    whole, offset = assemble(tiles[kept], locations[kept], fill=np.nan)
    back = crop_back(whole, offset, (12, 12), fill=np.nan)

    assert offset == (4, 0)
    expected = np.full((12, 12), np.nan)
    for number in kept:
        x, y = locations[number]
        expected[y : y + 4, x : x + 4] = image[y : y + 4, x : x + 4]
    np.testing.assert_array_equal(back, expected)


def test_one_tile_is_an_image_too():
    tiles, locations = tile_array(np.ones((3, 5, 3), np.uint8), 8)

    assert tiles.shape == (1, 8, 8, 3)
    assert locations.tolist() == [[-1, -2]]
    assert assemble(tiles, locations)[0].shape == (8, 8, 3)


def test_locations_on_the_slide_are_exact_and_x_comes_first():
    places = slide_locations([[-3, 0], [25_000, 10]], (3.9998, 4.0), origin=(1000.0, 7.0))

    np.testing.assert_allclose(places, [[1000 - 3 * 3.9998, 7], [1000 + 25_000 * 3.9998, 47]], rtol=1e-15)
    assert slide_locations([], 4).shape == (0, 2)


@pytest.mark.parametrize(("call", "says"), [
    (lambda: tile_array(np.zeros(4), 2), "shape"),
    (lambda: tile_array(np.zeros((4, 4)), 0), "tiles of 0 px"),
    (lambda: tile_array(np.zeros((0, 4)), 2), "0 px cannot"),
    (lambda: tile_array(np.zeros((4, 4)), 2, layout="HWC"), "layout"),
    (lambda: assemble(np.zeros((0, 2, 2)), np.zeros((0, 2))), "shape"),
    (lambda: assemble(np.zeros((2, 2, 2)), [[0, 0]]), "2 tiles"),
    (lambda: assemble(np.zeros((1, 2, 2)), [[0.5, 0]]), "whole pixels"),
    (lambda: slide_locations([[0, 0]], 0), "downsample=0"),
])  # fmt: skip
def test_what_makes_no_sense_is_an_error_that_says_what_to_do(call, says):
    with pytest.raises(SpecError, match=says) as caught:
        call()
    assert caught.value.mend
