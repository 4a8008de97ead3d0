"""Values that people give, checked: whole numbers, and names of classes."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from slidekit.errors import SpecError

__all__ = ["class_names", "whole_number"]


def whole_number(name: str, value: Any, least: int = 1) -> int:
    """Take a whole number, also one of numpy's.

    Raises
    ------
    SpecError
        If it is none, or less than `least`; naming the parameter.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or number < least:
        raise SpecError(f"{name}={value!r} makes no sense.", mend=f"Give a whole number from {least} on for {name}.")
    return number


def class_names(classes: Iterable[Any], count: int) -> list[str | None]:
    """Classes of cells as text; whole numbers, as of clusters, become it.

    Parameters
    ----------
    classes
        Text, whole numbers (2.0 is one), or what pandas takes for missing: None, NaN, NA.
    count
        Number of cells.

    Returns
    -------
    list
        None where a cell has no class.

    Raises
    ------
    SpecError
        If one is something else, or there are not as many as cells.
    """
    if isinstance(classes, str) or not isinstance(classes, Iterable):
        raise SpecError(f"classes={classes!r} are no classes.", mend="Give one for each cell, as a list.")
    values = classes.tolist() if isinstance(classes, np.ndarray) else list(classes)
    if len(values) != count:
        raise SpecError(f"{len(values)} classes for {count} cells.", mend="Give one for each.")
    return [_class_name(value, number) for number, value in enumerate(values, start=1)]


def _class_name(value: Any, cell: int) -> str | None:
    if value is None or isinstance(value, str):
        return None if value is None else str(value)
    # pandas' NA and NaT say so by type: comparing them tells nothing.
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float | np.floating):
        if math.isnan(value):
            return None
        if float(value).is_integer():
            return str(int(value))
    raise SpecError(f"Class {value!r} of cell {cell} is no name.", mend="Give text, whole numbers, or None for none.")
