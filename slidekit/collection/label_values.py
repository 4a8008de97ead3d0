"""Labels as numbers: class indices of names, numbers as they are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from slidekit.errors import DatasetError
from slidekit.wording import cell_text, some_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ClassValues",
    "EncodedLabels",
    "UseFloat",
    "are_numbers",
    "classes_of",
    "encode_series",
    "say_blank",
    "text_as_number",
]

UseFloat = bool | Literal["auto"]
"""Whether labels are numbers: True, False (names), or as what stands there says."""

ClassValues = npt.NDArray[np.int64] | npt.NDArray[np.float32]


@dataclass(frozen=True)
class EncodedLabels:
    """A column of labels as an array.

    Attributes
    ----------
    values
        (n,) int64 class indices or float32; -1 or NaN where there is no label.
    classes
        Names of the indices, sorted; None for numbers, and for integers, which are taken as they are.
    known
        (n,) bool: where there is a label.
    """

    values: ClassValues
    classes: tuple[str, ...] | None
    known: npt.NDArray[np.bool_]


def say_blank(column: str, slides: Sequence[str], path: Path | None) -> DatasetError:
    """Make the error for a column of the annotations in which slides have no label."""
    return DatasetError(
        f"The column {column!r} is blank for {len(slides)} slides: {some_of(slides)}.",
        mend=f"Fill it in, or leave them out with filter(filter_blank={column!r}).",
        path=path,
    )


def text_as_number(text: str) -> float | None:
    """A finite number that a text states, or None."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def are_numbers(texts: Iterable[str]) -> bool:
    """Whether there are texts that are not blank, and every one of them is a finite number."""
    filled = {text for text in texts if text}
    return bool(filled) and all(text_as_number(text) is not None for text in filled)


def classes_of(names: Iterable[str], assign: Mapping[str, int] | None = None) -> tuple[str, ...]:
    """Names of classes in the order of their indices: sorted, or as `assign` numbers them.

    Parameters
    ----------
    names
        Names of classes, in any order and repeated; blank ones are passed over.
    assign
        Name to index, from 0 without a gap.

    Raises
    ------
    DatasetError
        If `assign` leaves a name out, or its indices are not 0, 1, 2…
    """
    found = {name for name in names if name}
    if assign is None:
        return tuple(sorted(found))
    if sorted(assign.values()) != list(range(len(assign))):
        raise DatasetError(
            f"assign={dict(assign)} does not number the classes 0 to {len(assign) - 1}.",
            mend="Give each name an index of its own, from 0 without a gap.",
        )
    if missing := sorted(found - assign.keys()):
        raise DatasetError(
            f"assign= has no index for {some_of([repr(name) for name in missing])}.",
            mend="Give every class an index, or filter the slides of the others out.",
        )
    return tuple(sorted(assign, key=lambda name: assign[name]))


def encode_series(series: pd.Series[Any], use_float: UseFloat = "auto", *, what: str = "The labels") -> EncodedLabels:
    """Turn a column into an array: names to indices of the sorted names, integers as they are, other numbers float32.

    Parameters
    ----------
    series
        Labels; missing values and blank texts are no labels.
    use_float
        True makes float32 of any number, False takes numbers for names of classes.
    what
        Subject of the message of an error.

    Raises
    ------
    DatasetError
        If numbers are wanted and a label is none, or labels are neither text nor numbers.
    """
    import pandas as pd
    from pandas.api import types

    if series.dtype == object:
        series = series.infer_objects()
    known = series.notna().to_numpy(dtype=bool)
    is_number = types.is_numeric_dtype(series.dtype)  # booleans are
    if is_number and use_float is not False:
        whole = types.is_bool_dtype(series.dtype) or types.is_integer_dtype(series.dtype)
        if whole and use_float == "auto":
            indices = np.full(len(series), -1, np.int64)
            indices[known] = series[known].to_numpy(dtype=np.int64)
            return EncodedLabels(indices, None, known)
        return _encode_numbers(series.to_numpy(dtype=np.float32, na_value=np.nan), what)
    if is_number:
        return _encode_names(series.map(cell_text), what)
    if use_float is True:
        numbers = pd.to_numeric(series.replace("", None), errors="coerce").to_numpy(dtype=np.float32, na_value=np.nan)
        if wrong := sorted({repr(value) for value in series[known & ~np.isfinite(numbers)] if value != ""}):
            raise DatasetError(f"{what} hold {some_of(wrong)}, not numbers.", mend="Correct them, or use_float=False.")
        return _encode_numbers(numbers, what)
    return _encode_names(series, what)


def _encode_numbers(numbers: npt.NDArray[np.float32], what: str) -> EncodedLabels:
    if np.isinf(numbers).any():
        raise DatasetError(f"{what} hold infinite numbers.", mend="Correct them, or leave those rows out.")
    return EncodedLabels(numbers, None, ~np.isnan(numbers))


def _encode_names(series: pd.Series[Any], what: str) -> EncodedLabels:
    import pandas as pd

    codes, found = pd.factorize(series)
    if wrong := [value for value in found if not isinstance(value, str)]:
        kinds = sorted({type(value).__name__ for value in wrong})
        raise DatasetError(f"{what} hold values of type {', '.join(kinds)}.", mend="Give texts or numbers.")
    classes = classes_of(found)
    places = {name: place for place, name in enumerate(classes)}
    # Missing is code -1, which reads the last entry.
    indices = np.array([*(places.get(name, -1) for name in found), -1], np.int64)[codes]
    return EncodedLabels(indices, classes, indices >= 0)
