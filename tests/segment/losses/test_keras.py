"""Losses against float64 formulas."""

from __future__ import annotations

import numpy as np
import pytest

from slidekit.slide.segmentation.config import SegmentConfig

pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

import keras

from slidekit.segment.losses.keras import make_loss

pytestmark = pytest.mark.tensorflow


def compute(config: SegmentConfig, targets: np.ndarray, logits: np.ndarray) -> float:
    tensors = [keras.ops.convert_to_tensor(array, "float32") for array in (targets, logits)]
    return float(make_loss(config)(*tensors))


def dice(targets: np.ndarray, shares: np.ndarray) -> float:
    values = []
    for index in range(targets.shape[-1]):
        t, p = targets[..., index].astype(float), shares[..., index]
        values.append((2 * (t * p).sum() + 1) / (t.sum() + p.sum() + 1))
    return 1 - float(np.mean(values))


@pytest.fixture
def logits() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 3, (2, 5, 6, 3))


@pytest.fixture
def planes() -> np.ndarray:
    return (np.random.default_rng(1).random((2, 5, 6, 3)) < 0.3).astype(np.uint8)


@pytest.fixture
def one_hot() -> np.ndarray:
    return np.eye(3, dtype=np.uint8)[np.random.default_rng(2).integers(0, 3, (2, 5, 6))]


def test_dice_of_planes(planes: np.ndarray, logits: np.ndarray) -> None:
    config = SegmentConfig(mode="multilabel", labels=("a", "b", "c"))
    assert compute(config, planes, logits) == pytest.approx(dice(planes, 1 / (1 + np.exp(-logits))), abs=1e-5)


def test_dice_of_classes(one_hot: np.ndarray, logits: np.ndarray) -> None:
    shares = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    config = SegmentConfig(mode="multiclass", labels=("a", "b"))
    assert compute(config, one_hot, logits) == pytest.approx(dice(one_hot, shares), abs=1e-5)


def test_cross_entropy_of_planes(planes: np.ndarray, logits: np.ndarray) -> None:
    shares = 1 / (1 + np.exp(-logits))
    wanted = -np.mean(planes * np.log(shares) + (1 - planes) * np.log(1 - shares))
    config = SegmentConfig(mode="multilabel", labels=("a", "b", "c"), loss="bce")
    assert compute(config, planes, logits) == pytest.approx(wanted, rel=1e-4)


def test_cross_entropy_of_classes(one_hot: np.ndarray, logits: np.ndarray) -> None:
    shares = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    wanted = -np.mean(np.log(shares[one_hot > 0]))
    config = SegmentConfig(mode="multiclass", labels=("a", "b"), loss="ce")
    assert compute(config, one_hot, logits) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("loss", ["dice", "bce"])
def test_stays_finite_where_a_network_is_certain(loss: str) -> None:
    targets = np.zeros((1, 4, 4, 1))
    assert np.isfinite(compute(SegmentConfig(loss=loss), targets, np.full((1, 4, 4, 1), 1e4)))
    assert compute(SegmentConfig(loss=loss), targets, np.full((1, 4, 4, 1), -1e4)) == pytest.approx(0, abs=1e-6)
