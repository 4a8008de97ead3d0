"""Whatever a user calls a model, as a scorer."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from slidekit.errors import QCError
from slidekit.slide.qc.scorers.base import Scorer
from slidekit.slide.qc.scorers.files import FileScorer
from slidekit.slide.qc.scorers.plain import PlainScorer

__all__ = ["resolve_scorer"]


def resolve_scorer(model: Any) -> Scorer:
    """Make a scorer of a model.

    Parameters
    ----------
    model
        A Keras model; a module of torch; the path of a file (``.keras``, ``.h5``, ``.pt2``, ``.pt``, ``.onnx``); a
        scorer; or any callable from a batch (n, h, w, 3) to scores (n, classes).

    Returns
    -------
    Scorer
        Only one of a file, or of a function that Python finds by its name, can be sent to other processes.

    Raises
    ------
    QCError
        If it is none of these, or there is no such file.
    MissingExtraError
        If the framework of a file is not installed.
    """
    if isinstance(model, str | Path):
        return FileScorer(model)
    if hasattr(type(model), "key") and hasattr(type(model), "window") and callable(model):
        scorer: Scorer = model
        return scorer
    # By the names of its classes' modules: a framework that nobody uses must not be imported to find out.
    frameworks = {kind.__module__.partition(".")[0] for kind in type(model).__mro__}
    if "keras" in frameworks:
        from slidekit.slide.qc.scorers.keras import KerasScorer

        return KerasScorer(model)
    if "torch" in frameworks:
        from slidekit.slide.qc.scorers.torch import TorchScorer

        return TorchScorer(model)
    if "tf_keras" in frameworks:
        return PlainScorer(functools.partial(model, training=False))
    if callable(model):
        return PlainScorer(model)
    raise QCError(
        f"{type(model).__name__} is not a model.",
        mend="Give a Keras model, a torch module, the path of a model's file, or a function of a batch of images.",
    )
