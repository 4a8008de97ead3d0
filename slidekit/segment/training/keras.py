"""A U-Net in training, by Keras 3 on whatever framework Keras works with."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import keras  # type: ignore[import-untyped, import-not-found, unused-ignore]
import numpy as np
from numpy.typing import NDArray

from slidekit.errors import SpecError
from slidekit.io.atomic import atomic_write
from slidekit.segment.dice import DiceCount
from slidekit.segment.losses.keras import make_loss
from slidekit.segment.network.keras import build_unet
from slidekit.segment.training.base import ValidationBatch
from slidekit.slide.segmentation.config import SegmentConfig

__all__ = ["KerasTraining"]

_LEAST_SHARE_OF_LR = 0.01
# By name: the frameworks' own exceptions can only be imported with them.
_OUT_OF_MEMORY = {"ResourceExhaustedError", "OutOfMemoryError", "MemoryError"}


class KerasTraining:
    """A network with its optimizer (Adam; D. Kingma, J. Ba, ICLR 2015).

    Parameters
    ----------
    config
        Of the network and its training.
    """

    def __init__(self, config: SegmentConfig) -> None:
        self._config = config
        self._model = build_unet(config)
        self._loss = make_loss(config)
        self._optimizer = keras.optimizers.Adam(config.lr, clipnorm=1.0)
        # XLA compiles for longer than such a training takes.
        self._model.compile(optimizer=self._optimizer, loss=self._loss, jit_compile=False)
        self._optimizer.build(self._model.trainable_variables)

    def begin_epoch(self, epoch: int) -> float:
        """Set the learning rate of an epoch, from 1: half a cosine from `lr` down to a hundredth of it.

        Returns
        -------
        float
            The rate (I. Loshchilov, F. Hutter, *SGDR*, ICLR 2017, without restarts).
        """
        share = (1 + math.cos(math.pi * (epoch - 1) / max(1, self._config.epochs))) / 2
        rate = self._config.lr * (_LEAST_SHARE_OF_LR + (1 - _LEAST_SHARE_OF_LR) * share)
        self._optimizer.learning_rate = rate
        self._model.reset_metrics()
        return rate

    def step(self, images: NDArray[np.float32], targets: NDArray[Any]) -> float:
        """Learn from a batch.

        Parameters
        ----------
        images
            float32 (n, h, w, 3), RGB 0–255.
        targets
            (n, h, w, classes), 0 or 1.

        Returns
        -------
        float
            Mean loss since the epoch began.

        Raises
        ------
        SpecError
            If the loss is not a finite number, or memory runs out.
        """
        try:
            loss = float(self._model.train_on_batch(images, targets.astype(np.float32)))
        except Exception as error:
            if _is_out_of_memory(error):
                raise SpecError(
                    f"A batch of {len(images)} crops of {images.shape[2]} × {images.shape[1]} px needs more memory"
                    " than there is.",
                    mend="Give a smaller train_batch_size=, size= or filters=.",
                ) from error
            raise
        if not math.isfinite(loss):
            raise SpecError(
                f"The loss is not a number any more ({loss}).",
                mend=f"Give a smaller lr= than {self._config.lr:g}; the best network so far is in the folder.",
            )
        return loss

    def validate(self, batches: Iterable[ValidationBatch]) -> tuple[float, DiceCount]:
        """Apply the network to validation data as it is applied to slides.

        Parameters
        ----------
        batches
            Images and targets as `step` takes them, and weights, of which 0 takes a pixel out of the Dice.

        Returns
        -------
        float
            Mean loss of a crop, as a whole.
        DiceCount
            Over all pixels of all batches.
        """
        count = DiceCount(self._config.class_names)
        total, crops = 0.0, 0
        for images, targets, weights in batches:
            logits = self._model.predict_on_batch(images)
            tensors = [keras.ops.convert_to_tensor(array, "float32") for array in (targets, logits)]
            total += len(images) * float(self._loss(*tensors))
            crops += len(images)
            counted = weights > 0
            count.add((targets > 0) & counted, _decide(logits, self._config.mode) & counted)
        return total / max(1, crops), count

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything that learning goes on from: the network's weights and the optimizer's variables."""
        return {name: keras.ops.convert_to_numpy(variable.value) for name, variable in self._variables().items()}

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Go back to what `arrays` gave.

        Raises
        ------
        SpecError
            If these are not the arrays of this network.
        """
        variables = self._variables()
        shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
        if shapes != {name: array.shape for name, array in arrays.items()}:
            raise SpecError("The checkpoint is of another network.", mend="Train into another folder.")
        for name, variable in variables.items():
            variable.assign(arrays[name])

    def save_model(self, path: Path) -> None:
        """Write the network alone, as Keras' own file; an existing one is replaced in one step."""
        bare = keras.Model(self._model.input, self._model.output, name=self._model.name)
        with tempfile.TemporaryDirectory() as folder:
            # Keras wants a path of its own suffix.
            written = Path(folder) / "model.keras"
            bare.save(written)
            with atomic_write(path) as file:
                file.write(written.read_bytes())

    def _variables(self) -> dict[str, Any]:
        kinds = {"weight": self._model.weights, "optimizer": self._optimizer.variables}
        return {f"{kind}_{index}": item for kind, items in kinds.items() for index, item in enumerate(items)}


def _decide(logits: NDArray[np.float32], mode: str) -> NDArray[np.bool_]:
    if mode == "multiclass":
        return np.asarray(np.arange(logits.shape[-1]) == logits.argmax(axis=-1)[..., None])
    return np.asarray(logits > 0)


def _is_out_of_memory(error: Exception) -> bool:
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & _OUT_OF_MEMORY) or (isinstance(error, RuntimeError) and "not enough memory" in str(error))
