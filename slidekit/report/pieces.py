"""Headings, paragraphs and lists that all parts of the report share."""

from __future__ import annotations

from slidekit.report.layout import Block, Outline
from slidekit.report.pen import Pen
from slidekit.report.style import BODY, HEADING, INK, LEFT, MUTED, RGB, SMALL, WIDTH
from slidekit.report.typeface import wrap

__all__ = ["SECTION", "heading", "note", "paragraph", "section"]


def heading(
    text: str, *, anchor: str, level: int = 0, space: float = 20.0, new_page: bool = False, keep_with: float = 60.0
) -> Block:
    """Heading that stands in the bookmarks."""

    def draw(pen: Pen, top: float) -> None:
        pen.text(LEFT, top - HEADING, text, size=HEADING, bold=True)

    return Block(
        HEADING + 10,
        draw,
        space=space,
        anchor=anchor,
        outline=Outline(text, level),
        new_page=new_page,
        keep_with=keep_with,
    )


SECTION = 10.0
"""Height of a `section`, points."""


def section(text: str, *, anchor: str) -> Block:
    """Quiet title on top of a page of slides; it stands in the bookmarks."""

    def draw(pen: Pen, top: float) -> None:
        pen.text(LEFT, top - SMALL, text, size=SMALL, color=MUTED)

    return Block(SECTION, draw, anchor=anchor, outline=Outline(text, 0), new_page=True, keep_with=60)


def paragraph(
    text: str, *, size: float = BODY, color: RGB = INK, space: float = 0.0, width: float = WIDTH, after: float = 6.0
) -> Block:
    """Text over the width of the page."""
    lines, leading = wrap(text, size, width), size * 1.45

    def draw(pen: Pen, top: float) -> None:
        pen.lines(LEFT, top - size, lines, leading=leading, size=size, color=color)

    return Block(leading * len(lines) + after, draw, space=space)


def note(text: str) -> Block:
    """A quieter paragraph."""
    return paragraph(text, size=BODY - 0.8, color=MUTED)
