"""Regions as CSV, one row a vertex: Slideflow's format, and what its QuPath scripts write."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from shapely import Polygon

from slidekit.errors import ROIError
from slidekit.io.atomic import atomic_write_text
from slidekit.slide.roi.drawing import MAX_COORDINATE, Drawing, Piece, ProblemLog, read_number
from slidekit.slide.roi.nesting import nest
from slidekit.slide.roi.region import ROI

__all__ = ["read_csv", "write_roi_csv"]

REQUIRED = ("roi_name", "x_base", "y_base")
HEADER = ("roi_name", "label", "x_base", "y_base")
MEND = "The first line must name the columns roi_name, x_base, y_base and maybe label, separated by commas."


@dataclass
class _Outline:
    """Vertices of one region while its rows are read."""

    name: str
    label: str | None
    line: int
    points: list[tuple[float, float]] = field(default_factory=list)
    joined: bool = False


def read_csv(text: str, log: ProblemLog) -> list[Drawing]:
    """Read a CSV of regions, one row a vertex, in any of Slideflow's spellings.

    Columns are found by name, whatever their case and order; further columns are ignored. Rows belong
    together by ``roi_name`` (and by ``label``, where one name is used with two labels). Coordinates are kept
    as real numbers.

    Parameters
    ----------
    text
        Content of the file.
    log
        Takes one problem for each row that cannot be read, with its line.

    Returns
    -------
    list of Drawing
        One single-ring shape a region, in the order in which the names first appear.

    Raises
    ------
    ROIError
        If the header lacks a required column or the text is no CSV.
    """
    rows = _rows(text, log.path)
    columns = _columns(rows, log.path)
    return [
        Drawing(o.name, o.label, ((np.array(o.points, dtype=np.float64).reshape(-1, 2),),), o.line)
        for o in _gather(rows, columns, log)
    ]


def _rows(text: str, path: Path | None) -> Iterator[tuple[int, list[str]]]:
    """Rows that hold something, with the line that each ends in."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if row and (row[0] or any(cell.strip() for cell in row)):
                yield reader.line_num, row
    except csv.Error as error:
        what = f"The file is not readable as CSV: {error}."
        mend = "Look for a quotation mark that is not closed."
        raise ROIError(what, mend=mend, path=path, line=reader.line_num) from error


def _columns(rows: Iterator[tuple[int, list[str]]], path: Path | None) -> dict[str, int]:
    """Position of each known column, from the first line that is not empty."""
    line, header = next(rows, (1, []))
    if not header:
        raise ROIError("The file is empty.", mend=MEND, path=path, line=line)
    names = [cell.strip().lower() for cell in header]
    columns: dict[str, int] = {}
    for name in (*REQUIRED, "label"):
        if names.count(name) > 1:
            raise ROIError(f"The column {name} is there twice.", mend="Remove one of them.", path=path, line=line)
        if name in names:
            columns[name] = names.index(name)
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        joined = " ".join(header).lower()
        mark = next((mark for mark in (";", "\t") if mark in joined and REQUIRED[1] in joined), None)
        if mark is not None:
            shown = "semicolons" if mark == ";" else "tabs"
            raise ROIError(
                f"The columns are separated by {shown}.",
                mend="Save the file with commas between the columns and points in the numbers.",
                path=path,
                line=line,
            )
        raise ROIError(f"The header has no column {', '.join(missing)}.", mend=MEND, path=path, line=line)
    return columns


def _gather(rows: Iterator[tuple[int, list[str]]], columns: dict[str, int], log: ProblemLog) -> list[_Outline]:
    """Put the vertices together by the name of their region."""
    outlines: list[_Outline] = []
    by_label: dict[tuple[str, str | None], _Outline] = {}
    latest: dict[str, _Outline] = {}
    previous: _Outline | None = None
    for line, row in rows:
        name, label = _cell(row, columns["roi_name"]), _cell(row, columns.get("label")) or None
        point = _point(row, columns)
        if not name or isinstance(point, str):
            why = "the region has no name" if not name else str(point)
            log.add_point(f"The row is left out: {why}.", name=name or None, line=line)
            continue
        outline = latest.get(name) if label is None else by_label.get((name, label))
        if outline is None and (outline := by_label.pop((name, None), None)) is not None:
            # The label stands only in a later row of the region.
            outline.label, by_label[name, label] = label, outline
        if outline is None:
            if name in latest:
                other = latest[name].label
                what = f"The name is used with the labels {other!r} and {label!r}: read as regions of their own."
                log.add(what, "warning", name=name, line=line)
            outline = by_label[name, label] = _Outline(name, label, line)
            outlines.append(outline)
        elif outline is not previous and not outline.joined:
            what = "More rows of this region follow after those of another one: joined in file order."
            log.add(what, "warning", name=name, line=line)
            outline.joined = True
        outline.points.append(point)
        latest[name] = previous = outline
    return outlines


def _cell(row: Sequence[str], column: int | None) -> str:
    return row[column].strip() if column is not None and column < len(row) else ""


def _point(row: Sequence[str], columns: dict[str, int]) -> tuple[float, float] | str:
    """Read the vertex of a row, or say what is wrong with it."""
    try:
        x_text, y_text = row[columns["x_base"]], row[columns["y_base"]]
        x, y = float(x_text), float(y_text)
    except (IndexError, ValueError):
        return _mistake(row, columns)
    # Python takes 1_0 for ten, and nan for a number.
    good = abs(x) <= MAX_COORDINATE and abs(y) <= MAX_COORDINATE and "_" not in x_text and "_" not in y_text
    return (x, y) if good else _mistake(row, columns)


def _mistake(row: Sequence[str], columns: dict[str, int]) -> str:
    for name in ("x_base", "y_base"):
        text = _cell(row, columns[name])
        if not text:
            return f"it has no {name}"
        value = read_number(text)
        if math.isnan(value) and text.lower().lstrip("+-") != "nan":
            return f"{name} is {text[:40]!r}, which is not a number"
        if not abs(value) <= MAX_COORDINATE:
            return f"{name} is {text[:40]}, which is not a position on a slide"
    return "it is no position on a slide"


def write_roi_csv(path: str | Path, rois: Sequence[ROI]) -> None:
    """Write regions as ``roi_name,label,x_base,y_base``, one row a vertex, which slidekit and Slideflow read.

    A hole is written as a region of its own, ``{name}_hole1``, with the label of the region that it is in: by
    the rule of this format a region inside another one of the same label is a hole. Outlines are not closed
    (the first vertex is not repeated). The file appears under its name only when it is complete.

    Parameters
    ----------
    path
        File to write; an existing one is replaced.
    rois
        Regions, level-0 pixels.

    Raises
    ------
    ROIError
        If reading the file would not give the same regions: names that are empty or used twice, or regions of
        one label inside each other where neither is a hole, which this format cannot say.
    OSError
        If the file cannot be written.
    """
    taken = [roi.name.strip() for roi in rois]
    if "" in taken or len(set(taken)) < len(taken):
        raise ROIError("Each region needs a name of its own.", mend="Give every region a different name.", path=path)
    rings = list(_rings(rois, set(taken)))
    _check_readable(rois, rings, path)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for name, label, ring in rings:
        # Holes and outlines alike are closed in shapely: leave the repeated vertex away.
        writer.writerows((name, label or "", _number(x), _number(y)) for x, y in ring.exterior.coords[:-1])
    atomic_write_text(path, text.getvalue())


def _rings(rois: Sequence[ROI], taken: set[str]) -> Iterator[tuple[str, str | None, Polygon]]:
    """Every ring of the regions as a filled polygon, with the name and the label to write."""
    for roi in rois:
        name = roi.name.strip()
        yield name, roi.label, Polygon([xy[:2] for xy in roi.polygon.exterior.coords])
        number = 0
        for hole in roi.polygon.interiors:
            number += 1
            while f"{name}_hole{number}" in taken:
                number += 1
            taken.add(f"{name}_hole{number}")
            yield f"{name}_hole{number}", roi.label, Polygon([xy[:2] for xy in hole.coords])


def _check_readable(rois: Sequence[ROI], rings: list[tuple[str, str | None, Polygon]], path: str | Path) -> None:
    """Read back, in memory, what is about to be written, and refuse where it would mean something else."""
    pieces = [
        Piece(Drawing(name, (label or "").strip() or None, ()), number, ring)
        for number, (name, label, ring) in enumerate(rings)
    ]
    found: dict[str, list[Polygon]] = {}
    for piece in nest(pieces, ProblemLog(None)):
        found.setdefault(piece.drawing.name, []).append(piece.polygon)
    for roi in rois:
        parts = found.get(roi.name.strip(), [])
        if len(parts) != 1 or not parts[0].equals(roi.polygon):
            raise ROIError(
                f"ROI {roi.name!r} and another region of the same label lie inside each other, and neither "
                "is a hole; a CSV of regions would say that one is a hole of the other.",
                mend="Merge the two regions, or give them different labels.",
                path=path,
            )


def _number(value: float) -> str:
    """Shortest text that gives the same number back."""
    return repr(float(value)).removesuffix(".0")
