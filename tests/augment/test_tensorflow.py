"""Augmentation of TensorFlow tensors, against that of arrays: the pixels are equal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from slidekit.augment import ORDER, arrays, draw
from slidekit.errors import SpecError

tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

from slidekit.augment import tensorflow as native  # noqa: E402

pytestmark = pytest.mark.tensorflow

ANY_IMAGES = hnp.arrays(np.uint8, st.tuples(st.integers(0, 4), st.integers(1, 9), st.integers(1, 9), st.just(3)))


@pytest.fixture(scope="module")
def in_graph():
    """All letters in one graph that knows no sizes."""
    unknown = tf.TensorSpec((None, None, None, None), tf.uint8)
    return tf.function(native.apply, input_signature=[unknown, tf.TensorSpec((None, None), tf.int32)], autograph=False)


@pytest.mark.parametrize("letters", [*ORDER, "xyrjb", ORDER])
def test_each_letter_is_as_in_numpy(letters, tiles):
    expected = arrays.augment(tiles, letters, range(12))
    result = native.augment(tf.constant(tiles), letters, tf.range(12))
    assert result.dtype == tf.uint8
    assert np.array_equal(result.numpy(), expected)
    assert not np.array_equal(expected, tiles)


@settings(deadline=None, max_examples=20)
@given(images=ANY_IMAGES, seed=st.integers(0, 2**40))
def test_any_image_is_as_in_numpy_in_a_graph(in_graph, images, seed):
    seeds = np.arange(seed, seed + len(images))
    result = in_graph(images, draw(ORDER, seeds))
    assert np.array_equal(result.numpy(), arrays.augment(images, ORDER, seeds))


def test_in_a_dataset(tiles):
    # Arrange
    dataset = tf.data.Dataset.from_tensor_slices((tiles, draw(ORDER, range(12)))).batch(5, drop_remainder=True)

    # Act
    dataset = dataset.map(native.apply)

    # Assert
    assert dataset.element_spec.shape == (5, 40, 40, 3)
    results = np.concatenate(list(dataset.as_numpy_iterator()))
    assert np.array_equal(results, arrays.augment(tiles[:10], ORDER, range(10)))


def test_seeds_of_a_graph_cannot_be_drawn_from(tiles):
    @tf.function(autograph=False)
    def graph(seeds):
        return native.augment(tf.constant(tiles), "x", seeds)

    with pytest.raises(SpecError, match=r"augment\.draw"):
        graph(tf.range(12, dtype=tf.int64))


def test_wrong_tensors(tiles):
    with pytest.raises(SpecError, match="height, width"):
        native.augment(tf.constant(tiles[0]), "x", range(12))
    with pytest.raises(SpecError, match="uint8"):
        native.augment(tf.cast(tiles, tf.float32), "x", range(12))
    with pytest.raises(SpecError, match="one seed an image"):
        native.apply(tf.constant(tiles), draw("x", range(3)))
