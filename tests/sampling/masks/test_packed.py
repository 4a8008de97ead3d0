"""Bit-packed masks and their PNG, against plain arrays and Pillow."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from slidekit.sampling.masks.packed import PackedMask
from slidekit.sampling.masks.png import encode_png

masks = st.builds(
    lambda rows, columns, share, seed: np.random.default_rng(seed).random((rows, columns)) < share,
    st.integers(1, 40),
    st.integers(1, 200),
    st.sampled_from([0.0, 0.01, 0.5, 1.0]),
    st.integers(0, 1000),
)


@hypothesis_settings(deadline=None, max_examples=25)
@given(masks)
def test_every_set_pixel_is_found_by_its_number(mask: np.ndarray) -> None:
    packed = pickle.loads(pickle.dumps(PackedMask(mask)))
    rows, columns = np.nonzero(mask)
    assert len(packed) == len(rows)
    found = packed.pick(np.arange(len(rows)))
    assert np.array_equal(found[0], rows)
    assert np.array_equal(found[1], columns)
    assert np.array_equal(packed.unpack(), mask)
    everywhere = np.indices(mask.shape)
    assert np.array_equal(packed.at(everywhere[0], everywhere[1]), mask)


@hypothesis_settings(deadline=None, max_examples=25)
@given(masks)
def test_png_is_read_by_others(mask: np.ndarray) -> None:
    data = encode_png(PackedMask(mask), {"Software": "slidekit", "slidekit": "{}"})
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == "1"
        assert image.info["Software"] == "slidekit"
        assert np.array_equal(np.asarray(image), mask)


def test_a_mask_of_four_million_pixels_takes_little_memory() -> None:
    packed = PackedMask(np.ones((2000, 2000), np.bool_))
    assert packed.nbytes < 800_000
    assert packed.pick(np.array([3_999_999]))[0] == pytest.approx([1999])
