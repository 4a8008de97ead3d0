"""Which slides suffer from what: the share of tissue that QC methods mask, slides by methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from slidekit.report.entries import Entry
from slidekit.report.flags import BLUR_WARNING
from slidekit.report.layout import Block
from slidekit.report.numerals import count, percent
from slidekit.report.pen import Pen
from slidekit.report.pieces import heading, note
from slidekit.report.qc_table import tissue_share
from slidekit.report.style import ACCENT, FRAME, INK, LEFT, MUTED, NOTE, QUIET, RULE, SMALL, WARNING, WIDTH
from slidekit.report.typeface import wrap

__all__ = ["qc_blocks"]

_MOST_SLIDES = 20
_MOST_METHODS = 8
_NAME_WIDTH = 150.0
_WIDEST = 76.0
_PAGE = 34.0
_ROW = 14.0
_LINE = 7.4
_FULL = 0.5
"""Share from which on a cell has the full colour."""


@dataclass(frozen=True)
class _Cohort:
    """Shares of tissue, by slide and method."""

    methods: tuple[str, ...]
    rows: tuple[tuple[Entry, dict[str, float]], ...]

    @property
    def width(self) -> float:
        return min(_WIDEST, (WIDTH - _NAME_WIDTH - _PAGE) / len(self.methods))

    @property
    def left(self) -> float:
        return LEFT + WIDTH - _PAGE - self.width * len(self.methods)


def qc_blocks(entries: Sequence[Entry]) -> list[Block]:
    """Heading, a summary of each method, and the slides of which methods mask most.

    Parameters
    ----------
    entries
        All slides.

    Returns
    -------
    list of Block
        Empty where no method measured tissue: background alone does not.
    """
    cohort, left_out = _gather(entries)
    if not cohort.methods:
        return []
    worst = sorted(cohort.rows, key=lambda row: (-max(row[1].values()), row[0].number))
    marked = [row for row in worst if max(row[1].values()) > 0]
    shown = marked[:_MOST_SLIDES]
    head = _head(cohort)
    text = "Share of each slide's tissue that a method masks. "
    if len(marked) > len(shown):
        text += f"The {len(shown)} slides with the largest are shown, of {count(len(marked))} that have any. "
    elif not marked:
        text += "No slide has any. "
    if left_out:
        text += f"{count(left_out)} more {'method is' if left_out == 1 else 'methods are'} left out. "
    if unknown := len(entries) - len(cohort.rows):
        said = "slide has no such figures and does" if unknown == 1 else "slides have no such figures and do"
        text += f"{count(unknown)} {said} not count. "
    text += "All figures are in qc_report.csv."
    rows = [_row(entry, shares, cohort, head) for entry, shares in shown]
    return [
        heading("Quality control of tissue", anchor="qc", space=26, keep_with=head.height + 5 * _ROW),
        note(text),
        head,
        *_summary(cohort),
        *rows,
    ]


def _gather(entries: Sequence[Entry]) -> tuple[_Cohort, int]:
    """Shares of all slides that have any; and the number of methods for which there is no room."""
    rows = []
    largest: dict[str, float] = {}
    for entry in entries:
        shares: dict[str, float] = {}
        for figures in entry.report.qc_figures:
            if (share := tissue_share(figures)) is not None:
                shares[figures.method] = max(share, shares.get(figures.method, 0.0))
        for method, share in shares.items():
            largest[method] = max(share, largest.get(method, 0.0))
        if shares:
            rows.append((entry, shares))
    kept = set(sorted(largest, key=lambda method: -largest[method])[:_MOST_METHODS])
    methods = tuple(method for method in largest if method in kept)
    few = ((entry, {method: share for method, share in shares.items() if method in kept}) for entry, shares in rows)
    return _Cohort(methods, tuple((entry, shares) for entry, shares in few if shares)), len(largest) - len(methods)


def _head(cohort: _Cohort) -> Block:
    heads = [wrap(method, NOTE, cohort.width - 6, lines=3) for method in cohort.methods]
    height = 8 + _LINE * max(len(lines) for lines in heads)

    def draw(pen: Pen, top: float) -> None:
        pen.rect(LEFT, top - height, WIDTH, height, fill=FRAME)
        pen.rule(LEFT, top - height, LEFT + WIDTH, top - height, color=QUIET)
        pen.text(LEFT + 4, top - height + 5, "slide", size=NOTE, color=MUTED)
        pen.text(LEFT + WIDTH - 2, top - height + 5, "page", size=NOTE, color=MUTED, align="right")
        for place, lines in enumerate(heads):
            x = cohort.left + (place + 1) * cohort.width - 5
            for number, line in enumerate(reversed(lines)):
                pen.text(x, top - height + 5 + number * _LINE, line, size=NOTE, color=MUTED, align="right")

    return Block(height, draw)


def _summary(cohort: _Cohort) -> list[Block]:
    of_method = {method: [shares[method] for _, shares in cohort.rows if method in shares] for method in cohort.methods}
    over = {method: sum(share > BLUR_WARNING for share in found) for method, found in of_method.items()}
    lines = (
        ("median of the slides", {method: percent(median(found)) for method, found in of_method.items()}),
        (
            f"slides above {BLUR_WARNING * 100:g} %",
            {method: f"{count(over[method])} of {count(len(found))}" for method, found in of_method.items()},
        ),
    )

    def draw_line(label: str, cells: dict[str, str]) -> Block:
        def draw(pen: Pen, top: float) -> None:
            pen.rule(LEFT, top - _ROW, LEFT + WIDTH, top - _ROW, color=RULE)
            pen.text(LEFT + 4, top - 9.6, label, size=SMALL, color=MUTED)
            for place, method in enumerate(cohort.methods):
                x = cohort.left + (place + 1) * cohort.width - 5
                pen.text(x, top - 9.6, cells[method], size=SMALL, bold=True, align="right")

        return Block(_ROW, draw)

    return [draw_line(label, cells) for label, cells in lines]


def _row(entry: Entry, shares: dict[str, float], cohort: _Cohort, head: Block) -> Block:
    def draw(pen: Pen, top: float) -> None:
        pen.rule(LEFT, top - _ROW, LEFT + WIDTH, top - _ROW, color=RULE)
        pen.text(LEFT + 4, top - 9.6, entry.report.slide, size=SMALL, width=cohort.left - LEFT - 12)
        for place, method in enumerate(cohort.methods):
            x = cohort.left + place * cohort.width
            share = shares.get(method)
            over = share is not None and share > BLUR_WARNING
            if share is not None and over:
                depth = 0.18 + 0.42 * min(1.0, share / _FULL)
                pen.rect(x + 2, top - _ROW + 0.8, cohort.width - 4, _ROW - 1.6, fill=WARNING, alpha=depth)
            said = "–" if share is None else percent(share)
            color = INK if over else QUIET if not share else MUTED
            pen.text(x + cohort.width - 5, top - 9.6, said, size=SMALL, color=color, bold=over, align="right")
        page = pen.page_of(entry.anchor)
        pen.text(LEFT + WIDTH - 2, top - 9.6, page, size=SMALL, color=ACCENT, align="right")
        pen.link(entry.anchor, LEFT, top - _ROW, WIDTH, _ROW)

    return Block(_ROW, draw, header=head)
