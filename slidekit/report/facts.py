"""What is said about one slide: facts in a grid, and sentences a reader should see."""

from __future__ import annotations

from slidekit.report.entries import Entry
from slidekit.report.flags import blur_of
from slidekit.report.numerals import count, mpp_text, percent, significant
from slidekit.report.privacy import without_paths
from slidekit.report.typeface import missing_glyphs
from slidekit.slide.report_model import SlideReport

__all__ = ["facts_of", "notes_of", "tile_text"]


def facts_of(report: SlideReport) -> list[tuple[str, str]]:
    """Label and value of each fact that is known, in the order in which they are printed."""
    facts = [
        ("size", _size(report)),
        ("µm/px", _resolution(report)),
        ("read", report.resampling or _level(report)),
        ("reader", " · ".join(part for part in (report.reader, report.vendor) if part)),
        ("given coordinates", "" if report.coordinates is None else count(report.coordinates)),
        ("tissue", _tissue(report)),
        ("blur burden", _blur(report)),
        ("regions of interest", count(report.rois) if report.rois else "none" if report.width else ""),
        ("artifact regions, removed", _artifacts(report)),
    ]
    return [(label, without_paths(value, report)) for label, value in facts if value]


def notes_of(entry: Entry) -> list[tuple[bool, str]]:
    """Sentences about the slide; those that are flags (True) first."""
    report = entry.report
    flags = [f"{flag.title}: {flag.sentence}" for flag in entry.flags]
    shown = " ".join(flags)
    others = [report.reason, *report.roi_problems, *report.warnings]
    if lacking := missing_glyphs(report.slide):
        others.append("Characters of the name that no font has: " + ", ".join(f"U+{ord(c):04X}" for c in lacking) + ".")
    plain = [without_paths(text, report) for text in others if text]
    plain = [text for text in dict.fromkeys(plain) if text not in shown]
    most = 8
    if len(plain) > most:
        plain[most:] = [f"And {len(plain) - most} more, in the slide's .json."]
    return [*((True, text) for text in flags), *((False, text) for text in plain)]


def _size(report: SlideReport) -> str:
    if report.width is None or report.height is None:
        return ""
    pixels = f"{count(report.width)} × {count(report.height)} px"
    if report.mpp_x is None:
        return pixels
    mpp_y = report.mpp_x if report.mpp_y is None else report.mpp_y
    wide, tall = report.width * report.mpp_x / 1000, report.height * mpp_y / 1000
    return f"{pixels} · {significant(wide, 3)} × {significant(tall, 3)} mm"


def _resolution(report: SlideReport) -> str:
    if report.mpp_x is None:
        return ""
    source = f" · {report.mpp_source}" if report.mpp_source else ""
    return mpp_text(report.mpp_x, report.mpp_y) + source


def _level(report: SlideReport) -> str:
    return "" if report.level is None else f"level {report.level}"


def _tissue(report: SlideReport) -> str:
    area = "" if report.tissue_mm2 is None else f"{significant(report.tissue_mm2, 3)} mm²"
    share = "" if report.tissue_share is None else f"{percent(report.tissue_share)} of the slide"
    return " · ".join(part for part in (area, share) if part)


def _blur(report: SlideReport) -> str:
    burden = blur_of(report)
    if burden is None:
        return "not measured" if report.width else ""
    return f"{percent(burden)} of tissue"


def _artifacts(report: SlideReport) -> str:
    if not report.artifacts:
        return ""
    area = report.artifacts_mm2
    return count(report.artifacts) + ("" if area is None else f" · {significant(area, 3)} mm²")


def tile_text(report: SlideReport) -> str:
    """Size of a tile, such as ``256 px = 128 µm``; empty where it is not known."""
    if report.tile_px is None:
        return ""
    if report.tile_um_x is None:
        return f"{report.tile_px} px"
    x = significant(report.tile_um_x)
    y = significant(report.tile_um_x if report.tile_um_y is None else report.tile_um_y)
    return f"{report.tile_px} px = {x if x == y else f'{x} × {y}'} µm"
