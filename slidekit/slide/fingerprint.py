"""What a user's own QC function is, so that a changed one is not taken for the one that ran before."""

from __future__ import annotations

import enum
import functools
import hashlib
import inspect
import io
import json
import os
import re
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from slidekit.errors import QCError
from slidekit.slide.network_content import network_content

__all__ = ["describe_callable", "fingerprint", "users_classes"]

_PLAIN = (type(None), bool, int, float, complex, str, bytes)
_DEEPEST = 10

_LIBRARIES = frozenset(
    (
        "slidekit",
        "numpy",
        "scipy",
        "cv2",
        "skimage",
        "torch",
        "torchvision",
        "keras",
        "tf_keras",
        "tensorflow",
        "pandas",
    )
)
"""Packages whose functions and classes are known by their names, as those of Python itself are."""

_NOT_CODE = frozenset(
    (
        *("__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__annotations__", "__slots__"),
        *("__firstlineno__", "__static_attributes__", "__abstractmethods__", "_abc_impl", "__parameters__"),
        *("__orig_bases__", "__annotate__", "__annotate_func__", "__annotations_cache__", "__init__"),
        "__slotnames__",  # set by pickle when it first meets the class
    )
)
"""Attributes of a class that results do not depend on; what `__init__` does is seen in the instance."""


def describe_callable(method: Callable[..., Any]) -> dict[str, Any]:
    """Describe a QC method as plain JSON.

    Parameters
    ----------
    method
        A method with `parameters()` is described by its class and those. Of any other callable the code counts, with
        its constants, defaults, bound variables, and what it names of the user's functions, classes and values: a
        function that was edited in a notebook is another method, and so is one whose network has other weights.

    Returns
    -------
    dict
        ``method``, its name; and what tells it from others of that name.

    Raises
    ------
    QCError
        If its parameters are no plain values, or it uses a network of Keras that has no weights yet.
    """
    parameters = getattr(method, "parameters", None)
    if callable(parameters) and not _is_network(method):
        own = getattr(method, "filter_threshold", None)
        # Whoever writes parameters() of their own need not think of it.
        threshold = {} if own is None else {"filter_threshold": float(own)}
        try:
            return {"method": type(method).__name__, **json.loads(json.dumps({**threshold, **parameters()}))}
        except (TypeError, ValueError) as error:
            raise QCError(
                f"parameters() of QC method {type(method).__name__} are not plain values ({error}).",
                mend="Return numbers, text, lists and dicts of them.",
            ) from error
    kind = method if hasattr(method, "__qualname__") else type(method)
    return {"method": f"{kind.__module__}.{kind.__qualname__}", "fingerprint": fingerprint(method)}


def fingerprint(value: Any) -> str:
    """What a value is, in 16 hexadecimal digits.

    Parameters
    ----------
    value
        Of functions and classes of the user's the code counts, with what it names; of arrays, tensors and networks the
        content; of other objects their attributes. What cannot be looked into, such as an open file, counts by its
        type alone.

    Raises
    ------
    QCError
        If it holds a network of Keras that has no weights yet.
    """
    return _digest(_Essence().of(value, 0))


def users_classes(kind: type) -> tuple[type, ...]:
    """Classes that a class is made of, and that are neither slidekit's nor a library's."""
    return tuple(one for one in kind.__mro__ if not _is_library(one.__module__))


def _digest(essence: Any) -> str:
    return hashlib.sha256(repr(essence).encode()).hexdigest()[:16]


def _is_library(module: str | None) -> bool:
    root = (module or "").partition(".")[0]
    # What is typed into a notebook or a script lives in __main__, which Python counts among its own.
    return root in _LIBRARIES or (root in sys.stdlib_module_names and root != "__main__")


def _is_network(value: Any) -> bool:
    """Whether `parameters()` is that of torch's modules, which gives their weights."""
    return hasattr(value, "state_dict") and hasattr(value, "named_modules")


class _Essence:
    """Whatever a result depends on and that can be seen, as nested tuples of plain values."""

    def __init__(self) -> None:
        # Things are described once; they are kept, so that no other takes their identity meanwhile.
        self._known: dict[int, tuple[Any, Any]] = {}

    def of(self, value: Any, depth: int) -> Any:
        if isinstance(value, _PLAIN) and not isinstance(value, enum.Enum):
            return value
        if depth > _DEEPEST:
            return type(value).__qualname__
        if isinstance(value, list | tuple | set | frozenset):
            parts = tuple(self.of(part, depth + 1) for part in value)
            return tuple(sorted(parts, key=repr)) if isinstance(value, set | frozenset) else parts
        if isinstance(value, dict):
            return tuple((str(key), self.of(part, depth + 1)) for key, part in sorted(value.items(), key=_by_key))
        if id(value) in self._known:
            return self._known[id(value)][1]
        # Whoever names itself.
        self._known[id(value)] = (value, ("again", getattr(value, "__qualname__", type(value).__qualname__)))
        found = _digest(self._look(value, depth))
        self._known[id(value)] = (value, found)
        return found

    def _look(self, value: Any, depth: int) -> Any:
        if isinstance(value, types.CodeType):
            constants = tuple(self.of(constant, depth + 1) for constant in value.co_consts)
            return (value.co_code, constants, value.co_names, value.co_varnames)
        if isinstance(value, functools.partial):
            return ("partial", *(self.of(part, depth + 1) for part in (value.func, value.args, value.keywords)))
        if isinstance(value, types.MethodType):
            return (self.of(value.__func__, depth + 1), self.of(value.__self__, depth + 1))
        if isinstance(value, types.FunctionType):
            return self._function(value, depth)
        if isinstance(value, type):
            return self._class(value, depth)
        if isinstance(value, staticmethod | classmethod):
            return (type(value).__name__, self.of(value.__func__, depth + 1))
        if isinstance(value, property):
            return tuple(self.of(part, depth + 1) for part in (value.fget, value.fset))
        if isinstance(value, types.ModuleType | types.BuiltinFunctionType):
            return value.__name__
        return self._object(value, depth)

    def _object(self, value: Any, depth: int) -> Any:
        kind = type(value)
        network = network_content(value, lambda part: self.of(part, depth + 1))
        if network is not None:
            return network
        if isinstance(value, os.PathLike):
            return (kind.__qualname__, str(value))
        if isinstance(value, enum.Enum):
            return (kind.__qualname__, value.name, self.of(value.value, depth + 1))
        if isinstance(value, io.IOBase):
            return kind.__qualname__
        dtype = getattr(value, "dtype", None)
        if hasattr(value, "tobytes"):
            if getattr(dtype, "hasobject", False):
                return (kind.__qualname__, self.of(value.tolist(), depth + 1))
            return (kind.__qualname__, str(dtype), getattr(value, "shape", ()), value.tobytes())
        if kind.__module__.startswith("pandas.") and hasattr(value, "to_dict"):
            return (kind.__qualname__, self.of(value.to_dict(), depth + 1))
        slots = {name: getattr(value, name, None) for one in kind.__mro__ for name in _slots(one)}
        held = {**slots, **getattr(value, "__dict__", {})}
        if _is_library(kind.__module__) and not held:
            text = repr(value)
            # Whose text is its address has nothing else to be known by.
            return (kind.__qualname__, "" if re.search(r"0x[0-9a-fA-F]{4}", text) else text)
        return (kind.__qualname__, self.of(kind, depth + 1), self.of(held, depth + 1))

    def _class(self, kind: type, depth: int) -> tuple[Any, ...]:
        """The code of a class of the user's, and that of those which it is made of."""
        parts = tuple(
            (one.__qualname__, tuple((name, self.of(part, depth + 1)) for name, part in _attributes(one)))
            for one in users_classes(kind)
        )
        return (kind.__qualname__, parts)

    def _function(self, function: types.FunctionType, depth: int) -> tuple[Any, ...]:
        if _is_library(function.__module__):
            return (function.__module__, function.__qualname__)
        code = function.__code__
        # Through inspect: a cell that is still empty has no contents to read.
        bound = inspect.getclosurevars(function).nonlocals
        cells = tuple((name, self.of(value, depth + 1)) for name, value in sorted(bound.items()))
        names = sorted(set(_names(code)))
        named = {name: function.__globals__[name] for name in names if name in function.__globals__}
        globals_ = []
        for name, value in named.items():
            if isinstance(value, types.ModuleType) and not _is_library(value.__name__):
                # Of a module of the user's, what may be meant.
                held = {one: vars(value)[one] for one in names if one in vars(value)}
                globals_.append((name, self.of(held, depth + 1)))
            else:
                globals_.append((name, self.of(value, depth + 1)))
        defaults = self.of((function.__defaults__, function.__kwdefaults__), depth + 1)
        return (self.of(code, depth + 1), cells, tuple(globals_), defaults)


def _by_key(item: tuple[Any, Any]) -> str:
    return repr(item[0])


def _slots(kind: type) -> tuple[str, ...]:
    slots = vars(kind).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _attributes(kind: type) -> list[tuple[str, Any]]:
    """Methods and values of a class itself; places of slots hold nothing."""
    held = ((name, part) for name, part in vars(kind).items() if name not in _NOT_CODE)
    return sorted((name, part) for name, part in held if not isinstance(part, _PLACES))


_PLACES = (types.MemberDescriptorType, types.GetSetDescriptorType)


def _names(code: types.CodeType) -> Iterator[str]:
    """Names that a function uses, with those in functions inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)
