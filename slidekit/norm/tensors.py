"""The way to the implementations in torch and TensorFlow, which are imported when a tensor comes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from slidekit.errors import MissingExtraError, NormalizerError
from slidekit.norm.fitting import Values
from slidekit.norm.layout import Layout

__all__ = ["BACKENDS", "NATIVE_METHODS", "check_backend", "normalize_tensor", "perturb_in_graph"]

BACKENDS: Mapping[str, str | None] = {"numpy": None, "opencv": None, "tensorflow": "tensorflow", "torch": "torch"}
"""Names of backends, each with the framework that it needs."""

NATIVE_METHODS = ("macenko", "macenko_fast", "reinhard", "reinhard_fast", "reinhard_fast_mask", "reinhard_mask")
"""Methods that torch and TensorFlow have."""


def check_backend(backend: str | None) -> None:
    """Make sure that a backend can be had.

    Parameters
    ----------
    backend
        One of `BACKENDS`, or None.

    Raises
    ------
    NormalizerError
        If there is no such backend.
    MissingExtraError
        If its framework is not installed.
    """
    if backend is None:
        return
    if backend not in BACKENDS:
        raise NormalizerError(
            f"backend={backend!r} is not a backend of stain normalisation.", mend=f"Use one of {', '.join(BACKENDS)}."
        )
    framework = BACKENDS[backend]
    if framework is not None and find_spec(framework) is None:
        raise MissingExtraError(
            f"backend={backend!r} needs {framework}, which is not installed.",
            mend=f"Install it with: pip install 'slidekit[{framework}]'.",
        )


def normalize_tensor(method: str, fit: Values, images: Any, layout: Layout, context: Values | None) -> Any:
    """Normalise a tensor in its own framework.

    Parameters
    ----------
    method
        One of `NATIVE_METHODS`.
    fit
        Numbers of the fit; with a first axis for a fit of each image.
    images
        The tensor.
    layout
        How it is laid out.
    context
        Numbers of the context, or None.
    """
    native = import_module(f"slidekit.norm.{layout.framework}")
    # torch warns of arrays that are read-only, as those of a fit are.
    fit, context = _writable(fit), None if context is None else _writable(context)
    normalize = native.normalize
    if layout.in_graph:
        # There is nothing in it that AutoGraph would have to rewrite, for which it takes seconds.
        normalize = sys.modules["tensorflow"].autograph.experimental.do_not_convert(normalize)
    batch, _ = normalize(method, fit, layout.to_native(images), context=context)
    return layout.from_native(batch)


def _writable(values: Values) -> dict[str, Any]:
    return {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in values.items()}


def perturb_in_graph(fit: Values, stdev: Values, images: Any, layout: Layout, seed: Any) -> Values:
    """Draw a fit for each image within a graph of TensorFlow.

    Raises
    ------
    NormalizerError
        If there is no seed: what is drawn while the graph is made would be the same in every run of it.
    """
    if seed is None:
        raise NormalizerError(
            "Stain augmentation in a graph of TensorFlow needs a seed for every call.",
            mend="Zip the images with tf.data.Dataset.counter() or .random(), and give seed= an int64 tensor (2,).",
        )
    count = sys.modules["tensorflow"].shape(images)[0] if layout.batch else 1
    native = import_module("slidekit.norm.tensorflow")
    drawn: Values = native.perturb(_writable(fit), _writable(stdev), seed, count=count)
    return drawn
