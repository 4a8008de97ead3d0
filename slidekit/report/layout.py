"""Blocks flow down pages; pages are planned before the first is drawn, so that page numbers can be printed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from slidekit.report.pen import Pen
from slidekit.report.style import HEIGHT, TOP

__all__ = ["Block", "Outline", "Page", "Placed", "paginate"]


@dataclass(frozen=True)
class Outline:
    """An entry of the PDF's bookmarks: its text and its depth from 0."""

    title: str
    level: int


@dataclass(frozen=True)
class Block:
    """Something that stands on one page in full width.

    Attributes
    ----------
    height
        Points.
    draw
        Called with the pen and the y of the block's top.
    space
        Space above, points; not at the top of a page.
    anchor
        Name that links lead to.
    outline
        Bookmark for the block; needs an `anchor`.
    new_page
        Begin a page with this block.
    keep_with
        Height that must fit below this block on its page, points: a heading's first lines.
    header
        Drawn above the block where it is the first on a page: the head of a table that goes on.
    """

    height: float
    draw: Callable[[Pen, float], None]
    space: float = 0.0
    anchor: str | None = None
    outline: Outline | None = None
    new_page: bool = False
    keep_with: float = 0.0
    header: Block | None = None


@dataclass(frozen=True)
class Placed:
    """A block and the y of its top."""

    block: Block
    top: float


@dataclass
class Page:
    """Blocks on one page."""

    placed: list[Placed] = field(default_factory=list)

    @property
    def anchors(self) -> Sequence[str]:
        """Anchors on the page."""
        return [item.block.anchor for item in self.placed if item.block.anchor]


def paginate(blocks: Iterable[Block]) -> list[Page]:
    """Put blocks on pages, one below the other.

    Parameters
    ----------
    blocks
        In reading order; none is taller than `HEIGHT`.

    Returns
    -------
    list of Page
        At least one.
    """
    pages = [Page()]
    room = HEIGHT
    for block in blocks:
        needed = block.space + block.height + block.keep_with
        if pages[-1].placed and (block.new_page or needed > room + 0.01):
            pages.append(Page())
            room = HEIGHT
        first = not pages[-1].placed
        if first and block.header is not None:
            pages[-1].placed.append(Placed(block.header, TOP - HEIGHT + room))
            room -= block.header.height
        elif not first:
            room -= block.space
        pages[-1].placed.append(Placed(block, TOP - HEIGHT + room))
        room -= block.height
    return pages
