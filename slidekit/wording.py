"""Small things that messages to people share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

__all__ = ["cell_text", "some_of"]


def some_of(names: Sequence[str], most: int = 10) -> str:
    """Join the first few names for a message, and say how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def cell_text(value: Any) -> str:
    """Write a value as it would stand in a CSV file: missing is ``""``, 3.0 is ``3``."""
    if value is None:
        return ""
    # NumPy's numbers of whatever width are real numbers, too.
    if isinstance(value, Real) and not isinstance(value, Integral):
        number = float(value)
        if math.isnan(number):
            return ""
        if number.is_integer():
            return str(int(number))
    text = str(value).strip()
    return "" if text in {"<NA>", "NaT"} else text
