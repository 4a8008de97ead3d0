"""Augmentation of numpy arrays, letter by letter against other libraries' versions of the same."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageEnhance, ImageOps

from slidekit.augment import LETTERS, ORDER, draw
from slidekit.augment import parameters as column
from slidekit.augment.arrays import apply, augment
from slidekit.augment.letters import BLUR_SIGMAS, PROFILE_GAMMAS
from slidekit.augment.parameters import UNIT, WIDTH
from slidekit.errors import SpecError

ANY_IMAGES = hnp.arrays(np.uint8, st.tuples(st.integers(0, 3), st.integers(1, 9), st.integers(1, 9), st.just(3)))


def one(image, **values):
    """The image after the columns that are named."""
    row = np.zeros((1, WIDTH), np.int32)
    for name, value in values.items():
        row[:, getattr(column, name)] = value
    return apply(image[None], row)[0]


def apart(result, expected):
    return np.abs(result.astype(float) - expected).max()


def test_flips_and_turns(tiles):
    image = tiles[0]
    assert np.array_equal(one(image, FLIP_X=1), image[:, ::-1])
    assert np.array_equal(one(image, FLIP_Y=1), image[::-1])
    assert np.array_equal(one(image, QUARTER=1), np.rot90(image))
    assert np.array_equal(one(image, FLIP_X=1, FLIP_Y=1, QUARTER=1), np.rot90(image, 3))


def test_images_that_are_not_square_are_turned_by_half(tiles):
    # Arrange
    images = np.tile(tiles[0][:20], (200, 1, 1, 1))

    # Act
    results = augment(images, "r", np.arange(200))

    # Assert
    turned = [np.array_equal(result, images[0][::-1, ::-1]) for result in results]
    assert 60 < sum(turned) < 140
    assert all(flag or np.array_equal(result, images[0]) for flag, result in zip(turned, results, strict=True))


@pytest.mark.parametrize("chosen", range(1, 5))
def test_blur_is_a_gaussian_as_wide_as_its_sigma(tiles, chosen):
    from scipy.ndimage import gaussian_filter

    sigma = BLUR_SIGMAS[chosen - 1]
    rough = np.random.default_rng(1).integers(0, 256, (40, 30, 3)).astype(np.uint8)
    for image, most in ((tiles[0], 1.5), (rough, 3)):
        expected = gaussian_filter(image.astype(float), (sigma, sigma, 0), mode="nearest", truncate=3)
        assert apart(one(image, BLUR=chosen), expected) <= most


@pytest.mark.parametrize("twice", range(1, 5))
def test_sharpening_is_pillows(tiles, twice):
    expected = np.asarray(ImageEnhance.Sharpness(Image.fromarray(tiles[0])).enhance(1 + twice / 2))
    inner = slice(1, -1)  # Pillow leaves the edge as it is
    # Pillow rounds what it smoothed to whole numbers before it sharpens.
    assert apart(one(tiles[0], SHARPEN=twice)[inner, inner], expected[inner, inner]) <= 1 + twice / 4


@pytest.mark.parametrize("bits", [4, 5, 6])
def test_posterising_is_pillows(tiles, bits):
    expected = np.asarray(ImageOps.posterize(Image.fromarray(tiles[0]), bits))
    assert np.array_equal(one(tiles[0], DROPPED_BITS=8 - bits), expected)


@pytest.mark.parametrize("quality", [50, 77, 100])
def test_jpeg_is_pillows(tiles, quality):
    file = io.BytesIO()
    Image.fromarray(tiles[0]).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    assert apart(one(tiles[0], QUALITY=quality), np.asarray(Image.open(file))) <= 1


def test_distortion_is_its_formula(tiles):
    rows = draw("d", np.arange(40))
    results = apply(np.repeat(tiles[:1], 40, 0), rows)
    pixels = tiles[0].astype(float)
    luma = (pixels @ [0.299, 0.587, 0.114]).mean()
    for row, result in zip(rows[rows[:, column.DISTORT] > 0], results[rows[:, column.DISTORT] > 0], strict=True):
        expected = pixels @ (row[column.DISTORT_MATRIX].reshape(3, 3) / UNIT).T + row[column.DISTORT_LUMA] / UNIT * luma
        assert apart(result, np.clip(expected, 0, 255)) <= 1
    assert np.array_equal(results[rows[:, column.DISTORT] == 0][0], tiles[0])


def test_brightness_and_contrast_are_pillows(tiles):
    image, eye = Image.fromarray(tiles[0]), np.eye(3).reshape(-1)
    brighter = one(tiles[0], DISTORT=1, DISTORT_MATRIX=np.rint(1.25 * UNIT * eye))
    softer = one(tiles[0], DISTORT=1, DISTORT_MATRIX=np.rint(0.75 * UNIT * eye), DISTORT_LUMA=UNIT / 4)
    assert apart(brighter, np.asarray(ImageEnhance.Brightness(image).enhance(1.25))) <= 1
    assert apart(softer, np.asarray(ImageEnhance.Contrast(image).enhance(0.75))) <= 1


def test_a_profile_is_its_formula(tiles):
    rows = draw("c", np.arange(40))
    rows = rows[rows[:, column.PROFILE] > 0]
    results = apply(np.repeat(tiles[:1], len(rows), 0), rows)
    for row, result in zip(rows, results, strict=True):
        exponents = 2.2 * np.array(PROFILE_GAMMAS)[row[column.PROFILE_CURVES]]
        light = (tiles[0] / 255) ** exponents @ (row[column.PROFILE_MATRIX].reshape(3, 3) / UNIT).T
        expected = 255 * np.clip(light, 0, 1) ** (1 / 2.2)
        bright = expected > 12  # 13 bits of linear light are coarse below
        assert np.abs(result - expected)[bright].max() <= 1
    assert not np.array_equal(results[0], tiles[0])


def test_white_stays_white_and_black_black_in_any_profile():
    ends = np.zeros((30, 1, 2, 3), np.uint8)
    ends[:, :, 1] = 255
    assert np.array_equal(augment(ends, "c", np.arange(30)), ends)


@settings(deadline=None, max_examples=30)
@given(images=ANY_IMAGES, letters=st.text(LETTERS, max_size=4) | st.just(ORDER), seed=st.integers(0, 2**40))
def test_any_image_in_a_batch_is_as_alone(images, letters, seed):
    seeds = np.arange(seed, seed + len(images))
    before = images.copy()
    together = augment(images, letters, seeds)
    assert together.dtype == np.uint8
    assert together.shape == images.shape
    assert np.array_equal(images, before)
    for place, result in enumerate(together):
        assert np.array_equal(augment(images[place : place + 1], letters, seeds[place : place + 1])[0], result)


def test_seeds_decide(tiles):
    images = np.repeat(tiles[:1], 12, 0)
    first, again, other = (augment(images, ORDER, seeds) for seeds in (range(12), range(12), range(50, 62)))
    assert np.array_equal(first, again)
    assert len({image.tobytes() for image in np.concatenate([first, other])}) == 24


def test_no_letter_changes_nothing(tiles):
    assert np.array_equal(augment(tiles, False, range(12)), tiles)
    assert np.array_equal(augment(tiles, "n", range(12)), tiles)


@pytest.mark.parametrize(
    ("images", "mend"),
    [
        (np.zeros((1, 4, 4, 3), np.float32), "uint8"),
        (np.zeros((4, 4, 3), np.uint8), "first axis"),
        (np.zeros((1, 4, 4, 4), np.uint8), "alpha"),
        (np.zeros((1, 0, 4, 3), np.uint8), "one pixel"),
    ],
)
def test_arrays_that_are_no_batch_of_images(images, mend):
    with pytest.raises(SpecError, match=mend):
        augment(images, "x", [1])


def test_another_number_of_seeds_than_images(tiles):
    with pytest.raises(SpecError, match="one seed an image"):
        augment(tiles, "x", [1, 2])
