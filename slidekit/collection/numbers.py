"""Numbers as callers give them, those of NumPy included."""

from __future__ import annotations

import math
import operator
from numbers import Real
from typing import Any

__all__ = ["plain_number", "whole_number"]


def whole_number(value: Any, least: int = 0) -> int | None:
    """Give a whole number as an int; None if it is none, or less than `least`; True and False are none."""
    if isinstance(value, bool):
        return None
    try:
        number = operator.index(value)
    except TypeError:
        return None
    return number if number >= least else None


def plain_number(value: Any) -> float | None:
    """Give a finite real number as a float; None if it is none; True and False are none."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        return None
    # By its text, for a float32 of 0.2 is not the 0.2 that was meant.
    return float(str(value)) if hasattr(value, "dtype") else float(value)
