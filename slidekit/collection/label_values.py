"""Labels as numbers: class indices of names, numbers as they are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from slidekit.collection.names import settle_text
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

_LARGEST = np.iinfo(np.int64).max

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

    @property
    def num_classes(self) -> int | None:
        """Number of class indices, by all that was given; None for numbers."""
        if self.classes is not None:
            return len(self.classes)
        return int(self.values.max(initial=-1)) + 1 if self.values.dtype == np.int64 else None


def say_blank(column: str, slides: Sequence[str], path: Path | None) -> DatasetError:
    """Make the error for a column of the annotations in which slides have no label."""
    return DatasetError(
        f"The column {column!r} is blank for {len(slides)} slides: {some_of(slides)}.",
        mend=f"Fill it in, or leave them out with filter(filter_blank={column!r}).",
        path=path,
    )


def text_as_number(text: str) -> float | None:
    """A finite number that a text states, or None; ``1_1`` is a code, though Python reads it as 11."""
    if "_" in text:
        return None
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
        Labels; missing values and blank texts are no labels. Space around names does not count. Whole numbers beside
        missing values in a column of objects stay whole.
    use_float
        True makes float32 of any number, False takes numbers for names of classes.
    what
        Subject of the message of an error.

    Raises
    ------
    DatasetError
        If numbers are wanted and a label is none, a class index is negative or beyond int64, or labels are neither
        text nor numbers, or both.
    """
    import pandas as pd
    from pandas.api import types

    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(object)
    known = series.notna().to_numpy(dtype=bool)
    if series.dtype == object and known.any():
        # By what is there: missing values among whole numbers would make floats of them.
        there = series[known].infer_objects()
        if types.is_bool_dtype(there.dtype):
            there = there.astype("boolean")
        elif types.is_integer_dtype(there.dtype):
            there = there.astype("UInt64" if there.dtype == np.uint64 else "Int64")
        if types.is_numeric_dtype(there.dtype):
            places = np.where(known, np.cumsum(known) - 1, -1)
            series = pd.Series(there.array.take(places, allow_fill=True), index=series.index)
    if types.is_complex_dtype(series.dtype):
        raise DatasetError(f"{what} are complex numbers.", mend="Give real ones.")
    is_number = types.is_numeric_dtype(series.dtype)  # booleans are
    if is_number and use_float is not False:
        whole = types.is_bool_dtype(series.dtype) or types.is_integer_dtype(series.dtype)
        if whole and use_float == "auto":
            return _encode_indices(series, known, what)
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


def _encode_indices(series: pd.Series[Any], known: npt.NDArray[np.bool_], what: str) -> EncodedLabels:
    given = series[known]
    if len(given) and (given.min() < 0 or given.max() > _LARGEST):
        value = given.min() if given.min() < 0 else given.max()
        where = given.index[int(np.argmax((given == value).to_numpy(dtype=bool)))]
        raise DatasetError(
            f"{what} hold {value} (at {where!r}), which is no class index.",
            mend="Classes count from 0; use_float=True takes numbers as they are, and None is no label.",
        )
    indices = np.full(len(series), -1, np.int64)
    indices[known] = given.to_numpy(dtype=np.int64)
    return EncodedLabels(indices, None, known)


def _encode_names(series: pd.Series[Any], what: str) -> EncodedLabels:
    import pandas as pd

    try:
        codes, found = pd.factorize(series)
    except TypeError as error:
        raise DatasetError(f"{what} hold lists or the like.", mend="Give one text or number each.") from error
    if wrong := [place for place, value in enumerate(found) if not isinstance(value, str)]:
        kinds = ", ".join(sorted({type(found[place]).__name__ for place in wrong}))
        where = series.index[int(np.argmax(codes == wrong[0]))]
        if len(wrong) < len(found):
            message = f"{what} are texts and values of type {kinds}, such as {found[wrong[0]]!r} at {where!r}."
        else:
            message = f"{what} hold values of type {kinds}, such as {found[wrong[0]]!r} at {where!r}."
        raise DatasetError(message, mend="Give texts alone, or numbers alone that int64 or float can hold.")
    names = [settle_text(name) for name in found]
    classes = classes_of(names)
    places = {name: place for place, name in enumerate(classes)}
    # Missing is code -1, which reads the last entry.
    indices = np.array([*(places.get(name, -1) for name in names), -1], np.int64)[codes]
    return EncodedLabels(indices, classes, indices >= 0)
