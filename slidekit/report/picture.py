"""A slide's preview on the page: the picture, its scale bar and the legend of its colours."""

from __future__ import annotations

from collections.abc import Sequence

from slidekit.report.charts import swatch
from slidekit.report.jpeg import JpegPicture
from slidekit.report.numerals import nice_length, significant
from slidekit.report.pen import Pen
from slidekit.report.style import INK, LEFT, MUTED, NOTE, RULE, SMALL, WHITE

__all__ = ["Legend", "draw_legend", "draw_picture"]

Legend = Sequence[tuple[str, tuple[int, int, int], str]]
"""What the colours of a preview mean: label, RGB, and ``outline``, ``fill`` or ``hatch``."""

_SCALE_BAR = 60.0
"""Most points that a scale bar is long."""


def draw_picture(
    pen: Pen, picture: JpegPicture, preview_um: float | None, frame: tuple[float, float, float, float]
) -> None:
    """Draw a preview as large as it fits into a frame, with its scale bar.

    Parameters
    ----------
    pen
        What to draw with.
    picture
        The preview.
    preview_um
        µm per pixel of the preview; None draws no scale bar.
    frame
        Left, foot, width and height, points.
    """
    left, foot, width, height = frame
    scale = min((width - 2) / picture.width, (height - 2) / picture.height)
    wide, tall = picture.width * scale, picture.height * scale
    free, needed = width - wide, _SCALE_BAR + 14
    # Beside the picture the bar hides no tissue; the picture moves to the left where that makes room for it.
    beside = free > needed
    x = left + 1 if beside and free / 2 < needed else left + free / 2
    y = foot + (height - tall) / 2
    pen.picture(picture, x, y, wide, tall)
    pen.rect(x, y, wide, tall, line=RULE, weight=0.4)
    if preview_um:
        corner = (left + width - 4, foot + 7) if beside else (x + wide - 4, y + 7)
        _draw_scale_bar(pen, preview_um / scale, *corner)


def _draw_scale_bar(pen: Pen, um_per_point: float, right: float, foot: float) -> None:
    length = nice_length(um_per_point * _SCALE_BAR)
    points = length / um_per_point
    label = f"{significant(length / 1000)} mm" if length >= 1000 else f"{significant(length)} µm"
    wide = max(points, 26.0) + 10
    pen.rect(right - wide, foot - 3, wide, 19, fill=WHITE, alpha=0.85)
    middle = right - wide / 2
    start, end = middle - points / 2, middle + points / 2
    pen.rect(start, foot + 1, points, 2, fill=INK)
    for x in (start, end):
        pen.rule(x, foot, x, foot + 4, color=INK, weight=0.8)
    pen.text(middle, foot + 7, label, size=SMALL - 0.2, align="center")


def draw_legend(pen: Pen, legend: Legend, y: float) -> None:
    """Draw what the colours of a preview mean, on the baseline `y`."""
    x = LEFT
    for label, color, kind in legend:
        if kind == "fill":
            swatch(pen, color, x, y)
        else:
            pen.rect(x + 0.5, y - 0.1, 5.5, 5.5, line=color, weight=1.2)
        if kind == "hatch":
            pen.rule(x + 0.5, y + 2.6, x + 3.3, y - 0.1, color=color, weight=0.7)
            pen.rule(x + 0.5, y + 5.4, x + 6, y - 0.1, color=color, weight=0.7)
            pen.rule(x + 3.3, y + 5.4, x + 6, y + 2.6, color=color, weight=0.7)
        x += 10 + pen.text(x + 9.5, y, label, size=NOTE, color=MUTED) + 9
