"""Augmentation of torch tensors, against that of arrays: the pixels are equal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from slidekit.augment import ORDER, arrays, draw
from slidekit.errors import SpecError

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from slidekit.augment import torch as native  # noqa: E402

pytestmark = pytest.mark.torch

ANY_IMAGES = hnp.arrays(np.uint8, st.tuples(st.integers(0, 4), st.integers(1, 9), st.integers(1, 9), st.just(3)))


def tensor(images):
    return torch.from_numpy(images.copy()).permute(0, 3, 1, 2)


@pytest.mark.parametrize("letters", [*ORDER, "xyrjb", ORDER])
def test_each_letter_is_as_in_numpy(letters, tiles):
    expected = arrays.augment(tiles, letters, range(12))
    result = native.augment(tensor(tiles), letters, range(12))
    assert result.dtype == torch.uint8
    assert np.array_equal(result.permute(0, 2, 3, 1).numpy(), expected)
    assert not np.array_equal(expected, tiles)


@settings(deadline=None, max_examples=30)
@given(images=ANY_IMAGES, seed=st.integers(0, 2**40))
def test_any_image_is_as_in_numpy(images, seed):
    seeds = np.arange(seed, seed + len(images))
    result = native.augment(tensor(images), ORDER, seeds)
    assert np.array_equal(result.permute(0, 2, 3, 1).numpy(), arrays.augment(images, ORDER, seeds))


def test_memory_formats_are_kept_and_nothing_is_changed_in_place(tiles):
    last = tensor(tiles)
    first = last.contiguous()
    results = [native.augment(images, ORDER, torch.arange(12)) for images in (last, first)]
    assert torch.equal(*results)
    assert results[0].is_contiguous(memory_format=torch.channels_last)
    assert results[1].is_contiguous()
    assert torch.equal(last, tensor(tiles))
    assert torch.equal(first, last)


def test_wrong_tensors(tiles):
    with pytest.raises(SpecError, match="height, width"):
        native.augment(torch.from_numpy(tiles.copy()), "x", range(12))
    with pytest.raises(SpecError, match="uint8"):
        native.augment(tensor(tiles).float(), "x", range(12))
    with pytest.raises(SpecError, match="one seed an image"):
        native.apply(tensor(tiles), draw("x", range(3)))
