"""Keras models as scorers; training is off for each call, and nothing of Keras' global state is touched."""

from __future__ import annotations

import sys
import zipfile
import zlib
from typing import Any

import keras  # type: ignore[import-untyped, import-not-found, unused-ignore]
import numpy as np
import numpy.typing as npt

from slidekit.errors import QCError
from slidekit.slide.fingerprint import fingerprint
from slidekit.slide.qc.scorers.base import FAILURES, Images, Scores, in_batches, sentence, to_scores

__all__ = ["KerasScorer", "load", "load_model"]


def load_model(path: str) -> Any:
    """Load a whole model; Keras' safe mode refuses Python code in it.

    Raises
    ------
    QCError
        If the file is damaged, or holds weights alone or what safe mode refuses.
    """
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (*FAILURES, zipfile.BadZipFile, zlib.error) as error:
        raise QCError(
            f"Keras cannot load the model: {sentence(error)}",
            mend="Fetch it again if it is damaged. It must be a whole model, saved with model.save(path); register its"
            " own layers with Keras before; Python code in Lambda layers is not allowed.",
            path=path,
        ) from error


def load(path: str, key: str) -> KerasScorer:
    """Load a model that takes images, channels last; `load_model` says what is raised."""
    return KerasScorer(load_model(path), key, path)


class KerasScorer:
    """A model of Keras as a `slidekit.slide.qc.scorers.base.Scorer`.

    Parameters
    ----------
    model
        Takes (n, h, w, 3), float32.
    key
        What its scores depend on; None makes one of its weights.
    path
        Its file, for messages.

    Raises
    ------
    QCError
        If the model has several inputs, takes no RGB images, or has no weights because it was never built.
    """

    def __init__(self, model: Any, key: str | None = None, path: str | None = None) -> None:
        self._model = model
        self._path = path
        self._key = key
        if not getattr(model, "built", True):
            raise QCError(
                "This model of Keras has no weights yet: it was never built.",
                mend="Call it once on an empty batch before, such as model(np.zeros((1, 64, 64, 3), 'float32')).",
                path=path,
            )
        # A subclass of keras.Model does not know its inputs.
        inputs = getattr(model, "inputs", None) or []
        shape = tuple(inputs[0].shape) if inputs else (None, None, None, 3)
        if len(inputs) > 1 or len(shape) != 4 or shape[3] not in (3, None):
            raise QCError(
                f"The model takes {[tuple(one.shape) for one in inputs]}, not (n, h, w, 3).",
                mend="Give a Keras model of RGB images, channels last.",
                path=path,
            )
        self.window: tuple[int, int] | None = shape[1:3] if None not in shape[1:3] else None
        self._batch: int | None = shape[0]

    @property
    def key(self) -> str:
        """What the scores depend on: a file, or the class, its code, its settings and the weights as they are now."""
        if self._key is not None:
            return self._key
        return f"{type(self._model).__module__}.{type(self._model).__qualname__} weights:{fingerprint(self._model)}"

    def __call__(self, batch: Images) -> Scores:
        """Scores of a batch; see `slidekit.slide.qc.scorers.base.Scorer`."""
        return in_batches(self._run, np.asarray(batch, np.float32), self._batch)

    def _run(self, images: npt.NDArray[np.float32]) -> Scores:
        try:
            return to_scores(self._model(images, training=False))
        except _failures() as error:
            raise QCError(
                f"The model cannot work on images of shape {images.shape}: {sentence(error)}",
                mend="Set tile_px to the size of the images that it was made for.",
                path=self._path,
            ) from error


def _failures() -> tuple[type[Exception], ...]:
    """With what TensorFlow raises, where Keras works on it."""
    tensorflow = sys.modules.get("tensorflow")
    return FAILURES if tensorflow is None else (*FAILURES, tensorflow.errors.OpError)
