"""What stands beside the cells of slides: how they were made, for resuming, and how many there are."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slidekit.cells.store import SUFFIX
from slidekit.io.atomic import atomic_write_text
from slidekit.slide.report_model import SlideReport

__all__ = [
    "TABLE",
    "CellCounts",
    "cells_path",
    "claimed",
    "counts_of",
    "figures",
    "note_path",
    "read_note",
    "write_cells_table",
    "write_note",
]

TABLE = "cells_report.csv"

_FORMAT = "slidekit cells report"


@dataclass(frozen=True)
class CellCounts:
    """What was found on a slide.

    Attributes
    ----------
    cells
        Number of cells.
    tissue_mm2
        Area of the tissue in which they count; see `slidekit.cells.tissue.searched_mm2`.
    problems
        What went wrong on the way, for a person to read.
    """

    cells: int
    tissue_mm2: float
    problems: tuple[str, ...] = ()

    @property
    def per_mm2(self) -> float | None:
        """Cells per mm² of tissue; None where there is none."""
        return self.cells / self.tissue_mm2 if self.tissue_mm2 > 0 else None


def cells_path(folder: Path, slide: str) -> Path:
    """Where the cells of a slide lie in a folder of cells."""
    return folder / f"{slide}{SUFFIX}"


def note_path(folder: Path, slide: str) -> Path:
    """Where it stands how the cells of a slide were made."""
    return folder / f"{slide}.cells.json"


def read_note(path: Path) -> Mapping[str, Any] | None:
    """What stands there; None where there is nothing of slidekit's."""
    try:
        note = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return note if isinstance(note, dict) and note.get("format") == _FORMAT else None


def write_note(path: Path, note: Mapping[str, Any]) -> None:
    """Write it, in one step; `note` is a JSON object."""
    atomic_write_text(path, json.dumps({"format": _FORMAT, **note}, indent=1, ensure_ascii=False) + "\n")


@contextmanager
def claimed(note: Path, facts: Mapping[str, Any], before: Mapping[str, Any] | None) -> Iterator[None]:
    """Say beside a store that a run is at work on it; where it fails, what stood there before stands again.

    Only who is killed leaves the claim: what lies there is then its own, and not, say, what a user has saved.

    Parameters
    ----------
    note
        Path of the note.
    facts
        What the run is: slide, identity, made_by.
    before
        What stands there; None for nothing.
    """
    write_note(note, {**facts, "digest": None})
    done = False
    try:
        yield
        done = True
    finally:
        if not done and before is None:
            note.unlink(missing_ok=True)
        elif not done and before is not None:
            write_note(note, dict(before))


def counts_of(folder: Path, slide: str) -> CellCounts | None:
    """What was found on a slide, by the note beside its cells; None where there is none, or it was cut off."""
    note = read_note(note_path(folder, slide))
    if note is None or not note.get("digest"):
        return None
    try:
        return CellCounts(int(note["cells"]), float(note["tissue_mm2"]), tuple(map(str, note["problems"])))
    except (KeyError, TypeError, ValueError):
        return None


def figures(counts: CellCounts) -> dict[str, Any]:
    """What a note says of counts."""
    return {"cells": counts.cells, "tissue_mm2": counts.tissue_mm2, "problems": list(counts.problems)}


def write_cells_table(folder: Path, reports: Sequence[SlideReport]) -> None:
    """Write ``cells_report.csv``: slides of this run, by name; no time or date in it.

    Parameters
    ----------
    folder
        Of the cells.
    reports
        One a slide.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("slide", "status", "cells", "tissue_mm2", "cells_per_mm2", "reason"))
    for report in sorted(reports, key=lambda report: report.slide):
        counts = None if report.status == "failed" else counts_of(folder, report.slide)
        figures: tuple[object, ...] = ("", "", "")
        if counts is not None:
            density = "" if counts.per_mm2 is None else f"{counts.per_mm2:.1f}"
            figures = (counts.cells, f"{counts.tissue_mm2:.4f}", density)
        status = "done" if report.status == "skipped" and counts is not None else report.status
        writer.writerow((report.slide, status, *figures, "" if status == "done" else report.reason))
    atomic_write_text(folder / TABLE, text.getvalue())
