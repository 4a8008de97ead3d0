"""The table of annotations: which slide is of which patient, and what is known about it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from slidekit.association import SlideAssociation, associate_slide_names
from slidekit.collection.annotation_rows import (
    REQUIRED,
    check_rows,
    read_as_it_is,
    read_mpp,
    require,
    settle_cells,
    settle_header,
    settle_names,
)
from slidekit.errors import AnnotationsError
from slidekit.io.csv_table import CSVTable, Row

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Annotations",
    "SlideAssociation",
    "associate_slide_names",
    "manifest_of_slides",
]

logger = logging.getLogger(__name__)


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
        table, notes = settle_header(source if isinstance(source, CSVTable) else read_as_it_is(source))
        require(table, REQUIRED)
        place = table.header.index("slide")
        plain = all(row.cells[place].isascii() for row in table.rows)
        table, more, shortened = settle_names(settle_cells(table))
        if not plain:
            shortened = {row.cells[place]: row.cells[place] for row in table.rows} | shortened
        notes += more
        check_rows(table)
        for note in notes:
            logger.warning("%s", note)
        return cls(table, read_mpp(table), tuple(notes), shortened)

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
    return Annotations(CSVTable(REQUIRED, rows), {})
