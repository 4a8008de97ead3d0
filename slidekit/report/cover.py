"""The cover: what was done, to how many slides, and what came out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import get_args

from slidekit.report.charts import blur_histogram, draw_histogram, draw_shares, shares_height, tiles_histogram
from slidekit.report.entries import Entry
from slidekit.report.flags import BLUR_WARNING, blur_of
from slidekit.report.layout import Block, Outline
from slidekit.report.numerals import count, percent, significant
from slidekit.report.parameters import ParameterGroup, parameter_groups
from slidekit.report.pen import Pen
from slidekit.report.style import (
    ACCENT,
    BODY,
    FRAME,
    HEADING,
    INK,
    LEFT,
    MUTED,
    NOTE,
    RULE,
    SMALL,
    TITLE,
    WARNING,
    WIDTH,
)
from slidekit.report.typeface import wrap
from slidekit.slide.fate import Fate, ordered_counts
from slidekit.slide.report_model import SlideReport, SlideStatus
from slidekit.slide.spec import ExtractionSpec

__all__ = ["cover_blocks", "total_counts"]

_GUTTER = 22.0
_COLUMN = (WIDTH - _GUTTER) / 2
_LEAST_AREA = 0.01
"""mm² below which there is no room for a figure's digits."""


def cover_blocks(
    entries: Sequence[Entry], spec: ExtractionSpec | None, *, title: str, made: str, versions: Mapping[str, str]
) -> list[Block]:
    """Blocks of the first page.

    Parameters
    ----------
    entries
        All slides.
    spec
        Parameters of the run; None where they are not known.
    title
        Title of the report.
    made
        Date and time, as printed.
    versions
        Versions of slidekit and what it rests on.
    """
    reports = [entry.report for entry in entries]
    return [
        _title(title, made, versions),
        _key_figures(reports),
        _callout(entries),
        _charts(reports),
        _reasons(reports),
        *_parameters(spec),
    ]


def total_counts(reports: Sequence[SlideReport]) -> dict[str, int]:
    """Candidates of all slides by reason, kept first, then in the order in which reasons are decided."""
    totals: Counter[str] = Counter()
    for report in reports:
        totals.update(report.counts)
    order = [reason for reason in ordered_counts(totals) if totals[reason]]
    order.sort(key=lambda reason: reason != Fate.KEPT)
    return {reason: totals[reason] for reason in order}


def _title(title: str, made: str, versions: Mapping[str, str]) -> Block:
    lines = wrap(title, TITLE, WIDTH, bold=True)
    said = " · ".join(f"{name} {version}" for name, version in versions.items())
    small = wrap(f"Made {made}" + (f" · {said}" if said else ""), SMALL, WIDTH)

    def draw(pen: Pen, top: float) -> None:
        for number, line in enumerate(lines):
            pen.text(LEFT, top - TITLE - number * TITLE * 1.25, line, size=TITLE, bold=True)
        below = top - len(lines) * TITLE * 1.25 - 9
        pen.lines(LEFT, below - SMALL, small, leading=SMALL * 1.5, size=SMALL, color=MUTED)

    height = len(lines) * TITLE * 1.25 + 9 + len(small) * SMALL * 1.5
    return Block(height, draw, anchor="summary", outline=Outline("Summary", 0))


def _key_figures(reports: Sequence[SlideReport]) -> Block:
    kept = sum(report.kept for report in reports)
    candidates = sum(report.candidates for report in reports)
    tissue = [report.tissue_mm2 for report in reports if report.tissue_mm2 is not None]
    figures = [
        (count(len(reports)), "slide" if len(reports) == 1 else "slides"),
        (count(kept), "tiles kept"),
        (count(candidates), "candidates"),
        (percent(kept / candidates) if candidates else "–", "of candidates kept"),
        (_area(sum(tissue)) if tissue else "–", "tissue"),
    ]
    states = Counter(report.status for report in reports)

    def draw(pen: Pen, top: float) -> None:
        column = WIDTH / len(figures)
        pen.rule(LEFT, top, LEFT + WIDTH, top, color=RULE)
        for place, (number, label) in enumerate(figures):
            x = LEFT + place * column
            pen.text(x, top - 24, number, size=14, bold=True, width=column - 6)
            pen.text(x, top - 35, label, size=SMALL, color=MUTED)
        x = LEFT
        for status in get_args(SlideStatus):
            pen.status_mark(x, top - 53.5, status)
            x += 10 + pen.text(x + 10, top - 53, f"{count(states[status])} {status}", size=BODY) + 18
        pen.rule(LEFT, top - 63, LEFT + WIDTH, top - 63, color=RULE)

    return Block(63, draw, space=14)


def _area(mm2: float) -> str:
    return f"< {_LEAST_AREA:g} mm²" if 0 < mm2 < _LEAST_AREA else f"{significant(mm2, 3)} mm²"


def _callout(entries: Sequence[Entry]) -> Block:
    flagged = sum(bool(entry.flags) for entry in entries)
    slides = "slide" if len(entries) == 1 else "slides"

    def draw(pen: Pen, top: float) -> None:
        base = top - 17
        if not flagged:
            pen.text(LEFT, base, f"No warning on {count(len(entries))} {slides}.", size=9.5, bold=True)
            return
        pen.rect(LEFT, top - 27, WIDTH, 27, fill=FRAME)
        pen.rect(LEFT, top - 27, 2.5, 27, fill=WARNING)
        pen.flag_mark(LEFT + 12, base - 0.5, 9)
        verb = "needs" if flagged == 1 else "need"
        text = f"{count(flagged)} of {count(len(entries))} {slides} {verb} a person to look at"
        pen.text(LEFT + 27, base, text + (" it" if flagged == 1 else " them"), size=9.5, bold=True)
        page = f"see page {pen.page_of('look')} ›"
        pen.text(LEFT + WIDTH - 10, base, page, size=BODY, color=ACCENT, align="right")
        pen.link("look", LEFT, top - 27, WIDTH, 27)

    return Block(27, draw, space=12)


def _charts(reports: Sequence[SlideReport]) -> Block:
    worked = [report.kept for report in reports if report.status in ("done", "empty") or report.kept]
    burdens = [burden for report in reports if (burden := blur_of(report)) is not None]
    over = sum(burden > BLUR_WARNING for burden in burdens)
    line = f"{BLUR_WARNING * 100:g} %"

    def draw(pen: Pen, top: float) -> None:
        right = LEFT + _COLUMN + _GUTTER
        for x, title, note in (
            (LEFT, "Tiles kept per slide", "number of slides, by tiles kept"),
            (right, "Blur burden per slide", "number of slides, by share of tissue out of focus"),
        ):
            pen.text(x, top - BODY, title, size=BODY, bold=True)
            pen.text(x, top - BODY - 10, note, size=NOTE, color=MUTED)
        if worked:
            draw_histogram(pen, tiles_histogram(worked), LEFT, top - 122, _COLUMN, 100)
        else:
            pen.text(LEFT, top - 60, "no slide was finished", size=SMALL, color=MUTED)
        if burdens:
            said = f"{count(over)} of {count(len(burdens))} over {line}"
            pen.text(right + _COLUMN, top - BODY, said, size=SMALL, color=WARNING if over else INK, align="right")
            draw_histogram(pen, blur_histogram(burdens), right, top - 122, _COLUMN, 100)
        else:
            pen.text(right, top - 60, "not measured: no blur detector among the QC methods", size=SMALL, color=MUTED)

    return Block(122, draw, space=16)


def _reasons(reports: Sequence[SlideReport]) -> Block:
    counts = total_counts(reports)

    def draw(pen: Pen, top: float) -> None:
        pen.text(LEFT, top - BODY, "What became of the candidate tiles", size=BODY, bold=True)
        draw_shares(pen, counts, LEFT, top - BODY - 8, WIDTH)

    return Block(BODY + 8 + shares_height(counts), draw, space=14)


_LABEL = 84.0
_LEADING = 9.6


def _parameters(spec: ExtractionSpec | None) -> list[Block]:
    if spec is None:
        text = "The parameters of the extraction are not recorded beside these files."

        def draw(pen: Pen, top: float) -> None:
            pen.text(LEFT, top - BODY, "Parameters", size=BODY, bold=True)
            pen.text(LEFT, top - BODY - 13, text, size=SMALL, color=MUTED)

        return [Block(26, draw, space=14)]
    groups = parameter_groups(spec)
    heights = [_group_height(group) for group in groups]
    # Both columns about equally long, groups in their order.
    split = min(range(1, len(groups)), key=lambda k: abs(sum(heights[:k]) - sum(heights[k:])))
    columns = (groups[:split], groups[split:])

    def draw_both(pen: Pen, top: float) -> None:
        pen.text(LEFT, top - HEADING + 2, "Parameters", size=HEADING - 2, bold=True)
        for x, column in zip((LEFT, LEFT + _COLUMN + _GUTTER), columns, strict=True):
            y = top - 18
            for group in column:
                _draw_group(pen, group, x, y)
                y -= _group_height(group)

    tall = max(sum(heights[:split]), sum(heights[split:]))
    return [Block(18 + tall, draw_both, space=14)]


def _values(group: ParameterGroup) -> list[tuple[str, list[str]]]:
    return [(p.label, wrap(p.value, SMALL - 0.2, _COLUMN - _LABEL)) for p in group.parameters]


def _group_height(group: ParameterGroup) -> float:
    return 12.5 + 6 + _LEADING * sum(len(lines) for _, lines in _values(group))


def _draw_group(pen: Pen, group: ParameterGroup, x: float, top: float) -> None:
    pen.text(x, top - 8, group.title, size=SMALL, bold=True, color=ACCENT)
    pen.rule(x, top - 11, x + _COLUMN, top - 11, color=RULE)
    y = top - 12.5 - 7
    for label, lines in _values(group):
        pen.text(x, y, label, size=SMALL - 0.2, color=MUTED, width=_LABEL - 6)
        pen.lines(x + _LABEL, y, lines, leading=_LEADING, size=SMALL - 0.2)
        y -= _LEADING * max(1, math.ceil(len(lines)))
