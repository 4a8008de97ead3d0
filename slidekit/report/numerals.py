"""Numbers as people read them."""

from __future__ import annotations

import math

__all__ = ["count", "mpp_text", "nice_length", "percent", "significant"]


def count(number: int) -> str:
    """``12,345``."""
    return f"{number:,}"


def percent(share: float) -> str:
    """A share of 1 in percent with one digit behind the point: ``4.2 %``, and ``< 0.1 %`` for little."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{share * 100:.1f} %"


def significant(number: float, digits: int = 4) -> str:
    """A number with so many significant digits and no exponent, without zeros that say nothing."""
    if number == 0 or not math.isfinite(number):
        return f"{number:g}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(number))))
    text = f"{number:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def mpp_text(mpp_x: float | None, mpp_y: float | None) -> str:
    """``0.2528``, or ``0.25 × 0.26`` where x and y differ, or a dash."""
    if mpp_x is None:
        return "–"
    x, y = significant(mpp_x), significant(mpp_x if mpp_y is None else mpp_y)
    return x if x == y else f"{x} × {y}"


def nice_length(at_most: float) -> float:
    """The greatest 1, 2 or 5 times a power of ten that is not above `at_most` (> 0)."""
    power = 10.0 ** math.floor(math.log10(at_most))
    # A hair of tolerance: 10 ** floor(log10(1000)) and products of floats miss round numbers by one ulp.
    return max(step * power for step in (1, 2, 5) if step * power <= at_most * (1 + 1e-9) or step == 1)
