"""Page geometry, type sizes and colours of the report, in points (1/72 inch) and RGB 0-255."""

from __future__ import annotations

from slidekit.slide.fate import Fate
from slidekit.slide.report_model import SlideStatus

__all__ = [
    "ACCENT",
    "BODY",
    "BOTTOM",
    "FRAME",
    "HEADING",
    "HEIGHT",
    "INK",
    "LEFT",
    "MUTED",
    "NOTE",
    "PAGE_HEIGHT",
    "PAGE_WIDTH",
    "QUIET",
    "RULE",
    "SMALL",
    "STATUS_COLORS",
    "TITLE",
    "TOP",
    "WARNING",
    "WHITE",
    "WIDTH",
    "reason_color",
]

RGB = tuple[int, int, int]

PAGE_WIDTH, PAGE_HEIGHT = 595.276, 841.89
LEFT = 42.0
WIDTH = PAGE_WIDTH - 2 * LEFT
TOP = PAGE_HEIGHT - 62.0
BOTTOM = 50.0
HEIGHT = TOP - BOTTOM

TITLE, HEADING, BODY, SMALL, NOTE = 19.0, 12.0, 8.0, 7.0, 6.2

INK: RGB = (26, 30, 36)
MUTED: RGB = (92, 100, 110)
QUIET: RGB = (150, 157, 165)
RULE: RGB = (215, 219, 224)
FRAME: RGB = (246, 247, 249)
WHITE: RGB = (255, 255, 255)
ACCENT: RGB = (22, 78, 118)
WARNING: RGB = (186, 84, 0)

STATUS_COLORS: dict[SlideStatus, RGB] = {
    "done": (0, 110, 60),
    "empty": (150, 96, 0),
    "skipped": (92, 100, 110),
    "failed": (178, 24, 43),
}

# Overlays of the preview and bars share their colours, so that one legend serves both.
_REASON_COLORS: dict[str, RGB] = {
    Fate.KEPT: (0, 110, 60),
    Fate.OUTSIDE_SLIDE: (70, 84, 110),
    Fate.DUPLICATE: (150, 190, 120),
    Fate.OUTSIDE_ROI: (116, 146, 214),
    Fate.ARTIFACT: (205, 0, 95),
    Fate.BACKGROUND: (190, 194, 200),
    Fate.OUT_OF_FOCUS: (230, 120, 0),
    "pen": (220, 195, 0),
    "fold": (130, 50, 25),
    Fate.UNREADABLE: (178, 24, 43),
    Fate.GRAYSPACE: (126, 122, 116),
    Fate.WHITESPACE: (226, 216, 190),
    Fate.NORMALIZER: (204, 121, 167),
    Fate.MAX_TILES: (150, 60, 170),
}
_OTHER_QC: tuple[RGB, ...] = ((0, 165, 190), (0, 116, 140), (90, 200, 215))


def reason_color(reason: str) -> RGB:
    """Colour of a reason; QC methods without one of their own share the blue-greens."""
    color = _REASON_COLORS.get(reason)
    return color or _OTHER_QC[sum(reason.encode("utf-8", "replace")) % len(_OTHER_QC)]
