"""`StainNormalizer.transform` on tensors: types, layouts, and agreement with numpy."""

from __future__ import annotations

import numpy as np
import pytest

from slidekit import norm
from slidekit.errors import NormalizerError
from slidekit.norm.methods import NEEDS_SOURCE
from slidekit.norm.tensors import NATIVE_METHODS

# What cyclegan makes of tensors: generator/.
each_method = pytest.mark.parametrize("method", [method for method in norm.METHODS if method not in NEEDS_SOURCE])


def agree(result, expected):
    """The contract across frameworks: 1 level on average, 3 at most."""
    difference = np.abs(np.asarray(result).astype(int) - expected)
    return difference.mean() <= 1 and difference.max() <= 3


@pytest.mark.torch
class TestTorch:
    @pytest.fixture
    def torch(self):
        return pytest.importorskip("torch")

    def test_native_methods_are_the_backends_own(self, torch):
        from slidekit.norm.torch import METHODS

        assert sorted(METHODS) == list(NATIVE_METHODS)

    @each_method
    @pytest.mark.parametrize("backend", [None, "torch", "numpy"])
    def test_every_layout_stays_as_it_is(self, torch, method, backend, he_tile):
        arrays = np.stack([he_tile(1, 32)[:, :24], he_tile(2, 32)[:, :24]])
        normalizer = norm.autoselect(method, backend=backend)
        expected = normalizer.transform(arrays)
        last = torch.from_numpy(arrays)
        first = last.permute(0, 3, 1, 2).contiguous()

        for images, axes in ((last, (0, 1, 2, 3)), (first, (0, 2, 3, 1))):
            result = normalizer.transform(images)
            assert (result.dtype, result.shape, result.device) == (torch.uint8, images.shape, images.device)
            assert agree(result.permute(*axes), expected)
        assert agree(normalizer.transform(last[0]), expected[0])
        assert agree(normalizer.torch_to_torch(first[1]).permute(1, 2, 0), expected[1])

    @pytest.mark.parametrize("method", ["macenko", "reinhard_fast"])
    def test_augmentation_is_that_of_numpy(self, torch, method, he_tile):
        arrays = np.stack([he_tile(1, 48), he_tile(2, 48)])
        normalizer = norm.autoselect(method)

        result = normalizer.transform(torch.from_numpy(arrays), augment=True, seed=3)

        assert agree(result, normalizer.transform(arrays, augment=True, seed=3))
        around_its_own = normalizer.augment(torch.from_numpy(arrays), seed=3)
        assert np.array_equal(around_its_own.numpy(), normalizer.augment(arrays, seed=3))

    @pytest.mark.parametrize("method", ["macenko", "reinhard", "vahadane"])
    def test_context_is_that_of_numpy(self, torch, method, he_tile):
        normalizer = norm.autoselect(method).set_context(he_tile(9, 64, (0.3, 0.6)))
        tile = he_tile(1, 48)

        assert agree(normalizer.transform(torch.from_numpy(tile)), normalizer.transform(tile))

    def test_preprocess_standardizes(self, torch, he_tile):
        normalizer = norm.autoselect("reinhard")
        batch = torch.from_numpy(he_tile(1, 32)[np.newaxis]).permute(0, 3, 1, 2)

        result = normalizer.preprocess(batch, standardize=True)

        assert result.dtype == torch.float32
        torch.testing.assert_close(result, normalizer.transform(batch) / 127.5 - 1)

    def test_empty_batch(self, torch):
        images = torch.zeros((0, 3, 8, 8), dtype=torch.uint8)

        for method in ("macenko", "vahadane"):
            assert norm.autoselect(method).transform(images).shape == images.shape
            assert norm.autoselect("macenko").transform(images, augment=True).shape == images.shape

    @pytest.mark.parametrize(
        ("shape", "dtype", "message"),
        [((3, 8, 8), "float32", "uint8"), ((4, 8, 8), "uint8", "alpha"), ((8, 8), "uint8", "RGB")],
    )
    def test_other_tensors_are_an_error(self, torch, shape, dtype, message):
        with pytest.raises(NormalizerError, match=message):
            norm.autoselect("reinhard").transform(torch.zeros(shape, dtype=getattr(torch, dtype)))


@pytest.mark.tensorflow
class TestTensorFlow:
    @pytest.fixture
    def tf(self):
        return pytest.importorskip("tensorflow")

    @each_method
    def test_images_and_batches(self, tf, method, he_tile):
        arrays = np.stack([he_tile(1, 32)[:, :24], he_tile(2, 32)[:, :24]])
        for backend in (None, "numpy"):
            normalizer = norm.autoselect(method, backend=backend)
            expected = normalizer.transform(arrays)

            batch, one = normalizer.transform(tf.constant(arrays)), normalizer.tf_to_tf(tf.constant(arrays[0]))

            assert batch.dtype == one.dtype == tf.uint8
            assert agree(batch, expected)
            assert agree(one, expected[0])
            assert agree(normalizer.tf_to_rgb(tf.constant(arrays[1])), expected[1])

    def test_in_a_graph(self, tf, he_tile):
        arrays = np.stack([he_tile(seed, 32) for seed in range(3)])
        normalizer = norm.autoselect("macenko")
        dataset = tf.data.Dataset.from_tensor_slices(arrays)

        single = list(dataset.map(normalizer.transform).as_numpy_iterator())
        batched = next(dataset.batch(3).map(normalizer.preprocess).as_numpy_iterator())
        floats = dataset.batch(3).map(lambda images: normalizer.preprocess(images, standardize=True))

        assert agree(np.stack(single), normalizer.transform(arrays))
        assert agree(batched, normalizer.transform(arrays))
        assert floats.element_spec.dtype == tf.float32
        np.testing.assert_allclose(next(floats.as_numpy_iterator()), batched / 127.5 - 1, atol=1e-6)

    def test_augmentation_in_a_graph_goes_by_its_seed(self, tf, he_tile):
        images = tf.constant(np.stack([he_tile(1, 32)] * 2))
        normalizer = norm.autoselect("reinhard").set_augment("v1")

        @tf.function
        def augmented(images, seed):
            return normalizer.transform(images, augment=True, seed=seed)

        first, again, other = (augmented(images, tf.constant([0, seed], tf.int64)).numpy() for seed in (1, 1, 2))

        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)
        assert not np.array_equal(first[0], first[1])
        with pytest.raises(NormalizerError, match="needs a seed"):
            tf.function(lambda images: normalizer.transform(images, augment=True), autograph=False)(images)

    def test_a_method_of_numpy_in_a_graph_is_an_error(self, tf, he_tile):
        normalizer = norm.autoselect("vahadane")

        with pytest.raises(NormalizerError, match="cannot work in a graph"):
            tf.function(normalizer.transform, autograph=False)(tf.constant(he_tile()))

    @pytest.mark.parametrize(
        ("shape", "dtype", "message"),
        [((8, 8, 3), "float32", "uint8"), ((8, 8, 4), "uint8", "alpha"), ((8, 8), "uint8", "RGB")],
    )
    def test_other_tensors_are_an_error(self, tf, shape, dtype, message):
        with pytest.raises(NormalizerError, match=message):
            norm.autoselect("reinhard").transform(tf.zeros(shape, dtype))
