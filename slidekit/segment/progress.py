"""What is told of work on many slides, while it goes on and when it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

__all__ = ["OnSlide", "SlideProgress", "SlideStatus", "SlidesReport"]

SlideStatus = Literal["done", "finished before", "empty", "skipped", "failed"]
"""``finished before``: the same was there already. ``empty``: nothing was found. ``skipped``: left alone, see why."""


@dataclass(frozen=True)
class SlideProgress:
    """One slide is settled.

    Attributes
    ----------
    name
        Name of the slide.
    status
        What became of it.
    message
        Why, where there is something to say.
    done, total
        Slides that are settled, and all of them.
    """

    name: str
    status: SlideStatus
    message: str
    done: int
    total: int


OnSlide = Callable[[SlideProgress], None]


@dataclass(frozen=True)
class SlidesReport:
    """What became of many slides.

    Attributes
    ----------
    folder
        Where files were written; None where slides have folders of their own.
    status
        Slide to what became of it.
    reasons
        Slide to why, for those that were skipped or failed, were found empty, or are background as a whole.
    """

    folder: Path | None
    status: Mapping[str, SlideStatus] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)

    def having(self, *status: SlideStatus) -> tuple[str, ...]:
        """Names of the slides of which one of these became, sorted."""
        return tuple(sorted(name for name, one in self.status.items() if one in status))

    @property
    def failed(self) -> dict[str, str]:
        """Slide to reason, for the slides that failed."""
        return {name: self.reasons.get(name, "") for name in self.having("failed")}
