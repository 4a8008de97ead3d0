"""`Pen`: the few things that a page of the report is drawn with, over a reportlab canvas."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

from slidekit.report.jpeg import JpegPicture
from slidekit.report.style import BODY, INK, RGB, STATUS_COLORS, WARNING, WHITE
from slidekit.report.typeface import shorten_middle, text_runs, text_width
from slidekit.slide.report_model import SlideStatus

__all__ = ["Pen"]


class Pen:
    """Draws on one canvas; lengths in points, y upwards from the foot of the page.

    Parameters
    ----------
    canvas
        A reportlab canvas.
    pages
        What to print where an anchor is referred to (``12``, or ``vol. 2, 14``); anchors that live in this very
        document are those in `targets`.
    targets
        Anchors that links may lead to.
    """

    def __init__(self, canvas: Any, pages: Mapping[str, str], targets: frozenset[str]) -> None:
        self.canvas = canvas
        self.pages = pages
        self.targets = targets

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = BODY,
        color: RGB = INK,
        bold: bool = False,
        align: str = "left",
        width: float | None = None,
    ) -> float:
        """Draw one line with its baseline at `y`; shortened in its middle to `width`. Returns its width."""
        if width is not None:
            text = shorten_middle(text, size, width, bold=bold)
        length = text_width(text, size, bold=bold)
        x -= {"left": 0.0, "center": length / 2, "right": length}[align]
        line = self.canvas.beginText(x, y)
        line.setFillColorRGB(*_unit(color))
        for font, run in text_runs(text, bold=bold):
            line.setFont(font, size)
            line.textOut(run)
        self.canvas.drawText(line)
        return length

    def lines(
        self, x: float, y: float, lines: Sequence[str], *, leading: float, size: float = BODY, color: RGB = INK
    ) -> None:
        """Draw lines below each other, the first with its baseline at `y`."""
        for number, line in enumerate(lines):
            self.text(x, y - number * leading, line, size=size, color=color)

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: RGB | None = None,
        line: RGB | None = None,
        weight: float = 0.5,
        alpha: float = 1.0,
    ) -> None:
        """Draw a rectangle from its lower left corner."""
        canvas = self.canvas
        canvas.saveState()
        if fill is not None:
            canvas.setFillColorRGB(*_unit(fill), alpha=alpha)
        if line is not None:
            canvas.setStrokeColorRGB(*_unit(line))
            canvas.setLineWidth(weight)
        canvas.rect(x, y, width, height, fill=int(fill is not None), stroke=int(line is not None))
        canvas.restoreState()

    def rule(
        self, x1: float, y1: float, x2: float, y2: float, *, color: RGB, weight: float = 0.5, dash: bool = False
    ) -> None:
        """Draw a straight line."""
        self.canvas.saveState()
        self.canvas.setStrokeColorRGB(*_unit(color))
        self.canvas.setLineWidth(weight)
        if dash:
            self.canvas.setDash(2.5, 2)
        self.canvas.line(x1, y1, x2, y2)
        self.canvas.restoreState()

    def polygon(self, points: Sequence[tuple[float, float]], *, fill: RGB | None, line: RGB) -> None:
        """Draw a closed polygon."""
        self.canvas.saveState()
        self.canvas.setStrokeColorRGB(*_unit(line))
        self.canvas.setFillColorRGB(*_unit(fill or WHITE))
        self.canvas.setLineWidth(0.9)
        self.canvas.setLineJoin(1)
        path = self.canvas.beginPath()
        path.moveTo(*points[0])
        for point in points[1:]:
            path.lineTo(*point)
        path.close()
        self.canvas.drawPath(path, fill=1, stroke=1)
        self.canvas.restoreState()

    def status_mark(self, x: float, y: float, status: SlideStatus, size: float = 6.0) -> None:
        """Draw the sign of a state, its box's lower left corner at (x, y); each state has a shape of its own."""
        color, half = STATUS_COLORS[status], size / 2
        if status in ("done", "empty"):
            self.canvas.saveState()
            self.canvas.setStrokeColorRGB(*_unit(color))
            self.canvas.setFillColorRGB(*_unit(color if status == "done" else WHITE))
            self.canvas.setLineWidth(0.9)
            self.canvas.circle(x + half, y + half, half - 0.45, fill=1, stroke=1)
            self.canvas.restoreState()
        elif status == "skipped":
            tips = [(x + half, y), (x + size, y + half), (x + half, y + size), (x, y + half)]
            self.polygon(tips, fill=None, line=color)
        else:
            self.rect(x, y, size, size, fill=color)
            inset = size * 0.27
            for near, far in ((inset, size - inset), (size - inset, inset)):
                self.rule(x + inset, y + near, x + size - inset, y + far, color=WHITE, weight=1)

    def flag_mark(self, x: float, y: float, size: float = 6.5) -> None:
        """Draw the warning sign, a triangle with a stroke, its box's lower left corner at (x, y)."""
        height = size * math.sqrt(3) / 2
        self.polygon([(x, y), (x + size, y), (x + size / 2, y + height)], fill=WARNING, line=WARNING)
        middle = x + size / 2
        self.rule(middle, y + height * 0.33, middle, y + height * 0.72, color=WHITE, weight=size * 0.13)
        self.rule(middle, y + height * 0.1, middle, y + height * 0.22, color=WHITE, weight=size * 0.13)

    def picture(self, picture: JpegPicture, x: float, y: float, width: float, height: float) -> None:
        """Draw a JPEG; its bytes go into the PDF as they are, and only once however often it is drawn."""
        self.canvas.drawImage(_jpeg_reader(picture), x, y, width, height)

    def anchor(self, name: str, y: float) -> None:
        """Make (this page, y) the place that links to `name` lead to."""
        self.canvas.bookmarkHorizontalAbsolute(name, y)

    def link(self, name: str, x: float, y: float, width: float, height: float) -> None:
        """Make a rectangle lead to an anchor, if that is in this document."""
        if name in self.targets:
            self.canvas.linkRect("", name, (x, y, x + width, y + height), relative=0, thickness=0)

    def page_of(self, name: str) -> str:
        """The page on which an anchor stands, as it is printed; empty where there is none."""
        return self.pages.get(name, "")


def _unit(color: RGB) -> tuple[float, float, float]:
    return color[0] / 255, color[1] / 255, color[2] / 255


def _jpeg_reader(picture: JpegPicture) -> Any:
    from reportlab.lib.utils import ImageReader

    class JpegReader(ImageReader):  # type: ignore[misc]
        """Hands reportlab the file's own bytes where it would decode them only to compute a checksum."""

        def __init__(self) -> None:
            self._dataA = None

        def getRGBData(self) -> bytes:  # noqa: N802
            return picture.data

        def getSize(self) -> tuple[int, int]:  # noqa: N802
            return picture.width, picture.height

        def jpeg_fh(self) -> BytesIO:
            return BytesIO(picture.data)

    return JpegReader()
