"""The PDF report: planned in full, so that page numbers are known, then drawn page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from slidekit.errors import ReportError
from slidekit.io.atomic import atomic_write
from slidekit.report.attention import attention_blocks
from slidekit.report.cohort_qc import qc_blocks
from slidekit.report.cover import cover_blocks
from slidekit.report.entries import PER_VOLUME, PICKED, SlidePictures, divide, make_entries
from slidekit.report.layout import Page, paginate
from slidekit.report.pdf_output import writing_to
from slidekit.report.pen import Pen
from slidekit.report.scripts import printable
from slidekit.report.slides import slide_blocks
from slidekit.report.style import BOTTOM, INK, LEFT, MUTED, NOTE, PAGE_HEIGHT, PAGE_WIDTH, RULE, SMALL, WIDTH
from slidekit.report.table import table_blocks
from slidekit.report.typeface import base_font
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec

__all__ = ["write_report"]

RESEARCH_USE = "Research use only"


@dataclass(frozen=True)
class _Document:
    """One PDF file, planned."""

    path: Path
    title: str
    made: datetime
    version: str
    pages: tuple[Page, ...]

    def anchors(self) -> Iterator[tuple[str, int]]:
        """Each anchor with the number of its page from 1."""
        for number, page in enumerate(self.pages, 1):
            for anchor in page.anchors:
                yield anchor, number


def write_report(
    path: str | Path,
    reports: Sequence[SlideReport],
    *,
    spec: ExtractionSpec | None,
    pictures: Callable[[SlideReport], SlidePictures],
    title: str = "Tile extraction report",
    created: datetime,
    versions: Mapping[str, str],
    volumes: bool = True,
    per_volume: int = PER_VOLUME,
    picked: int = PICKED,
) -> list[Path]:
    """Write the PDF report.

    Parameters
    ----------
    path
        The PDF; further volumes stand beside it as ``{stem}-volume-2.pdf`` and so on.
    reports
        One a slide, in any order.
    spec
        Parameters of the run; None where they are not known.
    pictures
        Called once for each slide that gets a picture. The files must stay until this function returns; they are
        opened one at a time, and their JPEG bytes go into the PDF as they are (without EXIF and comments).
    title
        Title on the cover and every page.
    created
        Date and time that are printed. With the same arguments the PDF has the same bytes.
    versions
        Name to version, slidekit's first.
    volumes
        Write the further volumes where there are more than `per_volume` slides.
    per_volume
        Most slides with a picture in one PDF.
    picked
        Slides without flag, picked by the spec's seed, in the main PDF where there are more than `per_volume`.

    Returns
    -------
    list of Path
        The files written: the main PDF, then the volumes.

    Raises
    ------
    ReportError
        If a font is missing.
    OSError
        If a file cannot be written; nothing half-written is left.
    """
    path = Path(path)
    if per_volume < 1 or picked < 0:
        raise ReportError("per_volume must be at least 1 and picked at least 0.")
    entries = make_entries(reports)
    shares = divide(entries, seed=spec.seed if spec else 0, limit=per_volume, picked=picked)
    made = created.strftime("%Y-%m-%d %H:%M")
    front = [
        *cover_blocks(entries, spec, title=title, made=made, versions=versions),
        *attention_blocks(entries),
        *qc_blocks(entries),
        *table_blocks(entries, len(shares) if volumes else 1),
    ]
    version = next((f"{name} {number}" for name, number in versions.items()), "")
    documents = []
    for number, share in enumerate(shares if volumes else shares[:1], 1):
        blocks = slide_blocks(share, pictures, volume=number, volumes=len(shares))
        pages = tuple(paginate([*front, *blocks] if number == 1 else blocks))
        file = path if number == 1 else path.with_name(f"{path.stem}-volume-{number}{path.suffix}")
        name = title if number == 1 else f"{title}, volume {number}"
        documents.append(_Document(file, name, created, version, pages))
    # The main PDF refers to its volumes, so it appears when they are there.
    for document in reversed(documents):
        _write(document, _printed_pages(documents, document))
    return [document.path for document in documents]


def _printed_pages(documents: Sequence[_Document], here: _Document) -> dict[str, str]:
    printed: dict[str, str] = {}
    for number, document in enumerate(documents, 1):
        for anchor, page in document.anchors():
            if document is here or anchor not in printed:
                printed[anchor] = str(page) if document is here else f"v{number}:{page}"
    return printed


def _write(document: _Document, printed: Mapping[str, str]) -> None:
    document.path.parent.mkdir(parents=True, exist_ok=True)
    targets = frozenset(anchor for anchor, _ in document.anchors())
    with atomic_write(document.path) as file, writing_to(file) as pictures:
        canvas = _canvas(document, file)
        pen = Pen(canvas, printed, targets)
        for number, page in enumerate(document.pages, 1):
            _draw_page_frame(pen, document, number)
            for item in page.placed:
                if item.block.anchor:
                    pen.anchor(item.block.anchor, item.top + 8)
                if item.block.outline and item.block.anchor:
                    entry = item.block.outline
                    canvas.addOutlineEntry(entry.title, item.block.anchor, entry.level, closed=entry.level == 0)
                item.block.draw(pen, item.top)
            canvas.showPage()
            pictures.take(canvas)
        canvas.save()


def _canvas(document: _Document, file: BinaryIO) -> Any:
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(
        file, pagesize=(PAGE_WIDTH, PAGE_HEIGHT), pageCompression=1, invariant=1, lang="en", initialFontName=base_font()
    )
    canvas.setTitle(printable(document.title))
    canvas.setSubject(RESEARCH_USE)
    canvas.setAuthor(document.version)
    canvas.setCreator(document.version)
    # Invariant mode would date every report 2000-01-01.
    canvas.setDateFormatter(lambda *_: document.made.strftime("D:%Y%m%d%H%M%S"))
    canvas.showOutline()
    return canvas


def _draw_page_frame(pen: Pen, document: _Document, number: int) -> None:
    right, head, foot = LEFT + WIDTH, PAGE_HEIGHT - 36, BOTTOM - 22
    pen.text(LEFT, head, document.title, size=SMALL, color=MUTED, width=190)
    pen.text(PAGE_WIDTH / 2, head, RESEARCH_USE, size=SMALL, bold=True, color=INK, align="center")
    pen.text(right, head, document.version, size=SMALL, color=MUTED, align="right", width=170)
    pen.rule(LEFT, head - 8, right, head - 8, color=RULE)
    pen.text(LEFT, foot, document.made.strftime("%Y-%m-%d %H:%M:%S"), size=NOTE, color=MUTED)
    pen.text(right, foot, f"Page {number} of {len(document.pages)}", size=SMALL, color=MUTED, align="right")
    if number > 1 and "summary" in pen.targets:
        pen.text(PAGE_WIDTH / 2, foot, "summary · all slides", size=NOTE, color=MUTED, align="center")
        pen.link("summary", PAGE_WIDTH / 2 - 36, foot - 4, 34, 12)
        pen.link("table", PAGE_WIDTH / 2, foot - 4, 36, 12)
