"""Columns of a table of coordinates: which ones hold places, what they mean, and their cells as numbers."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from slidekit.errors import DatasetError
from slidekit.slide.coordinates import FARTHEST
from slidekit.slide.spec_values import Anchor, Unit
from slidekit.wording import cell_text, some_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EMPTY_MEND", "Columns", "Where", "find_columns", "numbers_of", "read_number"]

EMPTY_MEND = "Remove the row, or fill the cell in."

_PAIRS: tuple[tuple[str, str, Unit | None, Anchor | None], ...] = (
    ("x", "y", None, None),
    ("x_um", "y_um", "um", None),
    # As records have them: whole pixels, and always of the centre.
    ("loc_x", "loc_y", "px", "center"),
)
"""Names of columns that hold places, the first that is there, and what they mean; None: what the caller says."""


@dataclass(frozen=True)
class Where:
    """Where a table is from, for messages.

    Attributes
    ----------
    path
        The file; None for a data frame.
    """

    path: Path | None

    def error(self, what: str, mend: str, *, line: int | None = None) -> DatasetError:
        """Make an error of what is wrong with the table, or in a line of its file."""
        what = what if self.path is not None else f"The table of coordinates {what}"
        return DatasetError(what, mend=mend, path=self.path, line=line)

    def row_error(self, row: object, what: str, mend: str) -> DatasetError:
        """Make an error of what is wrong in a row of a data frame, called as its index calls it."""
        start = "row" if self.path is not None else "The table of coordinates, row"
        called = repr(row) if isinstance(row, str) else str(row)
        what = f"{start} {called}: {what}"
        return DatasetError(what, mend=mend, path=self.path)


@dataclass(frozen=True)
class Columns:
    """Which columns of a header are read, by their place in it, and what they mean.

    Attributes
    ----------
    x, y
        Those that hold places.
    unit, anchor
        What they count, and what of a tile lies there.
    slide, label
        Those that name the slide and the label; None where there is none.
    """

    x: int
    y: int
    unit: Unit
    anchor: Anchor
    slide: int | None
    label: int | None


def find_columns(
    header: Sequence[str], unit: Unit, anchor: Anchor, where: Where, *, line: int | None = None
) -> Columns:
    """Find the columns by their names, in whatever case.

    Parameters
    ----------
    header
        Names of all columns.
    unit, anchor
        What numbers mean where the names do not say so.
    where, line
        For messages.

    Raises
    ------
    DatasetError
        If one is there twice, or none hold places.
    """
    places: dict[str, list[int]] = {}
    for place, name in enumerate(header):
        places.setdefault(_plain(name), []).append(place)

    def find(name: str) -> int | None:
        found = places.get(name, [])
        if len(found) > 1:
            names = " and ".join(repr(header[place]) for place in found)
            raise where.error(f"has the columns {names}.", "Rename one of them.", line=line)
        return found[0] if found else None

    # Where microns are meant, a column that says so goes before one that does not.
    pairs = _PAIRS if unit == "px" else (_PAIRS[1], _PAIRS[0], _PAIRS[2])
    for x_name, y_name, stated, fixed in pairs:
        x, y = find(x_name), find(y_name)
        if x is not None and y is not None:
            return Columns(x, y, stated or unit, fixed or anchor, find("slide"), find("label"))
    there = some_of([repr(name) for name in header], 20) or "none"
    mend = f"x_um and y_um, or loc_x and loc_y, will do as well. There are: {there}."
    if {"centroid x µm", "centroid y µm"} <= places.keys():
        mend = "QuPath's 'Centroid X µm' and 'Centroid Y µm' are to be called x_um and y_um, 'Image' slide."
    raise where.error("has no columns x and y.", mend, line=line)


def _plain(name: str) -> str:
    # There are two signs for micro.
    return unicodedata.normalize("NFC", name).replace("μ", "µ").strip().lower()


def read_number(text: str, column: str, where: Where, line: int) -> float:
    """Read a number as people and programs write it, ``-1.5`` or ``1.2e3``, and nothing else that Python reads.

    Raises
    ------
    DatasetError
        If it is none, or no place on a slide.
    """
    value = _number(text)
    if not abs(value) <= FARTHEST:
        what, mend = _describe(text, column)
        raise where.error(what, mend, line=line)
    return value


def numbers_of(
    column: pd.Series[Any] | pd.Index[Any], name: str, index: pd.Index[Any], where: Where
) -> npt.NDArray[np.float64]:
    """Read a column of a data frame as numbers: those of any type, and text that states some.

    Parameters
    ----------
    column
        The values.
    name
        What the column is called.
    index
        What the rows are called.
    where
        For messages.

    Raises
    ------
    DatasetError
        Naming the first row that has none.
    """
    if getattr(column.dtype, "kind", "O") in "iuf":
        values = column.to_numpy(np.float64, na_value=np.nan)
    else:
        values = np.array([_value(value) for value in column], np.float64)
    wrong = np.flatnonzero(~(np.abs(values) <= FARTHEST))
    if len(wrong):
        row = int(wrong[0])
        raise where.row_error(index[row], *_describe(cell_text(next(islice(column, row, None))), name))
    return values


def _describe(text: str, column: str) -> tuple[str, str]:
    if not text:
        return f"{column} is empty.", EMPTY_MEND
    return f"{column} {text!r} is no place on a slide.", "Give a number, with a point for decimals."


def _value(value: Any) -> float:
    if isinstance(value, str):
        return _number(value.strip())
    # True is no place, and neither is a date.
    return float(value) if isinstance(value, Real | Decimal) and not isinstance(value, bool | np.bool_) else np.nan


def _number(text: str) -> float:
    # 1_000 and digits of other scripts are numbers to Python, and to no other program that opens the file.
    if "_" in text or not text.isascii():
        return np.nan
    try:
        return float(text)
    except ValueError:
        return np.nan
