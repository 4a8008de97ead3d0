"""What holds for every method by its name."""

from __future__ import annotations

import numpy as np
import pytest

from slidekit import norm
from slidekit.errors import NormalizerError
from slidekit.norm.methods import NEEDS_SOURCE
from slidekit.slide.spec import ExtractionSpec

each_method = pytest.mark.parametrize("method", [method for method in norm.METHODS if method not in NEEDS_SOURCE])


def test_names():
    assert set(norm.METHODS) >= {
        "augment",
        "cyclegan",
        "macenko",
        "macenko_fast",
        "reinhard",
        "reinhard_fast",
        "reinhard_fast_mask",
        "reinhard_mask",
        "vahadane",
    }


@pytest.mark.parametrize("method", norm.METHODS)
def test_extraction_says_that_there_is_such_a_method(method):
    description = ExtractionSpec.model_fields["normalizer"].description

    assert description is not None
    assert method in description.replace(",", " ").replace(";", " ").replace(".", " ").split()


@each_method
@pytest.mark.parametrize("shape", [(4000, 24), (24, 4000), (1500, 1500)])
def test_huge_image(method, shape, he_tile):
    image = np.tile(he_tile(1, 24), (-(-shape[0] // 24), -(-shape[1] // 24), 1))[: shape[0], : shape[1]]

    result = norm.autoselect(method).normalize(image)

    assert result.changed
    assert result.image.shape == image.shape
    assert result.image.dtype == np.uint8


@each_method
@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (128, 128, 128), (180, 90, 160), (255, 0, 0)])
@pytest.mark.parametrize("size", [1, 2, 65])
def test_one_colour_is_left_alone(method, colour, size):
    image = np.full((size, size, 3), colour, np.uint8)

    result = norm.autoselect(method).normalize(image)

    assert not result.changed
    assert np.array_equal(result.image, image)


@each_method
def test_four_channels_are_an_error_that_says_what_to_do(method):
    image = np.zeros((8, 8, 4), np.uint8)

    with pytest.raises(NormalizerError, match="alpha"):
        norm.autoselect(method).normalize(image)
