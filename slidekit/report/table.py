"""The table of every slide, with columns as wide as what stands in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from slidekit.report.cover import total_counts
from slidekit.report.entries import Entry
from slidekit.report.flags import BLUR_WARNING, blur_of
from slidekit.report.layout import Block
from slidekit.report.numerals import count, mpp_text, percent
from slidekit.report.pen import Pen
from slidekit.report.pieces import heading, note
from slidekit.report.privacy import without_paths
from slidekit.report.style import ACCENT, FRAME, INK, LEFT, MUTED, NOTE, QUIET, RGB, RULE, WARNING, WIDTH
from slidekit.report.typeface import shorten_middle, text_width, wrap
from slidekit.slide.fate import Fate, reason_text

__all__ = ["table_blocks"]

_SIZE = 6.8
_GAP = 7.5
_NAME_WIDTH = 108.0
_ROW = 21.5
_HEAD = 23.0
_MARK = 11.0


@dataclass(frozen=True)
class _Column:
    """A column of numbers, right-aligned: its head, its cell of a slide, and the cell's small second line."""

    head: tuple[str, ...]
    cell: Callable[[Entry], str]
    below: Callable[[Entry], str] = lambda _: ""
    color: Callable[[Entry], RGB] = lambda _: INK

    def width(self, entries: Sequence[Entry]) -> float:
        cells = max((text_width(self.cell(entry), _SIZE) for entry in entries), default=0.0)
        small = max((min(text_width(self.below(entry), NOTE - 0.7), 48.0) for entry in entries), default=0.0)
        return max(cells, small, *(text_width(line, NOTE) for line in self.head))


@dataclass(frozen=True)
class _Plan:
    name_width: float
    columns: tuple[tuple[_Column, float], ...]


def table_blocks(entries: Sequence[Entry], volumes: int = 1) -> list[Block]:
    """Heading and one row a slide; the table's head is repeated on every page.

    Parameters
    ----------
    entries
        All slides, in the order of the rows.
    volumes
        Number of PDFs that the pictures are shared out to.
    """
    plan = _plan(entries)
    head = Block(_HEAD, lambda pen, top: _draw_head(pen, top, plan))
    rows = [_row(entry, plan, head) for entry in entries]
    title = heading("All slides", anchor="table", space=26, keep_with=_HEAD + 4 * _ROW)
    where = [note("A page such as v2:14 is page 14 of volume 2.")] if volumes > 1 else []
    return [title, *where, head, *rows]


def _plan(entries: Sequence[Entry]) -> _Plan:
    reasons = [reason for reason in total_counts([e.report for e in entries]) if reason != Fate.KEPT]
    # Columns that do not fit are added up: the rarest reasons first. The slide's own part and the CSV have them all.
    totals = total_counts([entry.report for entry in entries])
    folded: list[str] = []
    while True:
        columns = [(column, column.width(entries)) for column in _columns(reasons, folded)]
        # State is left-aligned with its mark in front.
        rest = WIDTH - sum(width + _GAP for _, width in columns) - _MARK
        if rest >= _NAME_WIDTH or len(reasons) <= 1:
            return _Plan(rest - 4, tuple(columns))
        rarest = min(reasons, key=lambda reason: totals[reason])
        reasons.remove(rarest)
        folded.append(rarest)


def _columns(reasons: Sequence[str], folded: Sequence[str]) -> list[_Column]:
    columns = [
        _Column(("state",), lambda entry: entry.report.status),
        _Column(("kept",), lambda entry: _number(entry, entry.report.kept)),
        _Column(("candi-", "dates"), lambda entry: _number(entry, entry.report.candidates)),
        *(_reason_column(reason) for reason in reasons),
    ]
    if folded:
        columns.append(
            _Column(("other", "reasons"), lambda e: _number(e, sum(e.report.counts.get(r, 0) for r in folded)))
        )
    return [
        *columns,
        _Column(("µm/px", "source"), _mpp, lambda entry: entry.report.mpp_source or "", _mpp_color),
        _Column(("blur", "burden"), _blur, color=_blur_color),
        _Column(("page",), lambda _: "v2:99", color=lambda _: ACCENT),
    ]


def _reason_column(reason: str) -> _Column:
    words = reason_text(reason).split(" ", 1)
    head = tuple(shorten_middle(word, NOTE, 42) for word in words)
    return _Column(head, lambda entry: _number(entry, entry.report.counts.get(reason, 0)))


def _number(entry: Entry, number: int) -> str:
    return count(number) if entry.report.candidates or number else "–"


def _mpp(entry: Entry) -> str:
    return mpp_text(entry.report.mpp_x, entry.report.mpp_y)


def _mpp_color(entry: Entry) -> RGB:
    return WARNING if entry.report.mpp_doubt else INK


def _blur(entry: Entry) -> str:
    burden = blur_of(entry.report)
    return "–" if burden is None else percent(burden)


def _blur_color(entry: Entry) -> RGB:
    return WARNING if (blur_of(entry.report) or 0) > BLUR_WARNING else INK


def _draw_head(pen: Pen, top: float, plan: _Plan) -> None:
    pen.rect(LEFT, top - _HEAD, WIDTH, _HEAD, fill=FRAME)
    pen.rule(LEFT, top - _HEAD, LEFT + WIDTH, top - _HEAD, color=QUIET)
    pen.text(LEFT + 10, top - _HEAD + 6, "slide", size=NOTE, color=MUTED)
    x = LEFT + plan.name_width + _MARK + 4
    for place, (column, width) in enumerate(plan.columns):
        x += _GAP + width
        for number, line in enumerate(reversed(column.head)):
            y = top - _HEAD + 6 + number * 7.6
            if place == 0:
                pen.text(x - width, y, line, size=NOTE, color=MUTED)
            else:
                pen.text(x - 2, y, line, size=NOTE, color=MUTED, align="right")


def _row(entry: Entry, plan: _Plan, head: Block) -> Block:
    names = wrap(entry.report.slide, _SIZE, plan.name_width - 12, lines=2)

    def draw(pen: Pen, top: float) -> None:
        pen.rule(LEFT, top - _ROW, LEFT + WIDTH, top - _ROW, color=RULE)
        if entry.flags:
            pen.flag_mark(LEFT, top - (10 if len(names) > 1 else 13.5) - 0.2, 6)
        pen.lines(LEFT + 10, top - (10 if len(names) > 1 else 13.5), names, leading=8.2, size=_SIZE)
        x = LEFT + plan.name_width + _GAP + 4
        pen.status_mark(x, top - 14, entry.report.status, 6)
        _draw_cells(pen, top, entry, plan)
        pen.link(entry.anchor, LEFT, top - _ROW, WIDTH, _ROW)

    return Block(_ROW, draw, anchor=entry.row, header=head)


def _draw_cells(pen: Pen, top: float, entry: Entry, plan: _Plan) -> None:
    x = LEFT + plan.name_width + _MARK + 4
    said = _instead_of_numbers(entry)
    for place, (column, width) in enumerate(plan.columns):
        x += _GAP + width
        last = place == len(plan.columns) - 1
        text = pen.page_of(entry.anchor) if last else column.cell(entry)
        if place == 0:
            pen.text(x - width, top - 13.5, text, size=_SIZE)
            if said:
                _draw_reason(pen, x + _GAP, top, said)
        elif not said or last:
            below = "" if last else column.below(entry)
            y = top - (10 if below else 13.5)
            color = QUIET if text in ("0", "–") else column.color(entry)
            pen.text(x - 2, y, text, size=_SIZE, color=color, align="right")
            pen.text(x - 2, y - 8, below, size=NOTE - 0.7, color=MUTED, align="right", width=width)


def _draw_reason(pen: Pen, x: float, top: float, said: str) -> None:
    room = LEFT + WIDTH - x - 24
    lines = wrap(said, _SIZE - 0.3, room, lines=2)
    pen.lines(x, top - (10 if len(lines) > 1 else 13.5), lines, leading=8.2, size=_SIZE - 0.3, color=MUTED)


def _instead_of_numbers(entry: Entry) -> str:
    """Why there are no numbers, for slides that have none."""
    report = entry.report
    if report.candidates or report.kept or report.status in ("done", "empty"):
        return ""
    return without_paths(report.reason, report) or "no reason was recorded"
