"""The rows of a table of annotations, as they are read and checked: header, names of slides, patients, µm/px."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from slidekit.collection.names import settle_text
from slidekit.errors import AnnotationsError
from slidekit.io.csv_table import CSVTable, Row, read_csv_table, table_of_frame
from slidekit.pixels.discovery import has_slide_suffix, slide_name
from slidekit.pixels.mpp import MPP_RANGE
from slidekit.wording import some_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "REQUIRED",
    "check_rows",
    "read_as_it_is",
    "read_mpp",
    "read_table",
    "require",
    "settle_cells",
    "settle_header",
    "settle_names",
]

REQUIRED = ("patient", "slide")
"""Columns that every table of annotations has."""


def read_table(source: str | Path | pd.DataFrame) -> CSVTable:
    """Read a CSV file or a data frame as a table of text, whatever its columns are.

    The columns ``patient`` and ``slide`` are called so, in whatever case they are written.

    Raises
    ------
    AnnotationsError
        If it cannot be read as such a table.
    """
    return settle_header(read_as_it_is(source))[0]


def read_as_it_is(source: str | Path | pd.DataFrame) -> CSVTable:
    """A CSV file or a data frame as a table of text, with its own header."""
    if isinstance(source, str | Path):
        return read_csv_table(source, error=AnnotationsError)
    if not hasattr(source, "columns"):
        kind = type(source).__name__
        raise AnnotationsError(f"Annotations cannot be a {kind}.", mend="Give a path or a DataFrame.")
    indexed = str(source.index.name).strip().lower() in REQUIRED
    return table_of_frame(source.reset_index() if indexed else source, error=AnnotationsError)


def settle_header(table: CSVTable) -> tuple[CSVTable, list[str]]:
    """Put the required columns into lower case where it is clear which column is meant; say which."""
    renamed = {}
    for name in REQUIRED:
        similar = [other for other in table.header if other.lower() == name]
        if len(similar) == 1 and similar != [name]:
            renamed[similar[0]] = name
    if not renamed:
        return table, []
    header = tuple(renamed.get(name, name) for name in table.header)
    words = " and ".join(f"{old!r} as {new!r}" for old, new in renamed.items())
    return replace(table, header=header), [f"{table.path or 'The data frame'}: columns were read: {words}."]


def require(table: CSVTable, columns: tuple[str, ...]) -> None:
    """Demand columns, with an error that says which there are."""
    for name in columns:
        if name in table.header:
            continue
        # One column in another case was taken for it: here are several, of which none can be chosen.
        similar = [other for other in table.header if other.lower() == name]
        mend = f"Rename one of {', '.join(similar)}." if similar else f"There are: {', '.join(table.header)}."
        if name == "slide" and not similar:
            mend += " Project.associate_slide_names() fills it from the patients' names."
        raise AnnotationsError(
            f"has no column {name!r}." if table.path else f"The data frame has no column {name!r}.",
            mend=mend,
            path=table.path,
            line=1 if table.path else None,
        )


def settle_cells(table: CSVTable) -> CSVTable:
    """Write what looks alike as one text: José is one patient, however the accent is stored."""
    rows = tuple(
        row if all(map(str.isascii, row.cells)) else replace(row, cells=tuple(map(settle_text, row.cells)))
        for row in table.rows
    )
    return replace(table, header=tuple(map(settle_text, table.header)), rows=rows)


def settle_names(table: CSVTable) -> tuple[CSVTable, list[str], dict[str, str]]:
    """Take suffixes off slide names and leave out rows that name no slide; say which."""
    place = table.header.index("slide")
    rows, empty = [], []
    shortened: dict[str, str] = {}
    for row in table.rows:
        name = row.cells[place]
        if not name:
            empty.append(_place(row))
            continue
        short = slide_name(name) if has_slide_suffix(name, images=True) else slide_name(f"{name}.tif")
        if short != name:
            shortened.setdefault(short, name)
            row = Row(row.line, (*row.cells[:place], short, *row.cells[place + 1 :]), row.where)
        rows.append(row)
    source = table.path or "The data frame"
    notes = []
    if shortened:
        notes.append(
            f"{source}: slide names with a folder or suffix were read without: {some_of(list(shortened.values()))}."
        )
    if empty:
        notes.append(f"{source}: rows that name no slide were left out: {some_of(empty)}.")
    return CSVTable(table.header, tuple(rows), table.path), notes, shortened


def check_rows(table: CSVTable) -> None:
    """Demand that each slide stands in one row, and has a patient."""
    slide, patient = table.header.index("slide"), table.header.index("patient")
    seen: dict[str, Row] = {}
    for row in table.rows:
        name = row.cells[slide]
        if name in seen:
            raise _row_error(table, row, f"slide {name!r} stands in {_place(seen[name])} already.", "Keep one row.")
        seen[name] = row
        if not row.cells[patient]:
            raise _row_error(
                table,
                row,
                f"slide {name!r} has no patient.",
                "Fill in the column patient; the slide's name will do.",
            )


def read_mpp(table: CSVTable) -> dict[str, float]:
    """Slide to µm/px, where the column ``mpp`` has one; an impossible one is an error."""
    if "mpp" not in table.header:
        return {}
    place, slide = table.header.index("mpp"), table.header.index("slide")
    found: dict[str, float] = {}
    low, high = MPP_RANGE
    for row in table.rows:
        text = row.cells[place]
        if not text:
            continue
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise _row_error(
                table,
                row,
                f"mpp {text!r} of slide {row.cells[slide]!r} is not a resolution.",
                f"Give microns per pixel, {low:g} to {high:g}, or leave the cell empty to believe the file.",
            )
        found[row.cells[slide]] = value
    return found


def _row_error(table: CSVTable, row: Row, message: str, mend: str) -> AnnotationsError:
    message = message if row.line else f"{row.where}: {message}"
    return AnnotationsError(message, mend=mend, path=table.path, line=row.line)


def _place(row: Row) -> str:
    return f"line {row.line}" if row.line else row.where
