"""Keras models as scorers: the same numbers as a computation in float64."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from slidekit.errors import QCError
from slidekit.slide.fingerprint import describe_callable
from slidekit.slide.qc.scorers.resolve import resolve_scorer
from tests.slide.qc.scorers import small_networks as small

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:::keras"),
    pytest.mark.filterwarnings("ignore:::tensorflow"),
]


@pytest.fixture(scope="module")
def keras():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what TensorFlow does on import is not ours
        pytest.importorskip("tensorflow")
        return pytest.importorskip("keras")


def model(keras, *, first=(), size: int | None = small.SIZE):
    layers = keras.layers
    convolution = layers.Conv2D(2, 3, activation="relu", name="convolution")
    net = keras.Sequential([keras.Input((size, size, 3)), *first, convolution, layers.GlobalAveragePooling2D()])
    convolution.set_weights([small.KERNEL, small.BIAS])
    return net


def test_a_model_gives_the_scores_of_its_weights(keras) -> None:
    scorer = resolve_scorer(model(keras))

    np.testing.assert_allclose(scorer(small.batch()), small.scores(small.batch()), atol=1e-6)
    assert scorer.window == (small.SIZE, small.SIZE)
    assert resolve_scorer(model(keras, size=None)).window is None


def test_training_is_off_and_the_policy_is_the_users(keras) -> None:
    net = model(keras, first=[keras.layers.BatchNormalization(), keras.layers.Dropout(0.9)])
    before = [weight.numpy().copy() for weight in net.weights]

    found = resolve_scorer(net)(small.batch())

    np.testing.assert_allclose(found, small.scores(small.batch()), atol=1e-2)
    assert all(np.array_equal(weight.numpy(), old) for weight, old in zip(net.weights, before, strict=True))
    assert keras.mixed_precision.global_policy().name == "float32"


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore:You are saving")
def test_files_give_the_scores_of_their_weights(keras, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"small{suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model(keras).save(path)

    scorer = resolve_scorer(path)

    np.testing.assert_allclose(scorer(small.batch()), small.scores(small.batch()), atol=1e-6)
    assert path.name in scorer.key


def test_its_key_follows_the_weights(keras) -> None:
    net = model(keras)
    before = resolve_scorer(net).key

    net.get_layer("convolution").set_weights([small.KERNEL, small.BIAS + 1])

    assert resolve_scorer(net).key != before
    assert resolve_scorer(model(keras)).key == before


def test_what_it_cannot_take_is_told(keras, tmp_path: Path) -> None:
    (tmp_path / "damaged.keras").write_bytes(b"no model")

    with pytest.raises(QCError, match="cannot load"):
        resolve_scorer(tmp_path / "damaged.keras")(small.batch())
    with pytest.raises(QCError, match="channels last"):
        resolve_scorer(keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()]))
    with pytest.raises(QCError, match="cannot work on images"):
        resolve_scorer(model(keras))(np.zeros((1, 2, 2, 3), np.float32))


@pytest.mark.filterwarnings("ignore:You are saving")
def test_a_file_that_was_cut_off_is_told(keras, tmp_path: Path) -> None:
    path = tmp_path / "small.keras"
    model(keras).save(path)
    for share in (2, 3):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // share])
        with pytest.raises(QCError, match=r"small\.keras.*cannot load"):
            resolve_scorer(path)(small.batch())


def test_a_model_that_was_never_built_is_refused(keras) -> None:
    net = keras.Sequential([keras.layers.Conv2D(2, 3), keras.layers.GlobalAveragePooling2D()])
    with pytest.raises(QCError, match="never built"):
        resolve_scorer(net)
    with pytest.raises(QCError, match="never built"):
        describe_callable(lambda images: net(images))

    net(small.batch())

    assert resolve_scorer(net)(small.batch()).shape == (5, 2)


def test_a_model_that_a_function_uses_counts_by_its_weights(keras) -> None:
    net = model(keras)

    def function(images):
        return net(images)

    before = describe_callable(function)

    net.get_layer("convolution").set_weights([small.KERNEL, small.BIAS + 1])

    assert describe_callable(function) != before
