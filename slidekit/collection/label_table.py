"""Tables of labels: parquet and CSV files and data frames, with columns called as they are looked up."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING

from slidekit.errors import DatasetError, MissingExtraError
from slidekit.io.user_file import check_regular

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LABEL_SUFFIXES", "read_label_table", "settle_columns"]

LABEL_SUFFIXES = (".csv", ".parquet")

_KNOWN = ("slide", "loc_x", "loc_y", "label", "patient")
"""Columns that are found in whatever case they are written."""

_UNNAMED = re.compile(r"(?:Unnamed: \d+|column_\d+)?")
"""Headers of the index that pandas writes, as it and `slidekit.io.csv_table` read them."""


def read_label_table(path: str | Path) -> pd.DataFrame:
    """Read labels of slides or tiles.

    Parameters
    ----------
    path
        A parquet file, or a CSV file in UTF-8 whose first column is the index unless it has a column ``slide``.

    Returns
    -------
    DataFrame
        As `settle_columns` gives it. Whole numbers stay whole beside empty cells.

    Raises
    ------
    DatasetError
        If the file cannot be read, or is of another kind.
    MissingExtraError
        If the package that reads parquet is not installed.
    """
    import pandas as pd

    path = Path(path).expanduser()
    suffix = path.suffix.lower()
    if suffix not in LABEL_SUFFIXES:
        raise DatasetError("is no table of labels.", mend=f"Give {' or '.join(LABEL_SUFFIXES)}.", path=path)
    check_regular(path, error=DatasetError)
    try:
        if suffix == ".parquet":
            return settle_columns(pd.read_parquet(path, dtype_backend="numpy_nullable"), path)
        header, lines = _read_header(path)
        # Names such as 007 and NA stay what they are; only an empty cell is no label.
        frame = pd.read_csv(
            path,
            encoding="utf-8-sig",
            header=None,
            names=header,
            skiprows=lines,
            index_col=False,
            dtype={name: str for name in header if name.strip().lower() in ("slide", "patient")},
            dtype_backend="numpy_nullable",
            keep_default_na=False,
            na_values=["", "nan"],
        )
    except ImportError as error:
        raise MissingExtraError(
            "Parquet files are read by pyarrow, which is not installed.",
            mend="Install pyarrow, or give the labels as CSV or DataFrame.",
            path=path,
        ) from error
    except (OSError, ValueError, csv.Error) as error:
        # pandas' and pyarrow's own errors are ValueErrors.
        raise DatasetError(f"cannot be read: {error}.", mend="Save it again as CSV UTF-8.", path=path) from error
    if not any(name.strip().lower() == "slide" for name in header):
        frame = frame.set_index(header[0])
    return settle_columns(frame, path)


def settle_columns(frame: pd.DataFrame, path: Path | None = None) -> pd.DataFrame:
    """Call the columns of a table of labels as they are looked up, without the index that pandas may have written.

    Raises
    ------
    DatasetError
        If two columns have the same name.
    """
    names = [str(name).strip() for name in frame.columns]
    for known in _KNOWN:
        similar = [place for place, name in enumerate(names) if name.lower() == known]
        if known not in names and len(similar) == 1:
            names[similar[0]] = known
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DatasetError(
            f"The table of labels has two columns named {twice[0]!r}.", mend="Rename one of them.", path=path
        )
    renamed = frame.set_axis(names, axis=1)
    return renamed.loc[:, [not _UNNAMED.fullmatch(name) for name in names]]


def _read_header(path: Path) -> tuple[list[str], int]:
    """Names of the columns, as many as rows have cells, and the lines to the end of the header."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        header = next((row for row in rows if row), [])
        line = rows.line_num
        first = next((row for row in rows if row), [])
    for separator, word in ((";", "semicolons"), ("\t", "tabs")):
        if sum(cell.count(separator) for cell in header) >= len(header) > 0:
            raise DatasetError(f"is separated by {word}.", mend="Save it separated by commas.", path=path, line=line)
    if len(header) < 2:
        raise DatasetError("has less than two columns.", mend="Give slides or tiles, and labels.", path=path, line=line)
    if any(cell.strip() for cell in first[len(header) :]):
        raise DatasetError(
            f"has {len(first)} cells where the header has {len(header)} columns.",
            mend="Name every column in the header; put quotation marks around text that contains a comma.",
            path=path,
            line=rows.line_num,
        )
    if twice := sorted({name for name in header if name.strip() and header.count(name) > 1}):
        raise DatasetError(f"has two columns named {twice[0]!r}.", mend="Rename one of them.", path=path, line=line)
    wide = max(len(header), len(first))
    names = [*header, *[""] * (wide - len(header))]
    return [name or f"column_{place}" for place, name in enumerate(names, start=1)], line
