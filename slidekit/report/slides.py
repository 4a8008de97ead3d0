"""The part of a PDF that shows its slides one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from slidekit.report.entries import Entry, SlidePictures
from slidekit.report.flags import severity
from slidekit.report.layout import Block
from slidekit.report.panel import slide_block
from slidekit.report.picture import Legend
from slidekit.report.pieces import section
from slidekit.slide.report_model import SlideReport

__all__ = ["slide_blocks"]


def _legend() -> Legend:
    from slidekit.slide.preview import LEGEND

    return [(entry.label, entry.rgb, entry.kind) for entry in LEGEND]


def slide_blocks(
    share: Sequence[Entry], pictures: Callable[[SlideReport], SlidePictures], *, volume: int, volumes: int
) -> list[Block]:
    """Slides to look at in large, the gravest first; then the others, two on a page.

    Parameters
    ----------
    share
        The slides of this PDF.
    pictures
        Called once a slide.
    volume, volumes
        Which PDF this is, from 1, and of how many.
    """
    legend = _legend()
    shown = {entry.number: pictures(entry.report) for entry in share}
    # Slides without picture take little room and go together.
    flagged = sorted(
        (entry for entry in share if entry.flags),
        key=lambda entry: (shown[entry.number].preview is None, severity(entry.report)),
    )
    plain = [entry for entry in share if not entry.flags]
    suffix = "" if volumes == 1 else f", volume {volume} of {volumes}"
    picked = " (a sample picked by seed)" if volume == 1 and volumes > 1 else ""
    blocks: list[Block] = []
    for title, anchor, group in (
        (f"Slides to look at, in detail{suffix}", "flagged", flagged),
        (f"Slides without a warning{picked}{suffix}", "plain", plain),
    ):
        if group:
            blocks.append(section(title, anchor=anchor))
            large = group is flagged or len(group) == 1
            blocks += (slide_block(entry, shown[entry.number], legend, large=large) for entry in group)
    return blocks
