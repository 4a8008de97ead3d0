"""The degenerate rule, by kind of image."""

from __future__ import annotations

import numpy as np
import pytest

from slidekit import norm
from slidekit.norm.methods import NEEDS_SOURCE

# A generator measures nothing that could be undefined.
each_method = pytest.mark.parametrize("method", [method for method in norm.METHODS if method not in NEEDS_SOURCE])

SIZE = 64
RAMP = np.linspace(10, 240, SIZE * SIZE).reshape(SIZE, SIZE, 1)
GENERATOR = np.random.default_rng(0)


def flat(*colour):
    return np.full((SIZE, SIZE, 3), colour, np.uint8)


def noisy(level, sigma):
    return np.clip(np.round(level + GENERATOR.normal(0, sigma, (SIZE, SIZE, 3))), 0, 255).astype(np.uint8)


def one_stain():
    """Haematoxylin in every amount, and nothing else."""
    amount = np.linspace(0.2, 2, SIZE * SIZE).reshape(SIZE, SIZE, 1)
    return np.round(255 * np.exp(-amount * np.array([0.65, 0.70, 0.29]))).astype(np.uint8)


def two_colours():
    image = flat(120, 60, 140)
    image[:, ::2] = (200, 120, 180)
    return image


def speck():
    """Tissue on fewer than 1 % of the pixels."""
    image = flat(245, 245, 245)
    image[:5, :5] = GENERATOR.integers(0, 200, (5, 5, 3))
    return image


UNDEFINED_FOR_ALL = {
    "white": flat(255, 255, 255),
    "black": flat(0, 0, 0),
    "gray": flat(128, 128, 128),
    "one colour": flat(180, 90, 160),
    "gray in every shade": np.repeat(RAMP, 3, axis=2).astype(np.uint8),
    "gray noise": np.repeat(GENERATOR.integers(0, 256, (SIZE, SIZE, 1), dtype=np.uint8), 3, axis=2),
    "glass": noisy(238, 1),
    "glass, whiter": noisy(253, 1),
    "gray with camera noise": noisy(128, 1),
    "black with camera noise": noisy(0, 0.7),
    "one pixel": np.array([[[180, 90, 160]]], np.uint8),
    "one row of two": np.array([[[180, 90, 160], [180, 90, 160]]], np.uint8),
}
UNDEFINED_FOR_MACENKO = {
    "two colours": two_colours(),
    "one stain": one_stain(),
    "a speck of tissue": speck(),
    "too few pixels": GENERATOR.integers(0, 200, (3, 5, 3), dtype=np.uint8),
    "nothing that is dark in all channels": flat(0, 255, 255) - np.array([[[0, 30, 0]]], np.uint8),
    "pure red on black": np.concatenate([flat(255, 0, 0), flat(0, 0, 0)]),
}
UNDEFINED_FOR_VAHADANE = {
    "one stain": one_stain(),
    "a speck of tissue": speck(),
    "too few pixels": GENERATOR.integers(0, 200, (3, 5, 3), dtype=np.uint8),
    "tissue that is lighter than L* 80": noisy(225, 6),
}


@each_method
@pytest.mark.parametrize("kind", UNDEFINED_FOR_ALL)
def test_undefined_for_every_method(method, kind):
    image = UNDEFINED_FOR_ALL[kind]

    result = norm.autoselect(method).normalize(image)

    assert not result.changed
    assert np.array_equal(result.image, image)


@pytest.mark.parametrize("method", ["macenko", "macenko_fast"])
@pytest.mark.parametrize("kind", UNDEFINED_FOR_MACENKO)
def test_undefined_for_macenko(method, kind):
    image = UNDEFINED_FOR_MACENKO[kind]

    result = norm.autoselect(method).normalize(image)

    assert not result.changed
    assert np.array_equal(result.image, image)


@pytest.mark.parametrize("kind", UNDEFINED_FOR_VAHADANE)
def test_undefined_for_vahadane(kind):
    image = UNDEFINED_FOR_VAHADANE[kind]

    result = norm.autoselect("vahadane").normalize(image)

    assert not result.changed
    assert np.array_equal(result.image, image)


@pytest.mark.parametrize("method", ["macenko", "reinhard", "reinhard_mask", "vahadane"])
def test_image_whose_90th_percentile_is_black_is_left_alone(method, he_tile):
    image = flat(0, 0, 0)
    image[:6, :40] = he_tile(size=40)[:6]

    result = norm.autoselect(method).normalize(image)

    assert not result.changed
    assert np.array_equal(result.image, image)


@each_method
def test_little_tissue_on_glass_is_still_normalised(method, he_tile):
    image = flat(245, 245, 245)
    image[:16, :16] = he_tile(size=16)

    assert norm.autoselect(method).normalize(image).changed


@each_method
def test_transform_gives_the_tile_back_as_a_copy(method):
    image = flat(255, 255, 255)

    result = norm.autoselect(method).transform(image)
    result[:] = 0

    assert (image == 255).all()
