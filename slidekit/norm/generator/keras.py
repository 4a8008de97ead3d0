"""Generators of Keras: files ``.keras`` and ``.h5``."""

from __future__ import annotations

import multiprocessing
import os
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import NormalizerError
from slidekit.norm.generator.base import InputShape, check_channels, check_output

# Keras imports it: in a process that was forked it tells whether the other one had it.
_HAD_TENSORFLOW = "tensorflow" in sys.modules

import keras  # type: ignore[import-untyped, import-not-found, unused-ignore]  # noqa: E402

__all__ = ["KerasGenerator", "load"]


def load(path: str) -> KerasGenerator:
    """Load a model, channels last.

    Parameters
    ----------
    path
        The file. Keras' safe mode refuses Python code in it; layers of one's own have to be registered with
        ``keras.saving.register_keras_serializable`` before.

    Raises
    ------
    NormalizerError
        If it is damaged, holds weights alone or what safe mode refuses, or does not take RGB images.
    """
    if _HAD_TENSORFLOW and type(multiprocessing.current_process()).__name__ == "ForkProcess":
        raise _inherited(path)
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise NormalizerError(
            f"Keras cannot load the generator: {_first_line(error)}",
            mend="Give a whole model, saved with model.save(path); register its own layers with Keras before;"
            " Python code in Lambda layers is not allowed.",
            path=path,
        ) from error
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise NormalizerError(
            f"The generator has {len(model.inputs)} inputs and {len(model.outputs)} outputs.",
            mend="Give a generator of one image from one image.",
            path=path,
        )
    return KerasGenerator(path, model)


class KerasGenerator:
    """A model of Keras as a `slidekit.norm.generator.base.Generator`.

    Parameters
    ----------
    path
        Its file, for messages.
    model
        A `keras.Model` that takes and gives (n, h, w, 3).
    """

    def __init__(self, path: str, model: Any) -> None:
        shape = tuple(model.inputs[0].shape)
        check_channels(path, shape, channel_axis=3)
        batch, height, width, _ = shape
        self.shape = InputShape(batch, height, width)
        self._path = path
        self._model = model
        self._process = os.getpid()

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Images in other colours; see `slidekit.norm.generator.base.Generator`."""
        if os.getpid() != self._process:
            raise _inherited(self._path)
        try:
            output = keras.ops.convert_to_numpy(self._model(batch, training=False))
        except (ValueError, TypeError, RuntimeError) as error:
            raise NormalizerError(
                f"The generator cannot work on {batch.shape}: {_first_line(error)}",
                mend="Give a generator for images of any size, or of a fixed one.",
                path=self._path,
            ) from error
        return check_output(self._path, output, batch.shape)


def _inherited(path: str) -> NormalizerError:
    """The error of a process that was forked from one that uses TensorFlow, whose threads it lacks: it would hang."""
    return NormalizerError(
        "The generator cannot work in a process that was forked from one that uses TensorFlow.",
        mend='Start workers anew, with multiprocessing_context="spawn", or use none.',
        path=path,
    )


def _first_line(error: Exception) -> str:
    text = str(error.args[0] if error.args else error).strip()
    return text.partition("\n")[0][:300] or type(error).__name__
