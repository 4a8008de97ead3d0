"""What users give for an option of an extraction, brought to one form."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from numbers import Real
from pathlib import Path
from typing import Any, Literal

from slidekit.errors import QCError
from slidekit.units import Magnification, list_sizes, parse_tile_um

__all__ = [
    "QC_WORDS",
    "Anchor",
    "Unit",
    "describe_value",
    "edge_um",
    "list_methods",
    "read_center_or_fraction",
    "read_coordinates",
    "read_folder",
    "read_labels",
    "read_methods",
    "read_more_um",
    "read_sizes",
    "read_tile_um",
    "refuse_class",
]

Unit = Literal["px", "um"]
"""What coordinates count: level-0 pixels, or microns on the slide."""

Anchor = Literal["center", "corner"]
"""What of a tile lies at given coordinates: its centre, or its top-left corner."""

QC_WORDS = ("otsu", "blur", "gaussian", "both", "focus", "pen", "fold")
"""QC methods by word; ``gaussian`` is ``blur``, ``both`` is blur and then Otsu."""


def read_tile_um(value: Any) -> float | str:
    """Bring a size of tile to microns, or to the one spelling of its magnification."""
    size = parse_tile_um(value)
    return str(size) if isinstance(size, Magnification) else float(size)


def read_more_um(value: Any) -> Any:
    """Bring further sizes of tile to a tuple, in the order in which they are given."""
    return () if value is None else tuple(read_tile_um(size) for size in list_sizes(value))


def read_sizes(value: Any) -> float | str | tuple[float | str, ...]:
    """Bring a size of tile to one form, or several to a tuple of them, in their order.

    Raises
    ------
    ValueError
        If there is none.
    """
    sizes = tuple(read_tile_um(size) for size in list_sizes(value))
    if not sizes:
        raise ValueError("names no size")
    return sizes[0] if len(sizes) == 1 else sizes


def read_center_or_fraction(value: Any) -> Any:
    """Bring a share that is text to a number."""
    if isinstance(value, str) and value != "center":
        try:
            return float(value)
        except ValueError:
            return value
    return value


def read_coordinates(value: Any) -> Any:
    """Bring given coordinates to the name of their file without its folder; the places are each slide's own.

    Raises
    ------
    ValueError
        If the name is empty.
    """
    if value is None:
        return None
    if isinstance(value, str | Path):
        name = re.split(r"[/\\]", str(value))[-1].strip()
        if not name:
            raise ValueError("it names no file")
        return name
    source = getattr(value, "source", None)
    if isinstance(source, str):
        return source
    return "a DataFrame" if hasattr(value, "columns") else "an array"


def read_labels(value: Any) -> Any:
    """Bring labels of regions to a tuple in one order, each once, so that equal specs have equal hashes.

    Raises
    ------
    ValueError
        For one that is empty: regions without a label cannot be named.
    """
    if value is None:
        return ()
    if isinstance(value, str):
        value = (value,)
    if not isinstance(value, Iterable) or isinstance(value, Mapping | bytes):
        return value
    labels = tuple(value)
    if not all(isinstance(label, str) for label in labels):
        return labels
    if not all(label.strip() for label in labels):
        raise ValueError("a label is empty")
    return tuple(sorted({label.strip() for label in labels}))


def list_methods(value: Any) -> list[Any]:
    """QC methods that are given, one by one: callables, and words in any case.

    Raises
    ------
    QCError
        For what is neither; for a class, as where the brackets of ``qc.Pen()`` were forgotten; for a mask.
    """
    one = isinstance(value, str | Mapping) or callable(value) or _is_mask(value) or not isinstance(value, Iterable)
    methods = [value] if one else list(value)
    for method in methods:
        refuse_class(method)
        if callable(method) or (isinstance(method, str) and method.lower() in QC_WORDS):
            continue
        mend = f"Use {', '.join(QC_WORDS)}, or a callable."
        if _is_mask(method):
            mend = "Give a mask to wsi.apply_qc_mask(mask); a QC method is a function that returns one."
        raise QCError(f"qc={describe_value(method)} is not a QC method.", mend=mend)
    return methods


def refuse_class(method: Any) -> None:
    """See that a method is not its class, as where the brackets of ``qc.Pen()`` were forgotten.

    Raises
    ------
    QCError
        For a class.
    """
    if isinstance(method, type):
        name = f"qc.{method.__name__}" if method.__module__.startswith("slidekit.") else method.__name__
        raise QCError(f"{name} is a class, not a QC method.", mend=f"Give {name}(), not {name}.")


def describe_value(value: Any) -> str:
    """A value as a message names it: text and numbers themselves, of anything else the kind, in a few words."""
    if value is None or isinstance(value, str | int | float):
        return repr(value)
    if _is_mask(value) and hasattr(value, "dtype"):
        return f"{type(value).__name__} of {value.dtype}, shape {tuple(value.shape)}"
    return type(value).__name__


def _is_mask(value: Any) -> bool:
    """An array, a tensor, or a `QCMask`."""
    return not callable(value) and ((hasattr(value, "dtype") and hasattr(value, "shape")) or hasattr(value, "mask"))


def _check_threshold(method: Any) -> None:
    """See before any work that the threshold which somebody set on a method is a share."""
    own = getattr(method, "filter_threshold", None)
    if own is None or (isinstance(own, Real) and not isinstance(own, bool) and 0 <= float(own) <= 1):
        return
    raise QCError(
        f"filter_threshold={own!r} of QC method {type(method).__name__} is not a share.",
        mend="Use a number from 0 to 1, such as 0.3, or None for the run's.",
    )


def read_methods(value: Any) -> Any:
    """Bring QC methods to a tuple of words in one spelling, and of callables.

    Raises
    ------
    QCError
        For a word that is none.
    """
    if value is None:
        return ()
    read: list[Any] = []
    for method in list_methods(value):
        if not isinstance(method, str):
            _check_threshold(method)
            read.append(method)
            continue
        word = method.lower()
        # One spelling each, so that equal specs have equal hashes.
        read.extend({"gaussian": ["blur"], "both": ["blur", "otsu"]}.get(word, [word]))
    # A word twice is the word; of callables nothing is known, not even that they can be compared.
    words = [method for method in read if isinstance(method, str)]
    once = [m for place, m in enumerate(read) if not isinstance(m, str) or m not in read[:place]] if words else read
    return tuple(once)


def edge_um(tile_mpp: Any, tile_px: Any) -> float:
    """Edge of a tile in microns from µm/px and pixels.

    Raises
    ------
    ValueError
        If they are not numbers above 0.
    """
    try:
        edge = math.nan if isinstance(tile_mpp, bool | bytes) else float(tile_mpp) * int(tile_px)
    except (TypeError, ValueError):
        edge = math.nan
    if not (math.isfinite(edge) and edge > 0):
        raise ValueError(f"tile_mpp={tile_mpp!r} and tile_px={tile_px!r} must be numbers above 0.")
    return edge


def read_folder(value: Any) -> Any:
    """Bring a folder to a path without ``~``.

    Raises
    ------
    ValueError
        If it is empty text, which would be the working directory, or there is no such home.
    """
    if not isinstance(value, str | Path):
        return value
    if isinstance(value, str) and not value.strip():
        raise ValueError("it is empty")
    try:
        return Path(value).expanduser()
    except RuntimeError as error:
        raise ValueError(str(error)) from error
