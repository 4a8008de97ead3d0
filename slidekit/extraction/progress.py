"""What a run tells whoever watches it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from slidekit.slide.report_model import SlideReport

__all__ = ["ProgressEvent"]


@dataclass(frozen=True)
class ProgressEvent:
    """Something happened to a slide.

    Attributes
    ----------
    kind
        ``started``, ``tiles`` (some were decided) or ``ended``.
    slide
        Its name.
    decided, candidates, kept
        Tiles decided so far, tiles to decide, tiles kept; of this slide.
    report
        What became of it, with ``ended``.
    """

    kind: Literal["started", "tiles", "ended"]
    slide: str
    decided: int = 0
    candidates: int = 0
    kept: int = 0
    report: SlideReport | None = None
