"""What QC methods say about slides, as tables: ``qc_report.csv``, and the few lines in a slide's part of the PDF."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slidekit.errors import ReportError
from slidekit.report.charts import swatch
from slidekit.report.flags import share_of
from slidekit.report.numerals import count, percent
from slidekit.report.pen import Pen
from slidekit.report.privacy import settings_without_paths
from slidekit.report.style import INK, LEFT, MUTED, NOTE, RULE, SMALL, WIDTH, reason_color
from slidekit.slide.report_model import QCFigures, SlideReport

__all__ = [
    "QC_COLUMNS",
    "QC_TABLE",
    "draw_qc",
    "draw_qc_column",
    "qc_column_height",
    "qc_height",
    "qc_rows",
    "read_qc_table",
    "tissue_share",
]

QC_COLUMNS = (
    *("slide", "method", "reason", "share_of_slide", "share_of_tissue"),
    *("area_mm2", "tiles_dropped", "parameters"),
)
"""Columns of ``qc_report.csv``."""

QC_TABLE = "qc_report.csv"

_SIZE = SMALL
_HEAD, _ROW, _ABOVE, _BELOW = 11.0, 9.6, 5.0, 6.0
_GUTTER = 22.0
_MOST_METHODS = 16
_Numbers = tuple[tuple[str, float], ...]
"""Heads of the columns of numbers, each with its width in points."""

_WIDE: _Numbers = (("of slide", 44.0), ("of tissue", 44.0), ("tiles dropped", 52.0))
_NARROW: _Numbers = (("of slide", 31.0), ("of tissue", 33.0), ("dropped", 33.0))


def tissue_share(figures: QCFigures) -> float | None:
    """Masked share of the tissue; None where it is not known, or is no share (in a damaged file)."""
    return share_of(figures.share_of_tissue)


def _amount(value: float | None) -> float | None:
    """A finite amount, or None for what is none."""
    return value if value is not None and 0 <= value < math.inf else None


def qc_rows(reports: Sequence[SlideReport]) -> list[dict[str, Any]]:
    """Rows of ``qc_report.csv``, column to value: one a slide and method, in the order in which they ran.

    Parameters
    ----------
    reports
        In the order of the rows. Slides on which no method ran have no row.
    """
    return [
        {
            "slide": report.slide,
            "method": figures.method,
            "reason": figures.reason,
            "share_of_slide": _rounded(share_of(figures.share_of_slide)),
            "share_of_tissue": _rounded(share_of(figures.share_of_tissue)),
            "area_mm2": _rounded(_amount(figures.area_mm2)),
            "tiles_dropped": _amount(figures.tiles_dropped),
            "parameters": _parameters(figures),
        }
        for report in reports
        for figures in report.qc_figures
    ]


def _rounded(value: float | None) -> float | None:
    """To six decimals: a millionth of a slide, or of a mm², is less than a method can tell."""
    return None if value is None else round(value, 6)


def read_qc_table(path: Path) -> list[dict[str, str]]:
    """Rows of a ``qc_report.csv`` as they stand there, column to text; none where there is no file.

    Raises
    ------
    ReportError
        If it is not such a table.
    """
    mend = "Move it away, or name another folder."
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            rows = list(reader)
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ReportError(f"cannot be read ({error}).", mend=mend, path=path) from error
    if tuple(reader.fieldnames or ()) != QC_COLUMNS or any(None in row or None in row.values() for row in rows):
        raise ReportError("is not a table of QC that slidekit wrote.", mend=mend, path=path)
    return rows


def _parameters(figures: QCFigures) -> str:
    if not figures.parameters:
        return ""
    return json.dumps(settings_without_paths(figures.parameters), sort_keys=True, ensure_ascii=False)


def qc_height(report: SlideReport) -> float:
    """Height that `draw_qc` takes, points; 0 where no method ran."""
    methods = min(len(report.qc_figures), _MOST_METHODS)
    more = _ROW if len(report.qc_figures) > _MOST_METHODS else 0.0
    return _HEAD + _ROW * -(-methods // _columns(methods)) + more + _BELOW if methods else 0.0


def _columns(methods: int) -> int:
    return 1 if methods < 2 else 2


def draw_qc(pen: Pen, report: SlideReport, top: float) -> None:
    """Draw what each method masks and drops, two methods beside each other, from `top` downwards."""
    figures = report.qc_figures[:_MOST_METHODS]
    columns = _columns(len(figures))
    rows = -(-len(figures) // columns)
    width = (WIDTH - _GUTTER) / 2
    for column in range(columns if figures else 0):
        x = LEFT + column * (width + _GUTTER)
        _draw_part(pen, figures[column * rows : (column + 1) * rows], x, top, width, _WIDE)
    if more := len(report.qc_figures) - len(figures):
        base = top - _HEAD - _ROW * (rows + 1) + 2.4
        pen.text(LEFT, base, f"and {more} more, in {QC_TABLE}", size=_SIZE, color=MUTED)


def qc_column_height(report: SlideReport) -> float:
    """Height that `draw_qc_column` takes, points; 0 where no method ran."""
    methods = len(report.qc_figures)
    return _ABOVE + _HEAD + _ROW * methods if methods else 0.0


def draw_qc_column(pen: Pen, report: SlideReport, x: float, top: float, width: float) -> None:
    """As `draw_qc`, in a narrow column, one method below the other."""
    if report.qc_figures:
        _draw_part(pen, report.qc_figures, x, top - _ABOVE, width, _NARROW)


def _draw_part(pen: Pen, figures: Sequence[QCFigures], x: float, top: float, width: float, numbers: _Numbers) -> None:
    _draw_head(pen, x, top, width, numbers)
    for row, one in enumerate(figures):
        _draw_method(pen, one, x, top - _HEAD - _ROW * (row + 1) + 2.4, width, numbers)


def _draw_head(pen: Pen, x: float, top: float, width: float, numbers: _Numbers) -> None:
    base = top - _HEAD + 3
    pen.text(x, base, "masked by QC", size=NOTE, color=MUTED)
    right = x + width
    for label, wide in reversed(numbers):
        pen.text(right, base, label, size=NOTE, color=MUTED, align="right")
        right -= wide
    pen.rule(x, top - _HEAD, x + width, top - _HEAD, color=RULE)


def _draw_method(pen: Pen, figures: QCFigures, x: float, base: float, width: float, numbers: _Numbers) -> None:
    if figures.reason:
        swatch(pen, reason_color(figures.reason), x, base)
    of_slide, of_tissue = share_of(figures.share_of_slide), tissue_share(figures)
    dropped = figures.tiles_dropped if _amount(figures.tiles_dropped) is not None else None
    said = (
        "–" if of_slide is None else percent(of_slide),
        "–" if of_tissue is None else percent(of_tissue),
        "–" if dropped is None else count(dropped),
    )
    right = x + width
    for (_, wide), text in reversed(list(zip(numbers, said, strict=True))):
        pen.text(right, base, text, size=_SIZE, color=MUTED if text == "–" else INK, align="right")
        right -= wide
    pen.text(x + 11, base, figures.method, size=_SIZE, width=right - x - 11 - 6)
