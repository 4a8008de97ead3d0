"""Charts of the cover, drawn as vectors straight onto the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slidekit.report.flags import BLUR_WARNING
from slidekit.report.numerals import count, nice_length, percent, significant
from slidekit.report.pen import Pen
from slidekit.report.style import ACCENT, INK, MUTED, NOTE, QUIET, RGB, RULE, SMALL, WARNING, WHITE, reason_color
from slidekit.slide.fate import reason_text

__all__ = ["Histogram", "blur_histogram", "draw_histogram", "draw_shares", "shares_height", "tiles_histogram"]


@dataclass(frozen=True)
class Histogram:
    """Numbers of slides in bins of one width, the first bin beginning at 0.

    Attributes
    ----------
    width
        Width of a bin in the unit of the axis.
    counts
        Slides per bin; bin k holds [k·width, (k + 1)·width), the last one its upper end as well.
    line
        Where a warning line stands, in the unit of the axis.
    unit
        Unit behind the numbers of the axis.
    """

    width: float
    counts: tuple[int, ...]
    line: float | None = None
    unit: str = ""


def tiles_histogram(kept: Sequence[int]) -> Histogram:
    """Slides by number of tiles kept, in about 12 bins of a round width."""
    width = max(1.0, _nice_step(max(kept, default=0) / 12))
    return Histogram(width, _bin([float(number) for number in kept], width))


def blur_histogram(burdens: Sequence[float]) -> Histogram:
    """Slides by blur burden in percent, with bins that end at the warning line."""
    top = max(burdens, default=0.0) * 100
    width = next((step for step in (1.0, 2.5) if top <= 18 * step), 5.0)
    # Strictly more than 5 % is over the line, so a slide at exactly 5 % belongs to the left of it.
    values = [math.nextafter(burden * 100, 0.0) if burden > 0 else 0.0 for burden in burdens]
    counts = _bin(values, width)
    least = round(BLUR_WARNING * 100 / width) + 2
    counts += (0,) * max(0, least - len(counts))
    return Histogram(width, counts, BLUR_WARNING * 100, " %")


def _bin(values: Sequence[float], width: float) -> tuple[int, ...]:
    number = max(1, math.ceil(max(values, default=0.0) / width))
    counts = [0] * number
    for value in values:
        counts[min(int(value / width), number - 1)] += 1
    return tuple(counts)


def _nice_step(at_least: float) -> float:
    if at_least <= 0:
        return 1.0
    step = nice_length(at_least)
    while step < at_least:
        step = nice_length(step * 2.51)
    return step


def draw_histogram(pen: Pen, chart: Histogram, x: float, y: float, width: float, height: float) -> None:
    """Draw a histogram of slides.

    Parameters
    ----------
    pen
        What to draw with.
    chart
        The numbers.
    x, y
        Lower left corner of the whole, points.
    width, height
        Size of the whole with its axes, points.
    """
    left, foot = x + 24, y + 20
    plot_width, plot_height = width - 26, height - 24
    top = max(max(chart.counts), 1)
    step = max(1.0, _nice_step(top / 3))
    scale = plot_height / (math.ceil(top / step) * step)
    for tick in range(math.ceil(top / step) + 1):
        level = foot + tick * step * scale
        pen.rule(left, level, left + plot_width, level, color=RULE if tick else QUIET)
        pen.text(left - 4, level - 2.2, count(round(tick * step)), size=NOTE, color=MUTED, align="right")
    bar = plot_width / len(chart.counts)
    for number, slides in enumerate(chart.counts):
        over = chart.line is not None and number * chart.width >= chart.line - 1e-9
        if slides:
            gap = min(1.0, bar * 0.12)
            tall = max(slides * scale, 0.8)
            pen.rect(left + number * bar + gap, foot, bar - 2 * gap, tall, fill=WARNING if over else ACCENT)
    _draw_axis(pen, chart, left, foot, plot_width)
    if chart.line is not None:
        at = left + chart.line / chart.width * bar
        pen.rule(at, foot, at, foot + plot_height + 2, color=INK, weight=0.8, dash=True)


def _draw_axis(pen: Pen, chart: Histogram, left: float, foot: float, width: float) -> None:
    bins = len(chart.counts)
    every = max(1, math.ceil(bins / 5))
    if chart.line is not None:
        # Label the warning line itself, and go on from there.
        at_line = round(chart.line / chart.width)
        every = at_line * max(1, math.ceil(bins / at_line / 6))
    for edge in range(0, bins + 1, every):
        at = left + width * edge / bins
        pen.rule(at, foot, at, foot - 2.5, color=QUIET)
        label = significant(edge * chart.width) + (chart.unit if edge else "")
        # The last label would reach over the margin.
        align = "right" if edge == bins else "center"
        pen.text(at + (2 if edge == bins else 0), foot - 10, label, size=NOTE, color=MUTED, align=align)


_COLUMNS = 3
_ROW = 12.5


def shares_height(counts: Mapping[str, int]) -> float:
    """Height that `draw_shares` takes, points."""
    return 24 + _ROW * math.ceil(max(1, len(counts)) / _COLUMNS)


def draw_shares(pen: Pen, counts: Mapping[str, int], x: float, top: float, width: float) -> None:
    """Draw candidates by reason as one stacked bar with its legend; every part's number is printed.

    Parameters
    ----------
    pen
        What to draw with.
    counts
        Candidates by reason, in the order in which they are drawn.
    x, top
        Upper left corner, points.
    width
        Points.
    """
    total = sum(counts.values())
    at, height = x, 13.0
    if not total:
        pen.rect(x, top - height, width, height, line=RULE)
        pen.text(x + 4, top - height + 4, "no candidates", size=SMALL, color=MUTED)
        return
    for reason, number in counts.items():
        part = width * number / total
        pen.rect(at, top - height, part, height, fill=reason_color(reason))
        if at > x:
            pen.rule(at, top - height, at, top, color=WHITE, weight=0.8)
        at += part
    column = width / _COLUMNS
    rows = math.ceil(len(counts) / _COLUMNS)
    for place, (reason, number) in enumerate(counts.items()):
        left, base = x + place // rows * column, top - height - 13 - place % rows * _ROW
        _draw_share(pen, reason, number, number / total, left, base, column - 18)


def _draw_share(pen: Pen, reason: str, number: int, share: float, x: float, y: float, width: float) -> None:
    swatch(pen, reason_color(reason), x, y)
    pen.text(x + width, y, percent(share), size=SMALL, color=MUTED, align="right")
    length = pen.text(x + width - 36, y, count(number), size=SMALL, align="right")
    pen.text(x + 11, y, reason_text(reason), size=SMALL, width=width - 36 - 11 - 5 - length)


def swatch(pen: Pen, color: RGB, x: float, y: float) -> None:
    """Draw the square that stands for a colour, on the baseline `y`."""
    pen.rect(x, y - 0.6, 6.5, 6.5, fill=color, line=MUTED, weight=0.3)
