"""Tables that people fill in: CSV read strictly, with the line of every row kept for messages."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from slidekit.errors import SlidekitError
from slidekit.io.user_file import read_bytes
from slidekit.wording import cell_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CSVTable", "Row", "iter_csv_table", "read_csv_table", "table_of_frame"]


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes
    ----------
    line
        Line in the file, from 1; None if the table did not come from a file.
    cells
        One text per column, without white space around it.
    where
        What to call the row where there is no line, such as ``row 3``.
    """

    line: int | None
    cells: tuple[str, ...]
    where: str = ""


@dataclass(frozen=True)
class CSVTable:
    """A table of text.

    Attributes
    ----------
    header
        Names of the columns, unique.
    rows
        Rows, each as long as the header; empty rows are left out.
    path
        File that the table was read from.
    """

    header: tuple[str, ...]
    rows: tuple[Row, ...]
    path: Path | None = None


def read_csv_table(path: str | Path, *, error: type[SlidekitError]) -> CSVTable:
    """Read a comma-separated UTF-8 file with a header of at least two columns.

    A byte-order mark, white space around cells, empty rows and short rows are accepted.

    Parameters
    ----------
    path
        The file.
    error
        What to raise.

    Raises
    ------
    SlidekitError
        Of the kind `error`, with line and mend: the file is missing, not UTF-8, a workbook, separated by
        something else, has one column, a name twice in its header, or a row longer than its header.
    """
    header, rows = iter_csv_table(path, error=error)
    return CSVTable(header, tuple(Row(line, cells) for line, cells in rows), Path(path))


def iter_csv_table(
    path: str | Path, *, error: type[SlidekitError]
) -> tuple[tuple[str, ...], Iterator[tuple[int, tuple[str, ...]]]]:
    """Read the header of such a file as `read_csv_table` does, and its rows one by one as they are asked for.

    Parameters
    ----------
    path, error
        As for `read_csv_table`.

    Returns
    -------
    tuple of str, iterator of (int, tuple of str)
        Names of the columns; line and cells of each row.

    Raises
    ------
    SlidekitError
        As `read_csv_table`, in part only when rows are asked for.
    """
    path = Path(path)
    rows = _rows(path, error)
    first = next(rows, None)
    if first is None:
        raise error("is empty.", mend="It needs a header row, and rows below it.", path=path)
    line, cells = first
    header = _check_header(cells, path, line, error)
    return header, ((line, _fit(cells, len(header), path, line, error)) for line, cells in rows)


def _rows(path: Path, error: type[SlidekitError]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Line and cells of each row that is not empty, the header's first."""
    reader = csv.reader(io.StringIO(_read_text(path, error), newline=""), strict=True)
    line = 1
    try:
        for raw in reader:
            cells = tuple(cell.strip() for cell in raw)
            if any(cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as problem:
        raise error(
            f"is not valid CSV: {problem}.",
            mend="Look for a quotation mark that is not closed.",
            path=path,
            line=line,
        ) from None


def table_of_frame(frame: pd.DataFrame, *, error: type[SlidekitError]) -> CSVTable:
    """Turn a data frame into a table of text; the frame is not changed.

    Raises
    ------
    SlidekitError
        Of the kind `error`, if two columns have the same name.
    """
    header = tuple(str(name).strip() for name in frame.columns)
    for name in header:
        if header.count(name) > 1:
            raise error(f"The data frame has two columns named {name!r}.", mend="Rename one of them.")
    rows = tuple(
        Row(None, tuple(cell_text(value) for value in values), f"row {label!r}")
        for label, values in zip(frame.index, frame.itertuples(index=False, name=None), strict=True)
    )
    return CSVTable(header, rows)


def _read_text(path: Path, error: type[SlidekitError]) -> str:
    data = read_bytes(path, error=error)
    mend = "Save it as CSV UTF-8 (in Excel: Save As, CSV UTF-8)."
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise error("is a workbook, not a CSV file.", mend=mend, path=path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        raise error("is not UTF-8 text.", mend=mend, path=path, line=line) from None
    if (place := text.find("\0")) >= 0:
        what = "holds NUL characters, as UTF-16 and damaged files do."
        raise error(what, mend=mend, path=path, line=text.count("\n", 0, place) + 1)
    return text


def _check_header(cells: tuple[str, ...], path: Path, line: int, error: type[SlidekitError]) -> tuple[str, ...]:
    for separator, word in ((";", "semicolons"), ("\t", "tabs")):
        if sum(cell.count(separator) for cell in cells) >= len(cells):
            raise error(
                f"is separated by {word}.",
                mend="Save it separated by commas (CSV UTF-8).",
                path=path,
                line=line,
            )
    if len(cells) == 1:
        raise error(
            f"has a single column, {cells[0]!r}.",
            mend="Columns are separated by commas.",
            path=path,
            line=line,
        )
    # A column without a name, such as the index that pandas writes, keeps its data under a name of its own.
    header = tuple(name or f"column_{number}" for number, name in enumerate(cells, start=1))
    for name in header:
        if header.count(name) > 1:
            raise error(f"has two columns named {name!r}.", mend="Rename one of them.", path=path, line=line)
    return header


def _fit(cells: tuple[str, ...], width: int, path: Path, line: int, error: type[SlidekitError]) -> tuple[str, ...]:
    if any(cells[width:]):
        raise error(
            f"has {len(cells)} cells where the header has {width} columns.",
            mend="Put quotation marks around text that contains a comma.",
            path=path,
            line=line,
        )
    return cells[:width] + ("",) * (width - len(cells))
