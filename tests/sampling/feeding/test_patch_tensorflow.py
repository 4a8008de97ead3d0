"""`PatchSampler.tensorflow`: static shapes, value ranges, order, and a way on from any step."""

from __future__ import annotations

import numpy as np
import pytest

from slidekit.sampling.streams import zip_samplers
from tests.sampling.face_slides import PX, make_sampler, write_noise

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def sampler(tmp_path_factory):
    return make_sampler(tmp_path_factory.mktemp("tensorflow"))


def test_batches_are_the_patches_with_static_shapes(sampler) -> None:
    parts = [sampler[4:12], sampler[12:20]]

    dataset = sampler.tensorflow(4, start=4, steps=8, info=True, workers=0)

    images, targets, info = dataset.element_spec
    assert images == tf.TensorSpec((4, PX, PX, 3), tf.uint8)
    assert targets == tf.TensorSpec((4,), tf.int64)
    assert info["slide"].shape == (4,)
    assert dataset.cardinality() == 2
    for expected in parts:  # each iteration goes on behind the last
        batches = list(dataset.as_numpy_iterator())
        assert np.array_equal(np.concatenate([batch[0] for batch in batches]), expected.images)
        assert np.concatenate([batch[1] for batch in batches]).tolist() == expected.targets
        found = [slide.decode() for batch in batches for slide in batch[2]["slide"]]
        assert found == expected.slides
        assert np.concatenate([batch[2]["step"] for batch in batches]).tolist() == expected.steps.tolist()


def test_labels_may_be_texts(sampler, tmp_path) -> None:
    slides = write_noise(tmp_path / "slides", labels=("a", "b", "a"))
    dataset = make_sampler(tmp_path, slides).tensorflow(4, workers=0)

    _, targets = next(dataset.as_numpy_iterator())

    assert dataset.element_spec[1] == tf.TensorSpec((4,), tf.string)
    assert targets.tolist() == [b"b" if slide == "s1" else b"a" for slide in sampler[0:4].slides]


def test_values_and_channels_are_as_asked_for(sampler) -> None:
    dataset = sampler.tensorflow(4, scaling="-1..1", channels="first", workers=0)

    images, _ = next(dataset.as_numpy_iterator())

    assert dataset.element_spec[0] == tf.TensorSpec((4, 3, PX, PX), tf.float32)
    assert dataset.cardinality() == tf.data.INFINITE_CARDINALITY
    assert np.allclose(images.transpose(0, 2, 3, 1), sampler[0:4].images / 127.5 - 1, atol=1e-6)


def test_lists_and_rests_have_batches_of_any_size(sampler) -> None:
    assert sampler.tensorflow(4, steps=6, workers=0).element_spec[0].shape == (None, PX, PX, 3)
    assert sampler.tensorflow(4, steps=6, drop_last=True, workers=0).element_spec[0].shape == (4, PX, PX, 3)
    grid = sampler.replace(mode="grid").tensorflow(60, workers=0)
    assert sum(len(images) for images, _ in grid.as_numpy_iterator()) == 3 * 64


def test_another_size_is_another_dataset_of_the_same_fields_of_view(sampler) -> None:
    small = next(sampler.tensorflow(4, workers=0).as_numpy_iterator())[0]
    large = next(sampler.resized(2 * PX).tensorflow(4, workers=0).as_numpy_iterator())[0]

    assert large.shape == (4, 2 * PX, 2 * PX, 3)
    assert np.abs(large.mean((1, 2, 3)) - small.mean((1, 2, 3))).max() < 3


def test_streams_are_zipped(sampler) -> None:
    streams = zip_samplers({"A": sampler, "B": sampler}, 4)

    found = list(streams.tensorflow(steps=8, workers=0).as_numpy_iterator())

    assert len(found) == 2
    expected = list(streams.batches(steps=8, workers=0))
    for batch, other in zip(found, expected, strict=True):
        assert all(np.array_equal(batch[name][0], other[name].images) for name in "AB")


def test_views_by_themselves_are_the_inputs_of_a_model(tmp_path) -> None:
    keras = pytest.importorskip("keras")
    sampler = make_sampler(tmp_path, write_noise(tmp_path / "slides", labels=()), views=[(8, 4.0)])
    dataset = sampler.tensorflow(4, steps=4, workers=0)
    inputs = [keras.Input((edge, edge, 3)) for edge in (PX, 8)]
    means = [keras.layers.Lambda(lambda image: keras.ops.mean(image, (1, 2)))(image) for image in inputs]

    found = keras.Model(inputs, keras.layers.Concatenate()(means)).predict(dataset, verbose=0)

    near, far = sampler[0:4].images
    assert found == pytest.approx(np.concatenate([near.mean((1, 2)), far.mean((1, 2))], 1), abs=1e-3)
