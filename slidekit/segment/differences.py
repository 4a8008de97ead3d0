"""In what two trainings or two exports differ, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slidekit.wording import some_of

__all__ = ["SlideFacts", "say_changed_slides", "say_differences"]

SlideFacts = Mapping[str, str]
"""What is known of the data of one slide, by the word that a message has for it, such as ``regions``."""

_USE = "use"


def say_differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Name the parameters that have another value, as ``mpp=10, not 20; labels=[a], not none``.

    Parameters
    ----------
    before, now
        Parameter to value, as JSON has it; what is only in one of them counts as None in the other.

    Returns
    -------
    str
        Empty where all are the same.
    """
    names = [*before, *(name for name in now if name not in before)]
    return "; ".join(
        f"{name}={_said(before.get(name))}, not {_said(now.get(name))}"
        for name in names
        if before.get(name) != now.get(name)
    )


def say_changed_slides(before: Mapping[str, SlideFacts], now: Mapping[str, SlideFacts]) -> str:
    """Name the slides whose data are not what they were, and what of them is new.

    Parameters
    ----------
    before, now
        Slide to what is known of it; ``use`` is what it serves for, in words of its own.

    Returns
    -------
    str
        Such as ``other regions: s1, s2; new: s3``; empty where nothing differs.
    """
    slides: dict[str, list[str]] = {}
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            slides.setdefault(_say_change(before.get(name), now.get(name)), []).append(name)
    return "; ".join(f"{change}: {some_of(names, 5)}" for change, names in slides.items())


def _say_change(before: SlideFacts | None, now: SlideFacts | None) -> str:
    if before is None or now is None:
        return "new" if before is None else "not there any more"
    if before.get(_USE) != now.get(_USE):
        return f"for {now.get(_USE)}, not {before.get(_USE)}"
    return f"other {' and '.join(fact for fact in {**before, **now} if before.get(fact) != now.get(fact))}"


def _said(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(str, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)
