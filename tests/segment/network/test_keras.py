"""The U-Net: sizes, logits, and pixels that do not depend on the rest of the window."""

from __future__ import annotations

import numpy as np
import pytest

from slidekit.slide.segmentation.config import SegmentConfig

pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

import keras

from slidekit.segment.network.keras import build_unet

pytestmark = pytest.mark.tensorflow

CONFIG = SegmentConfig(filters=4, depth=2, size=16, mode="multiclass", labels=("a", "b"))


def apply(network: keras.Model, images: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(network(images.astype(np.float32), training=False))


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return build_unet(CONFIG)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (1, 96, 96, 3))


@pytest.mark.parametrize("size", [(4, 4), (8, 20), (16, 16)])
def test_takes_any_multiple(network: keras.Model, size: tuple[int, int]) -> None:
    assert apply(network, np.zeros((2, *size, 3))).shape == (2, *size, 3)


def test_its_output_is_no_probability(network: keras.Model, image: np.ndarray) -> None:
    logits = apply(network, image)
    assert logits.min() < 0
    assert not np.allclose(logits.sum(axis=-1), 1)


def test_pixels_far_from_the_border_of_a_window_do_not_know_of_it(network: keras.Model, image: np.ndarray) -> None:
    whole = apply(network, image)
    part = apply(network, image[:, 16:80, 8:72])
    assert np.allclose(part[:, 24:-24, 24:-24], whole[:, 40:56, 32:48], atol=1e-5)
    assert not np.allclose(part[:, :4], whole[:, 16:20, 8:72], atol=1e-3)


def test_a_seed_is_a_network(image: np.ndarray) -> None:
    again, other = build_unet(CONFIG), build_unet(CONFIG.model_copy(update={"seed": 1}))
    assert np.array_equal(apply(build_unet(CONFIG), image), apply(again, image))
    assert not np.allclose(apply(again, image), apply(other, image))


def test_has_two_convolutions_a_stage(network: keras.Model) -> None:
    convolutions = [layer.filters for layer in network.layers if type(layer).__name__ == "Conv2D"]
    assert convolutions == [4, 4, 8, 8, 16, 16, 8, 8, 4, 4, 3]
