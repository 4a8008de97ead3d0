"""DeepFocus: the published architecture, and every way in which its weights are kept."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest

from slidekit.errors import QCError
from slidekit.slide.fate import Fate
from slidekit.slide.qc.deepfocus import DeepFocus
from tests.slide.qc.contract import open_wsi

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:::keras"),
    pytest.mark.filterwarnings("ignore:::tensorflow"),
]


@pytest.fixture(scope="module")
def networks():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what TensorFlow does on import is not ours
        pytest.importorskip("tensorflow")
        from slidekit.slide.qc.networks import keras

        return keras


@pytest.fixture(scope="module")
def network(networks):
    """Random weights, moving means and variances among them."""
    model = networks.build_deepfocus()
    random = np.random.default_rng(0)
    for layer in model.layers:
        if layer.name.startswith("BatchNormalization"):
            layer.set_weights([random.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    return model


@pytest.fixture
def small_slide(make_slide, tissue: np.ndarray) -> Path:
    """3 × 2 patches at 40x."""
    return make_slide(tissue[300:428, 300:492], (0.25, 0.25), factors=())


@pytest.fixture
def ckpt(network, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The same weights as whole models, as weights alone, and as TFLearn's checkpoint calls them."""
    path = tmp_path / request.param
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if request.param == "ver5":
            write_checkpoint(network, path)
        elif request.param.endswith(".weights.h5"):
            network.save_weights(path)
        else:
            network.save(path)
    return path


def write_checkpoint(network, path: Path) -> None:
    import tensorflow as tf

    parts = {"kernel": "W", "bias": "b"}
    arrays = {
        f"{layer.name}/{parts.get(weight.name, weight.name)}": np.asarray(weight)
        for layer in network.layers
        for weight in layer.weights
    }
    # What an optimiser leaves in it must not be taken for weights.
    arrays |= {"Conv2D/W/Momentum": np.zeros(3, np.float32), "Global_Step": np.float32(7), "is_training": np.float32(0)}
    tf.raw_ops.SaveV2(
        prefix=str(path), tensor_names=list(arrays), shape_and_slices=[""] * len(arrays), tensors=list(arrays.values())
    )


@pytest.mark.parametrize("ckpt", ["ver5", "deep.weights.h5", "deep.keras", "deep.h5"], indirect=True)
def test_gives_the_scores_of_its_weights(network, ckpt: Path, small_slide: Path) -> None:
    # Arrange
    with open_wsi(small_slide) as wsi:
        image = wsi.overview(192, 128)[:64, :64].astype(np.float32)[None] / 255
        wanted = np.asarray(network(image - image.mean(), training=False))[0, 1]

        # Act
        method = pickle.loads(pickle.dumps(DeepFocus(ckpt)))
        found = method(wsi, threshold=False)

    # Assert
    assert found.shape == (2, 3)
    assert 0 < found.min() < found.max() < 1
    np.testing.assert_allclose(found[0, 0], wanted, atol=1e-5)


@pytest.mark.parametrize("ckpt", ["deep.weights.h5"], indirect=True)
def test_is_a_method_for_what_is_out_of_focus(ckpt: Path, small_slide: Path) -> None:
    method = DeepFocus(ckpt=ckpt, tile_um="20x", pred_threshold=-1)

    with open_wsi(small_slide) as wsi:
        wsi.qc(method)
        assert wsi.qc_masks[0].mask.all()
    assert (method.name, method.reason, method.buffer) == ("deepfocus", Fate.OUT_OF_FOCUS, 16)
    assert method.parameters()["tile_um"] == "20x"
    assert method.parameters().keys() == {"model", "overlap", "pred_idx", "pred_threshold", "tile_px", "tile_um"}
    assert "deep.weights.h5 sha256:" in method.parameters()["model"]


def test_without_weights_it_says_where_they_are_to_be_had() -> None:
    with pytest.raises(QCError, match="jamesdolezal/deepfocus"):
        DeepFocus()
    with pytest.raises(QCError, match="no such model"):
        DeepFocus("/nowhere/ver5")


def test_weights_that_do_not_fit_are_compared(networks, tmp_path: Path, small_slide: Path) -> None:
    keras = networks.keras
    other = keras.Sequential([keras.Input((64, 64, 3)), keras.layers.Conv2D(7, 5, name="Conv2D")])
    write_checkpoint(other, tmp_path / "other")
    other.save_weights(tmp_path / "other.weights.h5")

    for name in ("other", "other.weights.h5"):
        with open_wsi(small_slide) as wsi, pytest.raises(QCError, match=r"not weights of DeepFocus.*32") as caught:
            DeepFocus(tmp_path / name)(wsi)
        assert "(5, 5, 3, 7)" in str(caught.value) or name.endswith("h5")


def test_the_architecture_is_the_published_one(networks) -> None:
    model = networks.build_deepfocus()

    shapes = {layer.name: tuple(layer.weights[0].shape) for layer in model.layers if layer.weights}
    assert [shape for name, shape in shapes.items() if name.startswith("Conv2D")] == [
        (5, 5, 3, 32), (3, 3, 32, 32), (3, 3, 32, 64), (3, 3, 64, 128), (3, 3, 128, 128),
    ]  # fmt: skip
    assert [shape for name, shape in shapes.items() if name.startswith("Fully")] == [(8192, 128), (128, 64), (64, 2)]
    assert model.output_shape == (None, 2)


@pytest.mark.parametrize("ckpt", ["ver5"], indirect=True)
def test_a_file_of_a_checkpoint_stands_for_it_and_all_have_to_be_there(ckpt: Path) -> None:
    whole = DeepFocus(ckpt).parameters()

    assert DeepFocus(f"{ckpt}.index").parameters() == whole
    ckpt.with_name("ver5.data-00000-of-00001").unlink()
    with pytest.raises(QCError, match=r"ver5\.data-00000-of-00001 is missing"):
        DeepFocus(ckpt)
