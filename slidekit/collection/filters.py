"""Which slides of a dataset are wanted: conditions on columns, and a reviewer's decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from slidekit.annotations import Annotations
from slidekit.collection.names import settle_name, settle_text
from slidekit.collection.numbers import whole_number
from slidekit.errors import DatasetError
from slidekit.wording import some_of

__all__ = ["Filters", "read_decisions"]

_KEEP = frozenset({"keep", "include", "accept", "yes", "ok"})
_DROP = frozenset({"exclude", "drop", "reject", "no"})


@dataclass(frozen=True)
class Filters:
    """Conditions that a slide must meet, all of them.

    Attributes
    ----------
    allowed
        Column to the texts that may stand in it.
    filled
        Columns that must not be blank.
    excluded
        Slides that a reviewer excluded.
    min_tiles
        Smallest number of tiles in a slide's TFRecord.
    """

    allowed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    filled: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()
    min_tiles: int = 0

    def narrow(self, conditions: Mapping[str, Any], annotations: Annotations) -> Filters:
        """Add conditions; a second one on the same column leaves what both allow.

        Parameters
        ----------
        conditions
            Column to a value or several values.
        annotations
            The table, against which columns and values are checked.

        Raises
        ------
        DatasetError
            If a column or value does not occur; the message lists those that do.
        """
        allowed = dict(self.allowed)
        for column, wanted in conditions.items():
            values = _check_values(column, wanted, annotations)
            allowed[column] = allowed[column] & values if column in allowed else values
        return replace(self, allowed=allowed)

    def demand(self, columns: Iterable[str], annotations: Annotations) -> Filters:
        """Add the condition that columns are not blank.

        Raises
        ------
        DatasetError
            If a column does not exist.
        """
        demanded = frozenset(columns)
        for column in sorted(demanded):
            _values_of(column, annotations)
        return replace(self, filled=self.filled | demanded)

    def exclude(self, slides: Iterable[str]) -> Filters:
        """Leave out more slides, whatever the table says."""
        return replace(self, excluded=self.excluded | frozenset(slides))

    def at_least(self, tiles: int) -> Filters:
        """Add the condition that a slide has so many tiles; of two such the larger counts.

        Raises
        ------
        DatasetError
            If it is negative or no whole number.
        """
        least = whole_number(tiles)
        if least is None:
            raise DatasetError(f"min_tiles={tiles!r} is no number of tiles.", mend="Give 0 or more.")
        return replace(self, min_tiles=max(self.min_tiles, least))

    def without(self, columns: Iterable[str], filled: Iterable[str] = ()) -> Filters:
        """Remove the conditions on the values of columns, and that columns are `filled`.

        Raises
        ------
        DatasetError
            If there is no condition on a column.
        """
        allowed, demanded = dict(self.allowed), set(self.filled)
        for column in columns:
            if column not in allowed:
                raise _no_filter(f"on {column!r}", allowed)
            del allowed[column]
        for column in filled:
            if column not in demanded:
                raise _no_filter(f"that {column!r} is not blank", sorted(demanded))
            demanded.remove(column)
        return replace(self, allowed=allowed, filled=frozenset(demanded))

    def select(self, annotations: Annotations) -> frozenset[str]:
        """Slides of the table that meet every condition on it; `min_tiles` is not looked at."""
        selected = set(annotations.slides) - self.excluded
        for column, values in self.allowed.items():
            selected &= {slide for slide, text in annotations.column(column).items() if settle_text(text) in values}
        for column in self.filled:
            selected &= {slide for slide, text in annotations.column(column).items() if text}
        return frozenset(selected)


def _no_filter(what: str, columns: Iterable[str]) -> DatasetError:
    there = ", ".join(columns)
    mend = f"There are filters on: {there}." if there else "There are no filters."
    return DatasetError(f"There is no filter {what}.", mend=mend)


def read_decisions(path: str | Path) -> dict[str, bool]:
    """Read the decisions that a person wrote into ``review.csv``.

    Parameters
    ----------
    path
        As `slidekit.report.read_review` takes it.

    Returns
    -------
    dict
        Slide to whether it is kept. Slides without a decision are kept.

    Raises
    ------
    ReportError
        If the file is not a review.
    DatasetError
        With file and line, if a decision is another word, or a slide has two.
    """
    from slidekit.report import read_review

    kept: dict[str, bool] = {}
    for row in read_review(path, needs=("slide", "decision")):
        word = row.decision.strip().lower()
        if word not in _KEEP | _DROP | {""}:
            raise DatasetError(
                f"{row.decision!r} is not a decision.",
                mend=f"Write one of {', '.join(sorted(_KEEP))} or {', '.join(sorted(_DROP))}, or nothing.",
                path=path,
                line=row.line,
            )
        keep = word not in _DROP
        if kept.setdefault(settle_name(row.slide), keep) != keep:
            raise DatasetError(
                f"slide {row.slide!r} is decided twice, differently.", mend="Keep one row.", path=path, line=row.line
            )
    return kept


def _check_values(column: str, wanted: Any, annotations: Annotations) -> frozenset[str]:
    there = _values_of(column, annotations)
    several = isinstance(wanted, Iterable) and not isinstance(wanted, str | bytes)
    values = frozenset(settle_name(value) for value in (wanted if several else [wanted]))
    if not values:
        raise DatasetError(f"The filter on {column!r} allows no value.", mend="Give at least one.")
    if unknown := sorted(values - there):
        raise DatasetError(
            f"No slide has {some_of([repr(text) for text in unknown])} in the column {column!r}.",
            mend=f"There are: {some_of([repr(text) for text in sorted(there)], 20)}.",
            path=annotations.path,
        )
    return values


def _values_of(column: str, annotations: Annotations) -> set[str]:
    if column not in annotations.columns:
        raise DatasetError(
            f"There is no column {column!r} to filter on.",
            mend=f"There are: {', '.join(annotations.columns)}.",
            path=annotations.path,
        )
    return set(map(settle_text, annotations.column(column).values()))
