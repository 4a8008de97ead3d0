"""The table of annotations: which slide is of which patient, and what is known about it."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from slidekit.association import SlideAssociation, associate_slide_names
from slidekit.collection.names import settle_text
from slidekit.errors import AnnotationsError
from slidekit.io.csv_table import CSVTable, Row, read_csv_table, table_of_frame
from slidekit.pixels.discovery import has_slide_suffix, slide_name
from slidekit.pixels.mpp import MPP_RANGE
from slidekit.wording import some_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Annotations",
    "SlideAssociation",
    "associate_slide_names",
    "manifest_of_slides",
]

logger = logging.getLogger(__name__)

_REQUIRED = ("patient", "slide")


class Annotations:
    """A table with one row a slide; every cell is text, an empty one is ``""``.

    Build one with `Annotations.read` or `manifest_of_slides`.

    Parameters
    ----------
    table
        Checked rows with the columns ``patient`` and ``slide``.
    mpp
        Slide to µm/px, from the column ``mpp``.
    notes
        What was accepted but should be known, a sentence each.
    shortened
        Slide to its name as it was written with what looks like a suffix; where names were not plain ASCII, of all
        slides.
    """

    def __init__(
        self,
        table: CSVTable,
        mpp: dict[str, float],
        notes: tuple[str, ...] = (),
        shortened: Mapping[str, str] | None = None,
    ) -> None:
        self._table = table
        self.shortened: Mapping[str, str] = dict(shortened or {})
        self._mpp = mpp
        self._slide = table.header.index("slide")
        self._patient = table.header.index("patient")
        self.notes = notes

    @classmethod
    def read(cls, source: str | Path | pd.DataFrame | CSVTable) -> Self:
        """Read and check annotations.

        Parameters
        ----------
        source
            A CSV file, or a data frame, which is copied and never changed. The columns ``patient`` and
            ``slide`` (file name without suffix) are required, in whatever case (noted unless lower); ``mpp``
            (µm/px, empty where the file is to be believed) and any others are optional. Slide names with a
            suffix are accepted and noted; rows that name no slide are left out and noted. What looks alike is
            one text in every cell: accents are composed (NFC), unseen characters left out, spaces plain.

        Raises
        ------
        AnnotationsError
            With file, line and mend: a column is missing or there twice, a slide stands in two rows, a row
            has no patient, or an ``mpp`` is not within 0.05–20 µm/px.
        """
        table, notes = _settle_header(source if isinstance(source, CSVTable) else _read_as_it_is(source))
        _require(table, _REQUIRED)
        place = table.header.index("slide")
        plain = all(row.cells[place].isascii() for row in table.rows)
        table, more, shortened = _settle_names(_settle_cells(table))
        if not plain:
            shortened = {row.cells[place]: row.cells[place] for row in table.rows} | shortened
        notes += more
        _check_rows(table)
        for note in notes:
            logger.warning("%s", note)
        return cls(table, _read_mpp(table), tuple(notes), shortened)

    def renamed(self, names: Mapping[str, str]) -> Annotations:
        """Annotations in which some slides are called differently.

        Parameters
        ----------
        names
            Slide to its other name.
        """
        if not names:
            return self
        place = self._slide
        rows = tuple(
            replace(
                row, cells=(*row.cells[:place], names.get(row.cells[place], row.cells[place]), *row.cells[place + 1 :])
            )
            for row in self._table.rows
        )
        mpp = {names.get(slide, slide): value for slide, value in self._mpp.items()}
        rest = {slide: written for slide, written in self.shortened.items() if slide not in names}
        return Annotations(replace(self._table, rows=rows), mpp, self.notes, rest)

    @property
    def path(self) -> Path | None:
        """File that the table was read from; None for a data frame or a manifest."""
        return self._table.path

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in the order of the table."""
        return self._table.header

    @property
    def slides(self) -> tuple[str, ...]:
        """Names of the slides, in the order of the table."""
        return tuple(row.cells[self._slide] for row in self._table.rows)

    @property
    def patients(self) -> dict[str, str]:
        """Slide to patient."""
        return {row.cells[self._slide]: row.cells[self._patient] for row in self._table.rows}

    @property
    def mpp(self) -> dict[str, float]:
        """Slide to µm/px, for the slides that have one in the column ``mpp``."""
        return dict(self._mpp)

    def column(self, name: str) -> dict[str, str]:
        """Slide to what stands in a column.

        Raises
        ------
        AnnotationsError
            If there is no such column; the message lists those that there are.
        """
        if name not in self.columns:
            raise AnnotationsError(
                f"There is no column {name!r}.", mend=f"There are: {', '.join(self.columns)}.", path=self.path
            )
        place = self.columns.index(name)
        return {row.cells[self._slide]: row.cells[place] for row in self._table.rows}

    def frame(self) -> pd.DataFrame:
        """Copy of the table as a data frame of text."""
        import pandas as pd

        rows = [row.cells for row in self._table.rows]
        return pd.DataFrame(rows, columns=list(self.columns), dtype=str)

    def __len__(self) -> int:
        return len(self._table.rows)

    def __repr__(self) -> str:
        return f"<Annotations: {len(self)} slides, {len(set(self.patients.values()))} patients>"


def manifest_of_slides(slides: Iterable[str]) -> Annotations:
    """Annotations for slides of which nothing is known: each slide is its own patient.

    The logger ``slidekit`` says so at level WARNING, because a split by patient is then a split by slide.

    Parameters
    ----------
    slides
        Names of slides.
    """
    names = sorted(set(slides))
    if names:
        logger.warning(
            "No annotations are given: each of the %d slides counts as its own patient. "
            "Give a table with the columns patient and slide if patients have several slides.",
            len(names),
        )
    rows = tuple(Row(None, (name, name), f"row {number}") for number, name in enumerate(names))
    return Annotations(CSVTable(_REQUIRED, rows), {})


def read_table(source: str | Path | pd.DataFrame) -> CSVTable:
    """Read a CSV file or a data frame as a table of text, whatever its columns are.

    The columns ``patient`` and ``slide`` are called so, in whatever case they are written.

    Raises
    ------
    AnnotationsError
        If it cannot be read as such a table.
    """
    return _settle_header(_read_as_it_is(source))[0]


def _read_as_it_is(source: str | Path | pd.DataFrame) -> CSVTable:
    if isinstance(source, str | Path):
        return read_csv_table(source, error=AnnotationsError)
    if not hasattr(source, "columns"):
        kind = type(source).__name__
        raise AnnotationsError(f"Annotations cannot be a {kind}.", mend="Give a path or a DataFrame.")
    indexed = str(source.index.name).strip().lower() in _REQUIRED
    return table_of_frame(source.reset_index() if indexed else source, error=AnnotationsError)


def _settle_header(table: CSVTable) -> tuple[CSVTable, list[str]]:
    """Put the required columns into lower case where it is clear which column is meant; say which."""
    renamed = {}
    for name in _REQUIRED:
        similar = [other for other in table.header if other.lower() == name]
        if len(similar) == 1 and similar != [name]:
            renamed[similar[0]] = name
    if not renamed:
        return table, []
    header = tuple(renamed.get(name, name) for name in table.header)
    words = " and ".join(f"{old!r} as {new!r}" for old, new in renamed.items())
    return replace(table, header=header), [f"{table.path or 'The data frame'}: columns were read: {words}."]


def _require(table: CSVTable, columns: tuple[str, ...]) -> None:
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


def _settle_cells(table: CSVTable) -> CSVTable:
    """Write what looks alike as one text: José is one patient, however the accent is stored."""
    rows = tuple(
        row if all(map(str.isascii, row.cells)) else replace(row, cells=tuple(map(settle_text, row.cells)))
        for row in table.rows
    )
    return replace(table, header=tuple(map(settle_text, table.header)), rows=rows)


def _settle_names(table: CSVTable) -> tuple[CSVTable, list[str], dict[str, str]]:
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


def _check_rows(table: CSVTable) -> None:
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


def _read_mpp(table: CSVTable) -> dict[str, float]:
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
