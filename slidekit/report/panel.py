"""One slide of the report: name, facts, flags, preview with legend and scale bar, counts, sample tiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from slidekit.errors import ReportError
from slidekit.report.bars import LABEL_ROW, bars_height, candidates_text, draw_bars, draw_labels, label_rows, reasons_of
from slidekit.report.charts import draw_shares, shares_height
from slidekit.report.entries import Entry, SlidePictures
from slidekit.report.fact_grid import fact_grid
from slidekit.report.facts import notes_of
from slidekit.report.jpeg import read_jpeg
from slidekit.report.layout import Block, Outline
from slidekit.report.pen import Pen
from slidekit.report.picture import Legend, draw_legend, draw_picture
from slidekit.report.pieces import SECTION
from slidekit.report.qc_table import draw_qc, draw_qc_column, qc_column_height, qc_height
from slidekit.report.scripts import printable
from slidekit.report.style import (
    ACCENT,
    BODY,
    FRAME,
    HEIGHT,
    INK,
    LEFT,
    MUTED,
    NOTE,
    QUIET,
    SMALL,
    WIDTH,
)
from slidekit.report.typeface import wrap
from slidekit.slide.fate import reason_text
from slidekit.slide.report_model import SlideReport

__all__ = ["slide_block"]

_SPACE = 18.0
_HALF = (HEIGHT - SECTION - 2 * _SPACE) / 2
_FRAME_WIDTH = 322.0
_LEGEND = 17.0
_LEAST_PICTURE = 165.0
_SMALLEST_PICTURE = 60.0


@dataclass(frozen=True)
class _Part:
    """A part of a panel, drawn from its top."""

    height: float
    draw: Callable[[Pen, float], None]


def slide_block(entry: Entry, pictures: SlidePictures, legend: Legend, *, large: bool = False) -> Block:
    """The part of the report about one slide.

    It takes half a page; with a large picture, a page; without picture, what its text needs.

    Parameters
    ----------
    entry
        The slide.
    pictures
        Its pictures; opened only when the page is drawn.
    legend
        Colours of the preview.
    large
        Give it a page. Where more is to be said than goes on half a page, it has one in any case.
    """
    parts = _parts(entry, pictures, legend, large)

    def draw(pen: Pen, top: float) -> None:
        for part in parts:
            part.draw(pen, top)
            top -= part.height

    total = min(sum(part.height for part in parts), HEIGHT)
    title = printable(entry.report.slide) or "(no name)"
    return Block(total, draw, space=_SPACE, anchor=entry.anchor, outline=Outline(title, 1))


def _parts(entry: Entry, pictures: SlidePictures, legend: Legend, large: bool) -> list[_Part]:
    report = entry.report
    head = [_name(entry), _notes(entry), _Part(*fact_grid(report))]
    tail = [_strip(pictures)] if pictures.samples else []
    if pictures.preview is None:
        shares = [_shares(report)] if report.candidates else []
        return [*head, _qc(report), *shares, *tail]
    taken = sum(part.height for part in [*head, *tail])
    beside = _HALF - taken - _LEGEND
    if not large and beside >= max(_LEAST_PICTURE, bars_height(report) + qc_column_height(report)):
        return [*head, _preview(report, pictures.preview, legend, _FRAME_WIDTH, beside, bars=True), *tail]
    shares = [_shares(report)]
    room = HEIGHT - SECTION - _SPACE - taken - _LEGEND - shares[0].height
    if room - qc_height(report) >= _SMALLEST_PICTURE:
        # Where there is more to say than goes on a page, the CSV has it.
        room -= qc_height(report)
        head.append(_qc(report))
    height = max(min(room, WIDTH * 0.85), _SMALLEST_PICTURE)
    return [*head, _preview(report, pictures.preview, legend, WIDTH, height, bars=False), *shares, *tail]


def _name(entry: Entry) -> _Part:
    report, size = entry.report, 10.0
    lines = wrap(report.slide, size, WIDTH - 120, bold=True)

    def draw(pen: Pen, top: float) -> None:
        pen.rule(LEFT, top, LEFT + WIDTH, top, color=INK, weight=0.8)
        y = top - 16
        right = LEFT + WIDTH
        if entry.row in pen.targets:
            right -= pen.text(right, y, "‹ table", size=SMALL, color=ACCENT, align="right") + 12
            pen.link(entry.row, LEFT + WIDTH - 36, y - 4, 36, 14)
        length = pen.text(right, y, report.status, size=BODY, align="right")
        pen.status_mark(right - length - 10, y - 0.4, report.status, 6.5)
        for number, line in enumerate(lines):
            pen.text(LEFT, y - number * 13, line, size=size, bold=True)

    return _Part(16 + 13 * (len(lines) - 1) + 7, draw)


def _notes(entry: Entry) -> _Part:
    notes = notes_of(entry)
    # However much there is to say, a page must hold it; the CSV has every sentence whole.
    most = 4 if len(notes) <= 4 else 2 if len(notes) <= 8 else 1
    rows = [(flagged, wrap(text, SMALL + 0.2, WIDTH - 12, lines=most)) for flagged, text in notes]
    leading = 9.8
    height = sum(len(lines) for _, lines in rows) * leading + (3 if rows else 0)

    def draw(pen: Pen, top: float) -> None:
        y = top - 8
        for flagged, lines in rows:
            if flagged:
                pen.flag_mark(LEFT, y - 0.2, 6.5)
            else:
                pen.rule(LEFT + 1.5, y + 2.4, LEFT + 5, y + 2.4, color=QUIET, weight=0.8)
            color = INK if flagged else MUTED
            pen.lines(LEFT + 11, y, lines, leading=leading, size=SMALL + 0.2, color=color)
            y -= leading * len(lines)

    return _Part(height, draw)


def _qc(report: SlideReport) -> _Part:
    return _Part(qc_height(report), lambda pen, top: draw_qc(pen, report, top))


def _legend_of(report: SlideReport, legend: Legend) -> Legend:
    """The colours that are on this slide, or could be: of regions, and of the methods that ran."""
    ran = {reason_text(figures.reason) for figures in report.qc_figures}
    named = {label for label, _, kind in legend if kind == "fill"}
    there = {
        "kept tile": True,
        "not kept: paler": True,
        "region of interest": report.rois > 0,
        "artifact region": report.artifacts > 0,
        "other QC": not ran <= named,
    }
    return [entry for entry in legend if there.get(entry[0], entry[0] in ran)]


def _preview(report: SlideReport, path: Path, legend: Legend, width: float, height: float, *, bars: bool) -> _Part:
    def draw(pen: Pen, top: float) -> None:
        pen.rect(LEFT, top - height, width, height, fill=FRAME)
        try:
            picture = read_jpeg(path)
        except ReportError as error:
            pen.text(LEFT + 10, top - 18, error.message, size=SMALL, color=MUTED)
        else:
            draw_picture(pen, picture, report.preview_um, (LEFT, top - height, width, height))
        draw_legend(pen, _legend_of(report, legend), top - height - 10.5)
        if bars:
            x, narrow = LEFT + width + 16, WIDTH - width - 16
            draw_bars(pen, report, x, top, narrow)
            draw_qc_column(pen, report, x, top - bars_height(report), narrow)

    return _Part(height + _LEGEND, draw)


def _shares(report: SlideReport) -> _Part:
    counts = dict(reasons_of(report))
    labels = label_rows(report)
    rows = -(-len(labels) // 3)

    def draw(pen: Pen, top: float) -> None:
        pen.text(LEFT, top - 11, candidates_text(report), size=SMALL, bold=True)
        draw_shares(pen, counts, LEFT, top - 17, WIDTH)
        y = top - 17 - shares_height(counts) - 8
        if labels:
            pen.text(LEFT, y, "kept tiles by ROI label", size=SMALL, bold=True)
            draw_labels(pen, labels, y - 11, rows)

    return _Part(17 + shares_height(counts) + (11 + rows * LABEL_ROW + 8 if labels else 0), draw)


_STRIP_HEIGHT = 63.0


def _strip(pictures: SlidePictures) -> _Part:
    path = pictures.samples

    def draw(pen: Pen, top: float) -> None:
        pen.text(LEFT, top - 10, "sample tiles, picked by seed", size=NOTE, color=MUTED)
        try:
            picture = read_jpeg(path) if path else None
        except ReportError as error:
            pen.text(LEFT, top - 24, error.message, size=SMALL, color=MUTED)
            return
        if picture is not None:
            scale = min(WIDTH / picture.width, _STRIP_HEIGHT / picture.height)
            tall = picture.height * scale
            pen.picture(picture, LEFT, top - 14 - tall, picture.width * scale, tall)

    return _Part(14 + _STRIP_HEIGHT + 2, draw)
