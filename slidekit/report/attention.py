"""The list of slides that a person must look at, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from slidekit.report.entries import Entry
from slidekit.report.flags import FLAG_TITLES, severity
from slidekit.report.layout import Block
from slidekit.report.numerals import count
from slidekit.report.pen import Pen
from slidekit.report.pieces import heading, note, paragraph
from slidekit.report.style import ACCENT, BODY, INK, LEFT, MUTED, RULE, SMALL, WIDTH
from slidekit.report.typeface import wrap

__all__ = ["attention_blocks"]

_REASON_X = 84.0
_PAGE_WIDTH = 64.0


def attention_blocks(entries: Sequence[Entry]) -> list[Block]:
    """Heading, tally and one block a slide, the gravest first.

    Parameters
    ----------
    entries
        All slides.
    """
    flagged = sorted((entry for entry in entries if entry.flags), key=lambda entry: severity(entry.report))
    head = heading("Slides to look at", anchor="look", new_page=bool(flagged))
    if not flagged:
        text = "No slide crossed a warning line. That does not replace a look at the pictures."
        return [head, paragraph(text)]
    rest = len(entries) - len(flagged)
    tally = Counter(flag.code for entry in flagged for flag in entry.flags)
    kinds = "   ·   ".join(f"{FLAG_TITLES[code]} {count(tally[code])}" for code in FLAG_TITLES if tally[code])
    calm = f"{count(rest)} {'other shows' if rest == 1 else 'others show'} nothing unusual. " if rest else ""
    text = f"The gravest come first. {calm}Decisions are written into review.csv beside this report."
    return [head, paragraph(kinds, after=2), note(text), *(_block(entry) for entry in flagged)]


def _block(entry: Entry) -> Block:
    name = wrap(entry.report.slide, BODY + 0.5, WIDTH - _PAGE_WIDTH - 14, bold=True)
    reasons = [
        (flag.title, wrap(flag.sentence, SMALL + 0.3, WIDTH - _REASON_X - 14 - _PAGE_WIDTH, lines=5))
        for flag in entry.flags
    ]
    leading = 10.2
    height = 9 + 11.5 * len(name) + leading * sum(len(lines) for _, lines in reasons) + 4

    def draw(pen: Pen, top: float) -> None:
        pen.rule(LEFT, top, LEFT + WIDTH, top, color=RULE)
        y = top - 14
        pen.status_mark(LEFT, y - 0.3, entry.report.status, 6.5)
        for line in name:
            pen.text(LEFT + 14, y, line, size=BODY + 0.5, bold=True)
            y -= 11.5
        page = pen.page_of(entry.anchor)
        if page:
            pen.text(LEFT + WIDTH, top - 14, f"page {page} ›", size=SMALL, color=ACCENT, align="right")
        for title, lines in reasons:
            pen.text(LEFT + 14, y, title, size=SMALL + 0.3, color=MUTED, width=_REASON_X - 6)
            pen.lines(LEFT + 14 + _REASON_X, y, lines, leading=leading, size=SMALL + 0.3, color=INK)
            y -= leading * len(lines)
        pen.link(entry.anchor, LEFT, top - height, WIDTH, height)

    return Block(height, draw)
