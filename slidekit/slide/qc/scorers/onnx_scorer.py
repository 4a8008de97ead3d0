"""ONNX networks as scorers, whichever runtime runs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from slidekit.errors import QCError
from slidekit.slide.qc.scorers.base import Images, Scores, in_batches, sentence, to_scores
from slidekit.slide.qc.scorers.onnx_header import input_shape

__all__ = ["ONNXScorer"]

Run = Callable[[npt.NDArray[np.float32]], Any]


class ONNXScorer:
    """An ONNX network as a `slidekit.slide.qc.scorers.base.Scorer`.

    Parameters
    ----------
    path
        Its file, which says whether it takes channels first, (n, 3, h, w), or last.
    key
        What its scores depend on.
    run
        Runs it on an array as it takes it.
    failures
        What `run` raises where it cannot.

    Raises
    ------
    QCError
        If it takes no RGB images.
    """

    def __init__(self, path: str, key: str, run: Run, failures: tuple[type[Exception], ...]) -> None:
        self.key = key
        self._path = path
        self._run = run
        self._failures = failures
        shape = input_shape(path)
        if 3 not in (shape[1], shape[3]) and None not in (shape[1], shape[3]):
            raise QCError(f"The network takes {shape}, not RGB images.", mend="Give one of RGB images.", path=path)
        self._batch = shape[0]
        # Channels come first in ONNX; networks that were converted from TensorFlow may have them last.
        self._last = shape[3] == 3 and shape[1] != 3
        height, width = shape[1:3] if self._last else shape[2:4]
        self.window = (height, width) if height and width else None

    def __call__(self, batch: Images) -> Scores:
        """Scores of a batch; see `slidekit.slide.qc.scorers.base.Scorer`."""
        images = np.asarray(batch, np.float32)
        if self.window not in (None, images.shape[1:3]):
            # OpenCV would make something of them all the same.
            raise self._unfit(images)
        if not self._last:
            images = np.moveaxis(images, 3, 1)
        scores = in_batches(self._run_checked, images, self._batch)
        return np.moveaxis(scores, 1, 3) if scores.ndim == 4 and not self._last else scores

    def _run_checked(self, images: npt.NDArray[np.float32]) -> Scores:
        try:
            return to_scores(self._run(np.ascontiguousarray(images)))
        except self._failures as error:
            raise self._unfit(images, f": {sentence(error)}") from error

    def _unfit(self, images: npt.NDArray[np.float32], why: str = ".") -> QCError:
        return QCError(
            f"The network cannot work on images of shape {images.shape}{why}",
            mend="Set tile_px to the size of the images that it was made for.",
            path=self._path,
        )
