"""What a network of torch or Keras is, so that another one is not taken for it; neither framework is imported."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from slidekit.errors import QCError

__all__ = ["network_content"]

Describe = Callable[[Any], Any]
"""Describes a value that is found in a network."""

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_NAME = re.compile(r"(?<!DTypePolicy', 'config': {)'name': '([^']*)'")
_WORD = re.compile(r"'([^']*)'")

_CHANGING = frozenset(
    (
        *("built", "training", "compiled", "stop_training", "optimizer", "loss", "jit_compile", "name"),
        *("run_eagerly", "steps_per_execution", "unrolled_steps_per_execution"),
    )
)
"""Attributes that frameworks set while a network is used or trained, and that its scores do not depend on."""

_TORCHS_OWN = frozenset(
    (
        *("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set", "_is_full_backward_hook"),
        *("_backward_pre_hooks", "_backward_hooks", "_forward_hooks", "_forward_hooks_with_kwargs"),
        *("_forward_hooks_always_called", "_forward_pre_hooks", "_forward_pre_hooks_with_kwargs"),
        *("_state_dict_hooks", "_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks"),
        *("_c", "_initializing", "_concrete_type", "_graph", "_code", "graph", "_tracer_cls", "meta"),
    )
)
"""Where torch's modules keep their parts, which are described apart, and what stands for them in C++."""


def network_content(value: Any, describe: Describe) -> Any:
    """Describe a tensor, a module or a model by its content.

    Parameters
    ----------
    value
        Anything.
    describe
        For what they hold: attributes, classes of the user's, arrays.

    Returns
    -------
    tuple or None
        None if it is neither torch's nor Keras'.

    Raises
    ------
    QCError
        If it is a model of Keras that has no weights yet.
    """
    roots = {kind.__module__.partition(".")[0] for kind in type(value).__mro__}
    if "torch" in roots and hasattr(value, "detach"):
        return _tensor(value)
    if "torch" in roots and hasattr(value, "state_dict") and hasattr(value, "named_modules"):
        return _module(value, describe)
    if roots & {"keras", "tf_keras", "tensorflow"}:
        if hasattr(value, "get_weights") and hasattr(value, "get_config"):
            return _model(value, describe)
        if hasattr(value, "numpy"):
            return (type(value).__qualname__, describe(_numpy().asarray(value.numpy())))
    return None


def _numpy() -> ModuleType:
    # Imported late: a specification of tiles is made before anything heavy is.
    import numpy as np

    return np


def _tensor(tensor: Any) -> tuple[Any, ...]:
    about = ("tensor", str(tensor.dtype), tuple(tensor.shape))
    if tensor.device.type == "meta":
        return about
    dense = tensor.detach()
    # What a quantised or a sparse one holds, written out.
    dense = dense.dequantize() if tensor.is_quantized else dense
    dense = dense.to_dense() if dense.layout != sys.modules["torch"].strided else dense
    # Not all of torch's types are known to numpy.
    flat = dense.cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    return (*about, flat.view(sys.modules["torch"].uint8).numpy().tobytes())


def _module(module: Any, describe: Describe) -> tuple[Any, ...]:
    parts = []
    for name, part in module.named_modules():
        held = {key: value for key, value in vars(part).items() if not key.startswith("__") and key not in _CHANGING}
        held = {key: value for key, value in held.items() if key not in _TORCHS_OWN}
        parts.append((name, describe(type(part)), describe(held), _code(part)))
    buffers = describe(dict(module.named_buffers()))
    state = describe({str(name): value for name, value in module.state_dict().items()})
    return ("module", _ADDRESS.sub("", repr(module)), tuple(parts), buffers, state)


def _code(part: Any) -> str:
    """The program of a module that is one: of TorchScript, or a graph."""
    try:
        code = getattr(part, "code", "")
    except (AttributeError, RuntimeError):
        return ""
    return code if isinstance(code, str) else ""


def _model(model: Any, describe: Describe) -> tuple[Any, ...]:
    if not model.built and any(kind.__name__ == "Model" for kind in type(model).__mro__):
        raise QCError(
            f"{type(model).__qualname__} has no weights yet: this model of Keras was never built.",
            mend="Call it once on an empty batch before, such as model(np.zeros((1, 64, 64, 3), 'float32')).",
        )
    parts = [(describe(type(layer)), _config(layer), describe(_settings(layer))) for layer in _layers(model)]
    return ("model", tuple(parts), describe([_numpy().asarray(weight) for weight in model.get_weights()]))


def _layers(layer: Any) -> Iterator[Any]:
    yield layer
    for part in getattr(layer, "layers", None) or getattr(layer, "_layers", None) or ():
        yield from _layers(part)


def _config(layer: Any) -> str:
    try:
        config = repr(layer.get_config())
    except (NotImplementedError, TypeError, ValueError):
        return ""
    # Keras numbers names by how many there were before: two networks that are equal have different ones.
    names = dict.fromkeys(_NAME.findall(config))
    places = {name: f"#{place}" for place, name in enumerate(names)}
    return _WORD.sub(lambda word: places.get(word[1], word[1]), _ADDRESS.sub("", config))


def _settings(layer: Any) -> dict[str, Any]:
    """Numbers, text and arrays that a class of the user's keeps in its own attributes."""
    return {
        key: value
        for key, value in vars(layer).items()
        if not key.startswith("_")
        and key not in _CHANGING
        and isinstance(value, bool | int | float | complex | str | bytes | _numpy().ndarray | _numpy().generic)
    }
