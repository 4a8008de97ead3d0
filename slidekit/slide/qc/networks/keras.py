"""DeepFocus in Keras, and the ways in which its weights are kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras  # type: ignore[import-untyped, import-not-found, unused-ignore]
import numpy as np
import numpy.typing as npt

from slidekit.errors import MissingExtraError, QCError
from slidekit.slide.qc.scorers.base import FAILURES, sentence
from slidekit.slide.qc.scorers.keras import KerasScorer, load_model

__all__ = ["build_deepfocus", "load"]

# (filters, edge of the kernel, whether maxima of 2 × 2 are taken after it)
_CONVOLUTIONS = ((32, 5, False), (32, 3, False), (64, 3, True), (128, 3, True), (128, 3, True))
_DENSE = (128, 64)
_DROPOUT = 0.2
_CLASSES = 2

_TFLEARN_EPSILON = 1e-5
"""What TFLearn adds to a variance, with which the published weights were trained (its documentation of
``batch_normalization``)."""

_PARTS = ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")
_TFLEARN_PARTS = {"W": "kernel", "b": "bias"}

Array = npt.NDArray[np.float32]


def build_deepfocus() -> Any:
    """DeepFocus' network, with random weights.

    Returns
    -------
    keras.Model
        From float32 (n, 64, 64, 3), centred, to (n, 2): probabilities of in and out of focus.

    Notes
    -----
    Five convolutions ("same"), each followed by ReLU and batch normalisation, the last three by maxima of 2 × 2; two
    dense layers of 128 and 64 units, each followed by ReLU, batch normalisation and dropout of 0.2; a softmax of 2.
    Paper: C. Senaras et al., PLOS ONE 13(10), 2018, e0205387. Sizes and order are those that its code in TFLearn (model
    ``deepfocus_v3``) and the TF2 fork with the weights (github.com/jamesdolezal/deepfocus) agree on. Layers have the
    fork's names, by which its checkpoint calls them.
    """
    layers = keras.layers

    def normalize(number: int) -> Any:
        return layers.BatchNormalization(epsilon=_TFLEARN_EPSILON, name=_numbered("BatchNormalization", number))

    inputs = keras.Input((64, 64, 3), name="input")
    values = inputs
    for number, (filters, edge, pool) in enumerate(_CONVOLUTIONS):
        name = _numbered("Conv2D", number)
        values = layers.Conv2D(filters, edge, padding="same", activation="relu", name=name)(values)
        values = normalize(number)(values)
        if pool:
            values = layers.MaxPooling2D(2)(values)
    values = layers.Flatten()(values)
    for number, units in enumerate(_DENSE):
        values = layers.Dense(units, activation="relu", name=_numbered("FullyConnected", number))(values)
        values = normalize(len(_CONVOLUTIONS) + number)(values)
        values = layers.Dropout(_DROPOUT)(values)
    last = _numbered("FullyConnected", len(_DENSE))
    outputs = layers.Dense(_CLASSES, activation="softmax", name=last)(values)
    return keras.Model(inputs, outputs, name="deepfocus")


def load(path: str, key: str) -> KerasScorer:
    """Load weights into the network, or a whole model instead of it.

    Parameters
    ----------
    path
        A whole model (``.keras``, ``.h5``), weights (``.weights.h5``, ``.h5``), or the prefix of a checkpoint of
        TensorFlow, of which there is ``{path}.index``.
    key
        Of the scorer.

    Raises
    ------
    QCError
        If the file is damaged, or the weights do not fit: the message compares shapes.
    MissingExtraError
        If it is a checkpoint of TensorFlow, and TensorFlow is not installed.
    """
    if not Path(path).is_file():
        return KerasScorer(_with_arrays(build_deepfocus(), _read_checkpoint(path), path), key, path)
    if path.endswith(".weights.h5") or (path.endswith((".h5", ".hdf5")) and not _is_whole_model(path)):
        model = build_deepfocus()
        try:
            model.load_weights(path)
        except FAILURES as error:
            raise QCError(
                f"These are not weights of DeepFocus: {sentence(error)}",
                mend=f"Its weights are {_shapes(model)}.",
                path=path,
            ) from error
        return KerasScorer(model, key, path)
    return KerasScorer(load_model(path), key, path)


def _numbered(name: str, number: int) -> str:
    return f"{name}_{number}" if number else name


def _is_whole_model(path: str) -> bool:
    import h5py  # type: ignore[import-untyped, import-not-found, unused-ignore]  # comes with Keras

    try:
        with h5py.File(path) as file:
            return "model_config" in file.attrs
    except OSError as error:
        raise QCError("This is no HDF5 file, or a damaged one.", mend="Fetch it again.", path=path) from error


def _read_checkpoint(path: str) -> dict[str, Array]:
    """Arrays of a checkpoint by layer and part, such as ``Conv2D_1/kernel``."""
    try:
        import tensorflow as tf  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError as error:
        raise MissingExtraError(
            "A checkpoint of TensorFlow needs TensorFlow, which is not installed.",
            mend="Install it with: pip install 'slidekit[tensorflow]'.",
            path=path,
        ) from error
    try:
        reader = tf.train.load_checkpoint(path)
        names = reader.get_variable_to_shape_map()
        arrays = {_part_of(name): reader.get_tensor(name) for name in names if _part_of(name)}
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise QCError(
            f"TensorFlow cannot read the checkpoint: {sentence(error)}", mend="Fetch its files again.", path=path
        ) from error
    return {str(name): np.asarray(array, np.float32) for name, array in arrays.items()}


def _part_of(name: str) -> str | None:
    """Layer and part of a variable, by TFLearn's names or Keras'; None of what optimisers keep."""
    match = re.fullmatch(r"([^/]+)/(\w+)(?::0)?", name)
    part = match and _TFLEARN_PARTS.get(match[2], match[2])
    return f"{match[1]}/{part}" if match and part in _PARTS else None


def _with_arrays(model: Any, arrays: Mapping[str, Array], path: str) -> Any:
    wrong = []
    for layer in model.layers:
        for weight in layer.weights:
            name = f"{layer.name}/{weight.name}"
            found = arrays.get(name)
            if found is None or found.shape != tuple(weight.shape):
                has = "is missing" if found is None else f"is {found.shape}"
                wrong.append(f"{name} {has}, wanted {tuple(weight.shape)}")
            else:
                weight.assign(found)
    if wrong:
        raise QCError(
            f"These are not weights of DeepFocus: {'; '.join(wrong[:4])}{'; …' if len(wrong) > 4 else ''}.",
            mend="Give the checkpoint of the published network, or a whole model.",
            path=path,
        )
    return model


def _shapes(model: Any) -> str:
    return ", ".join(f"{layer.name} {tuple(layer.weights[0].shape)}" for layer in model.layers if layer.weights)
