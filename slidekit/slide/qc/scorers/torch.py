"""Networks of torch as scorers: modules, programs of `torch.export` (``.pt2``), and TorchScript (``.pt``)."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch  # type: ignore[import-not-found, unused-ignore]

from slidekit.errors import QCError
from slidekit.slide.fingerprint import fingerprint
from slidekit.slide.qc.scorers.base import FAILURES, Images, Scores, in_batches, sentence, to_scores

__all__ = ["TorchScorer", "load"]

_FAILURES = (*FAILURES, pickle.UnpicklingError, zipfile.BadZipFile)
"""What torch raises on files that are damaged, and on tensors that a network does not take."""


def load(path: str, key: str) -> TorchScorer:
    """Load a program, onto the CPU. Only programs are loaded, no pickled Python objects.

    Raises
    ------
    QCError
        If the file is damaged, or no program: weights alone, or a module of `torch.save`.
    """
    try:
        if path.lower().endswith(".pt2"):
            program = torch.export.load(path)
            return TorchScorer(program.module(), key, path, shape=_exported_shape(program))
        with warnings.catch_warnings():
            # torch 2.13 deprecates TorchScript; whoever has such a file cannot mend it.
            warnings.filterwarnings("ignore", message=".*torch.jit.*deprecated", category=DeprecationWarning)
            script = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call, unused-ignore]
        return TorchScorer(script, key, path)
    except _FAILURES as error:
        why = "torch.save wrote this file: it holds pickled Python objects, a module or weights alone, and no program."
        raise QCError(
            why if _is_pickle(path) else f"torch cannot load the model: {sentence(error)}",
            mend="Give a program saved with torch.export.save (.pt2) or torch.jit.save (.pt), not weights alone.",
            path=path,
        ) from error


def _is_pickle(path: str) -> bool:
    """Whether a file is one of `torch.save`, which has no program's code in it."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False
    return any(name.endswith("data.pkl") for name in names) and not any("/code/" in name for name in names)


def _exported_shape(program: Any) -> tuple[int | None, ...]:
    """The shape that a program was exported for; lengths that were left open are symbols in it."""
    names = program.graph_signature.user_inputs
    nodes = [node for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
    return tuple(length if isinstance(length, int) else None for length in nodes[0].meta["val"].shape)


class TorchScorer:
    """A network of torch as a `slidekit.slide.qc.scorers.base.Scorer`; it works where its weights are.

    Parameters
    ----------
    module
        Takes (n, 3, h, w) on the device and of the type of its weights; gives (n, classes) or (n, classes, h', w').
    key
        What its scores depend on; None makes one of its weights.
    path
        Its file, for messages.
    shape
        What it takes; None where any length will do.
    """

    def __init__(
        self,
        module: Any,
        key: str | None = None,
        path: str | None = None,
        *,
        shape: tuple[int | None, ...] = (None, 3, None, None),
    ) -> None:
        self._module = module
        self._key = key
        self._path = path
        self._batch = shape[0]
        height, width = shape[2:]
        self.window = (height, width) if height and width else None

    @property
    def key(self) -> str:
        """What the scores depend on: a file, or the class, its code, its settings and the weights as they are now."""
        if self._key is not None:
            return self._key
        return f"{type(self._module).__module__}.{type(self._module).__qualname__} weights:{fingerprint(self._module)}"

    def __call__(self, batch: Images) -> Scores:
        """Scores of a batch; see `slidekit.slide.qc.scorers.base.Scorer`."""
        images = np.ascontiguousarray(np.moveaxis(np.asarray(batch, np.float32), 3, 1))
        scores = in_batches(self._run, images, self._batch)
        return np.moveaxis(scores, 1, 3) if scores.ndim == 4 else scores

    def _run(self, images: npt.NDArray[np.float32]) -> Scores:
        try:
            with torch.inference_mode(), _evaluating(self._module):
                return to_scores(self._module(self._tensor(images)))
        except _FAILURES as error:
            raise QCError(
                f"The model cannot work on images of shape {images.shape}: {sentence(error)}",
                mend="It must take (n, 3, h, w), and tile_px must be the size that it was made for.",
                path=self._path,
            ) from error

    def _tensor(self, images: npt.NDArray[np.float32]) -> Any:
        weights = [*self._module.parameters(), *self._module.buffers()]
        tensor = torch.from_numpy(images)
        if not weights:
            return tensor
        kind = next((weight.dtype for weight in weights if weight.is_floating_point()), torch.float32)
        return tensor.to(weights[0].device, kind)


@contextmanager
def _evaluating(module: Any) -> Iterator[None]:
    """Batch normalisation and dropout as in use, and afterwards as each part was: it may be in training."""
    parts = [part for part in module.modules() if part.training]
    for part in parts:
        part.training = False
    try:
        yield
    finally:
        for part in parts:
            part.training = True
