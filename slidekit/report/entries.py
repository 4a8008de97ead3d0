"""The slides of a report in their order, and which of them go into which volume."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slidekit.report.flags import Flag, flags_of, severity
from slidekit.slide.report_model import SlideReport

__all__ = ["PER_VOLUME", "PICKED", "Entry", "SlidePictures", "divide", "make_entries"]

PER_VOLUME = 500
"""Most slides with a picture in one PDF."""

PICKED = 50
"""Slides picked by seed for the main PDF where not all fit."""


@dataclass(frozen=True)
class SlidePictures:
    """Pictures of one slide, on disk.

    Attributes
    ----------
    preview
        JPEG of the slide with kept tiles, ROI outlines and QC masks drawn in; None where there is none.
    samples
        JPEG strip of up to 8 sample tiles side by side; None where there is none.
    """

    preview: Path | None = None
    samples: Path | None = None


@dataclass(frozen=True)
class Entry:
    """One slide of the report.

    Attributes
    ----------
    number
        Place in the table, from 0.
    report
        What is known about the slide.
    flags
        Why a person should look at it.
    """

    number: int
    report: SlideReport
    flags: tuple[Flag, ...]

    @property
    def anchor(self) -> str:
        """Name of the slide's place among the pictures."""
        return f"slide-{self.number}"

    @property
    def row(self) -> str:
        """Name of the slide's row in the table."""
        return f"row-{self.number}"


def make_entries(reports: Sequence[SlideReport]) -> tuple[Entry, ...]:
    """Number slides by name."""
    ordered = sorted(reports, key=lambda report: (report.slide, report.path))
    return tuple(Entry(number, report, flags_of(report)) for number, report in enumerate(ordered))


def divide(entries: Sequence[Entry], *, seed: int, limit: int = PER_VOLUME, picked: int = PICKED) -> list[list[Entry]]:
    """Share slides out to the main PDF and further volumes.

    Parameters
    ----------
    entries
        All slides.
    seed
        Decides which slides are picked; the same slides for the same seed, in whatever order they come.
    limit
        Most slides in one PDF.
    picked
        Unflagged slides in the main PDF where not all fit.

    Returns
    -------
    list of list of Entry
        The main PDF's slides, then each further volume's, each in the order of the table. Where all fit, there is
        one list. Of more than `limit` flagged slides the gravest stand in the main PDF.
    """
    if len(entries) <= limit:
        return [list(entries)]
    flagged = sorted((e for e in entries if e.flags), key=lambda e: severity(e.report))[:limit]
    plain = sorted((e for e in entries if not e.flags), key=lambda e: _draw_lot(e.report.slide, seed))
    chosen = {entry.number for entry in [*flagged, *plain[: min(picked, limit - len(flagged))]]}
    rest = [entry for entry in entries if entry.number not in chosen]
    volumes = [rest[start : start + limit] for start in range(0, len(rest), limit)]
    return [[entry for entry in entries if entry.number in chosen], *volumes]


def _draw_lot(slide: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{slide}".encode("utf-8", "surrogatepass")).digest()
