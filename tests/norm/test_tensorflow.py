"""Normalisation of TensorFlow tensors, against the normalisers of numpy."""

from __future__ import annotations

import numpy as np
import pytest
from native_contract import NativeContract

from slidekit import norm
from slidekit.norm.presets import AUGMENT_STDEV

tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

from slidekit.norm import tensorflow as native  # noqa: E402

pytestmark = pytest.mark.tensorflow


class TestTensorFlow(NativeContract):
    native = native

    def to_tensor(self, tiles):
        return tf.constant(tiles)

    def to_array(self, tensor):
        return tensor.numpy()

    @pytest.mark.parametrize("method", ["macenko", "macenko_fast", "reinhard_mask"])
    def test_graph_of_unknown_shape_is_as_eager(self, method, he_tile):
        fit = norm.autoselect(method).get_fit()
        traces = []

        @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8)])
        def in_graph(images):
            traces.append(images.shape)
            return native.normalize(method, fit, images)

        for shape in ((2, 33, 70, 3), (1, 64, 20, 3), (0, 5, 5, 3), (1, 1, 1, 3)):
            tiles = np.resize(np.stack([he_tile(seed) for seed in range(2)]), shape)
            result, changed = in_graph(tiles)
            expected, expected_changed = self.normalize(method, tiles)
            assert result.shape == shape
            assert np.abs(result.numpy().astype(int) - expected).max(initial=0) <= 1
            assert np.array_equal(changed, expected_changed)
        assert len(traces) == 1

    def test_graph_has_no_python_in_it(self):
        fit = norm.autoselect("macenko").get_fit()
        function = tf.function(lambda images: native.normalize("macenko", fit, images))

        graph = function.get_concrete_function(tf.TensorSpec((None, None, None, 3), tf.uint8)).graph

        kinds = {operation.type for operation in graph.get_operations()}
        assert "SelfAdjointEigV2" in kinds
        assert not [kind for kind in kinds if "PyFunc" in kind]

    @pytest.mark.parametrize("method", ["macenko", "reinhard_mask"])
    def test_dataset_maps_in_parallel(self, method, he_tile):
        tiles = np.stack([he_tile(seed, 40) for seed in range(8)])
        fit = norm.autoselect(method).get_fit()
        dataset = tf.data.Dataset.from_tensor_slices(tiles).batch(2)

        mapped = dataset.map(lambda images: native.normalize(method, fit, images), num_parallel_calls=4)

        assert mapped.element_spec[0].shape.as_list() == [None, 40, 40, 3]
        results = np.concatenate([images.numpy() for images, _ in mapped])
        assert np.abs(results.astype(int) - self.normalize(method, tiles)[0]).max() <= 1

    @pytest.mark.long
    def test_dataset_augments_by_the_seed_of_each_batch(self, he_tile):
        tiles = np.stack([he_tile(0, 40)] * 4)
        fit, stdev = norm.autoselect("macenko").get_fit(), AUGMENT_STDEV["macenko"]["v2"]

        def augment(number, images):
            drawn = native.perturb(fit, stdev, tf.stack([tf.constant(3, tf.int64), number]), count=tf.shape(images)[0])
            return native.normalize("macenko", drawn, images)[0]

        batches = tf.data.Dataset.from_tensor_slices(tiles).batch(2).enumerate().map(augment, num_parallel_calls=2)

        first, second = (np.concatenate([images.numpy() for images in batches]) for _ in range(2))
        assert np.array_equal(first, second)
        assert len({image.tobytes() for image in first}) == 4
