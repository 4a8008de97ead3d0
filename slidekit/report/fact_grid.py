"""The facts of a slide, label over value, in four columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from slidekit.report.facts import facts_of
from slidekit.report.pen import Pen
from slidekit.report.style import LEFT, MUTED, NOTE, SMALL, WIDTH
from slidekit.report.typeface import wrap
from slidekit.slide.report_model import SlideReport

__all__ = ["fact_grid"]

_FACT_COLUMNS = (0.31, 0.24, 0.26, 0.19)
_FACT_SIZE = SMALL + 0.1
_FACT_LINES, _WIDE_FACT_LINES = 2, 3


@dataclass(frozen=True)
class _Fact:
    """Label and lines of a fact, and where its column begins."""

    x: float
    label: str
    lines: list[str]


def fact_grid(report: SlideReport) -> tuple[float, Callable[[Pen, float], None]]:
    """Height of what is known about a slide, points, and how to draw it from a top downwards."""
    rows = _fact_rows(facts_of(report))
    heights = [12.0 + 8.8 * max(len(fact.lines) for fact in row) for row in rows]

    def draw(pen: Pen, top: float) -> None:
        for row, height in zip(rows, heights, strict=True):
            for fact in row:
                pen.text(fact.x, top - 3 - NOTE, fact.label, size=NOTE, color=MUTED)
                pen.lines(fact.x, top - 12 - NOTE, fact.lines, leading=8.8, size=_FACT_SIZE)
            top -= height

    return sum(heights) + (8 if rows else 0), draw


def _fact_rows(facts: Sequence[tuple[str, str]]) -> list[list[_Fact]]:
    """Facts in columns; one that is too long for its column has a row of its own below the others."""
    widths = [WIDTH * share for share in _FACT_COLUMNS]
    cells: list[_Fact] = []
    wide: list[list[_Fact]] = []
    for label, value in facts:
        column = len(cells) % len(widths)
        lines = wrap(value, _FACT_SIZE, widths[column] - 8)
        if len(lines) <= _FACT_LINES:
            cells.append(_Fact(LEFT + sum(widths[:column]), label, lines))
        else:
            wide.append([_Fact(LEFT, label, wrap(value, _FACT_SIZE, WIDTH, lines=_WIDE_FACT_LINES))])
    return [*(cells[start : start + len(widths)] for start in range(0, len(cells), len(widths))), *wide]
