"""What a user's own QC function is, so that a changed one is not taken for the one that ran before."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import types
from collections.abc import Callable
from typing import Any

from slidekit.errors import QCError

__all__ = ["describe_callable"]

_PLAIN = (type(None), bool, int, float, complex, str, bytes)
_DEEPEST = 4


def describe_callable(method: Callable[..., Any]) -> dict[str, Any]:
    """Describe a QC method as plain JSON.

    Parameters
    ----------
    method
        A method with `parameters()` is described by its class and those. Of any other callable the code counts, with
        its constants, defaults, bound variables, and the plain values among the globals that it names: a function that
        was edited in a notebook is another method.

    Returns
    -------
    dict
        ``method``, its name; and what tells it from others of that name.
    """
    parameters = getattr(method, "parameters", None)
    if callable(parameters):
        try:
            return {"method": type(method).__name__, **json.loads(json.dumps(parameters()))}
        except (TypeError, ValueError) as error:
            raise QCError(
                f"parameters() of QC method {type(method).__name__} are not plain values ({error}).",
                mend="Return numbers, text, lists and dicts of them.",
            ) from error
    kind = method if hasattr(method, "__qualname__") else type(method)
    fingerprint = hashlib.sha256(repr(_essence(method, 0)).encode()).hexdigest()[:16]
    return {"method": f"{kind.__module__}.{kind.__qualname__}", "fingerprint": fingerprint}


def _essence(value: Any, depth: int) -> Any:
    """Whatever a callable's result depends on and that can be seen, as nested tuples of plain values."""
    if isinstance(value, _PLAIN):
        return value
    if depth > _DEEPEST:
        return type(value).__qualname__
    if isinstance(value, types.CodeType):
        constants = tuple(_essence(constant, depth + 1) for constant in value.co_consts)
        return (value.co_code, constants, value.co_names, value.co_varnames)
    if isinstance(value, functools.partial):
        return ("partial", *(_essence(part, depth + 1) for part in (value.func, value.args, value.keywords)))
    if isinstance(value, types.MethodType):
        return (_essence(value.__func__, depth + 1), _essence(value.__self__, depth + 1))
    if isinstance(value, types.FunctionType):
        return _function(value, depth)
    if isinstance(value, list | tuple | set | frozenset):
        parts = tuple(_essence(part, depth + 1) for part in value)
        return tuple(sorted(parts, key=repr)) if isinstance(value, set | frozenset) else parts
    if isinstance(value, dict):
        return tuple((str(key), _essence(part, depth + 1)) for key, part in sorted(value.items(), key=repr))
    if hasattr(value, "tobytes"):
        return (type(value).__qualname__, hashlib.sha256(value.tobytes()).hexdigest())
    call = getattr(type(value), "__call__", None)  # noqa: B004 - its code is wanted, not whether there is one
    slots = {name: getattr(value, name, None) for name in getattr(type(value), "__slots__", ())}
    held = {**slots, **getattr(value, "__dict__", {})} if not isinstance(value, type) else {}
    state = _essence(held, depth + 1)
    code = _function(call, depth + 1) if isinstance(call, types.FunctionType) else ()
    return (type(value).__qualname__, code, state)


def _function(function: types.FunctionType, depth: int) -> tuple[Any, ...]:
    code = function.__code__
    # Through inspect: a cell that is still empty has no contents to read.
    bound = inspect.getclosurevars(function).nonlocals
    cells = tuple((name, _essence(value, depth + 1)) for name, value in sorted(bound.items()))
    named = {name: function.__globals__[name] for name in code.co_names if name in function.__globals__}
    # Modules and classes are named by the code; functions and values that the user may edit are looked into.
    seen = {name: value for name, value in named.items() if not isinstance(value, type | types.ModuleType)}
    globals_ = tuple((name, _essence(value, depth + 1)) for name, value in sorted(seen.items()))
    defaults = _essence((function.__defaults__, function.__kwdefaults__), depth + 1)
    return (_essence(code, depth + 1), cells, globals_, defaults)
