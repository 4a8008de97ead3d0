"""What becomes of a candidate tile: every one ends under exactly one reason, and the reasons are counted."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

__all__ = ["Fate", "ordered_counts", "reason_text"]


class Fate(StrEnum):
    """Reasons in the order in which they are decided; the first that applies is the tile's.

    QC methods other than Otsu and blur contribute their own name as a reason, between `OUT_OF_FOCUS` and
    `UNREADABLE`. Only given coordinates can be outside the slide or duplicates.
    """

    OUTSIDE_SLIDE = "outside_slide"
    DUPLICATE = "duplicate"
    OUTSIDE_ROI = "outside_roi"
    ARTIFACT = "artifact"
    BACKGROUND = "background"
    OUT_OF_FOCUS = "out_of_focus"
    UNREADABLE = "unreadable"
    GRAYSPACE = "grayspace"
    WHITESPACE = "whitespace"
    NORMALIZER = "normalizer"
    MAX_TILES = "max_tiles"
    KEPT = "kept"


_TEXT = {
    Fate.OUTSIDE_SLIDE: "outside the slide",
    Fate.DUPLICATE: "given twice",
    Fate.OUTSIDE_ROI: "outside ROI",
    Fate.ARTIFACT: "artifact region",
    Fate.BACKGROUND: "background",
    Fate.OUT_OF_FOCUS: "out of focus",
    Fate.UNREADABLE: "unreadable",
    Fate.GRAYSPACE: "grayspace",
    Fate.WHITESPACE: "whitespace",
    Fate.NORMALIZER: "normaliser failed",
    Fate.MAX_TILES: "over max_tiles",
    Fate.KEPT: "kept",
}


def reason_text(reason: str) -> str:
    """The reason as a person reads it, such as ``out of focus`` for ``out_of_focus``."""
    return _TEXT.get(reason, reason.replace("_", " "))  # type: ignore[call-overload, no-any-return]


def ordered_counts(reasons: Iterable[str]) -> dict[str, int]:
    """Count reasons, in the order in which they are decided, leaving out those that never occurred.

    Parameters
    ----------
    reasons
        One reason a tile, `Fate.KEPT` among them.

    Returns
    -------
    dict
        Reason to number of tiles.
    """
    counts: dict[str, int] = {}
    for reason in reasons:
        counts[str(reason)] = counts.get(str(reason), 0) + 1
    order = {fate.value: place for place, fate in enumerate(Fate)}
    # Other QC methods stand where SEMANTICS puts them: after focus, before what needs a tile's pixels.
    other = order[Fate.OUT_OF_FOCUS] + 0.5
    return dict(sorted(counts.items(), key=lambda item: (order.get(item[0], other), item[0])))
