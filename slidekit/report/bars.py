"""Counts of one slide: by reason as small bars, and by ROI label."""

from __future__ import annotations

from collections.abc import Sequence

from slidekit.report.facts import tile_text
from slidekit.report.numerals import count, percent
from slidekit.report.pen import Pen
from slidekit.report.style import FRAME, LEFT, MUTED, NOTE, SMALL, WIDTH, reason_color
from slidekit.slide.fate import Fate, reason_text
from slidekit.slide.report_model import SlideReport

__all__ = ["LABEL_ROW", "bars_height", "candidates_text", "draw_bars", "draw_labels", "label_rows", "reasons_of"]

LABEL_ROW = 9.4
"""Height of a row of labels, points."""

_BAR_ROW = 17.0
_SIZE = NOTE + 0.4
_MOST_LABELS = 24


def reasons_of(report: SlideReport) -> list[tuple[str, int]]:
    """Reasons that occurred, kept first even where nothing was kept."""
    dropped = [(reason, number) for reason, number in report.counts.items() if number and reason != Fate.KEPT]
    return [(Fate.KEPT, report.kept), *dropped]


def label_rows(report: SlideReport) -> list[tuple[str, str]]:
    """Label and number of kept tiles, the most frequent first."""
    ordered = sorted(report.labels.items(), key=lambda item: (-item[1], item[0]))
    rows = [(label or "(no label)", count(number)) for label, number in ordered[:_MOST_LABELS]]
    if left := ordered[_MOST_LABELS:]:
        rows.append((f"{len(left)} more labels", count(sum(number for _, number in left))))
    return rows


def candidates_text(report: SlideReport) -> str:
    """How many candidates of which size."""
    size = tile_text(report)
    candidates = "candidate" if report.candidates == 1 else "candidates"
    return f"{count(report.candidates)} {candidates}" + (f" of {size}" if size else "")


def bars_height(report: SlideReport) -> float:
    """Height that `draw_bars` takes, points."""
    labels = len(label_rows(report))
    return 12 + _BAR_ROW * len(reasons_of(report)) + (LABEL_ROW * labels + 18 if labels else 0)


def draw_bars(pen: Pen, report: SlideReport, x: float, top: float, width: float) -> None:
    """Draw counts by reason and by label below each other, in a narrow column."""
    pen.text(x, top - 7, candidates_text(report), size=SMALL, bold=True, width=width)
    y = top - 12
    total = max(report.candidates, 1)
    for reason, number in reasons_of(report):
        _draw_bar(pen, reason, number, number / total, x, y, width)
        y -= _BAR_ROW
    labels = label_rows(report)
    if labels:
        pen.text(x, y - 11, "kept tiles by ROI label", size=SMALL, bold=True)
        for place, (label, text) in enumerate(labels):
            _draw_label(pen, label, text, x, y - 21 - place * LABEL_ROW, width)


def draw_labels(pen: Pen, labels: Sequence[tuple[str, str]], y: float, rows: int) -> None:
    """Draw labels in three columns over the width of the page, the first with its baseline at `y`."""
    column = WIDTH / 3
    for place, (label, text) in enumerate(labels):
        x = LEFT + place // rows * column
        _draw_label(pen, label, text, x, y - place % rows * LABEL_ROW, column - 18)


def _draw_label(pen: Pen, label: str, text: str, x: float, y: float, width: float) -> None:
    length = pen.text(x + width, y, text, size=_SIZE, align="right")
    pen.text(x, y, label, size=_SIZE, width=width - length - 6, color=MUTED)


def _draw_bar(pen: Pen, reason: str, number: int, share: float, x: float, top: float, width: float) -> None:
    y = top - 8.5
    pen.text(x + width, y, percent(share), size=_SIZE, color=MUTED, align="right")
    length = pen.text(x + width - 36, y, count(number), size=_SIZE, align="right")
    pen.text(x, y, reason_text(reason), size=_SIZE, width=width - 36 - length - 6)
    pen.rect(x, y - 5.5, width, 3, fill=FRAME)
    if number:
        pen.rect(x, y - 5.5, max(width * share, 0.6), 3, fill=reason_color(reason))
