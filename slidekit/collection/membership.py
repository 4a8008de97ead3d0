"""Which slides are in a dataset: what is there, with a row, meets the filters, and is on the right side of a split."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from slidekit.annotations import Annotations
from slidekit.collection.filters import Filters, read_decisions
from slidekit.collection.matching import Collection, Unmatched
from slidekit.collection.names import settle_text
from slidekit.collection.sources import PathLike, Source
from slidekit.errors import DatasetError
from slidekit.io.csv_table import CSVTable, Row
from slidekit.wording import some_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Membership"]

logger = logging.getLogger(__name__)


class Membership:
    """Slides that are looked up, matched with annotations and filtered.

    Nothing of it changes: `filter` and its like return a narrower one. A slide is in if it meets all of these,
    which are looked at in this order: it has a row, and a file or TFRecords; the conditions on columns; columns
    that must not be blank; reviewers' decisions; the side of the split; `min_tiles`, by all tiles in its TFRecord.

    Parameters
    ----------
    collection
        What there is.
    filters, filter_blank, min_tiles
        As for `filter`.
    """

    def __init__(
        self,
        collection: Collection,
        filters: Mapping[str, Any] | None = None,
        filter_blank: str | Sequence[str] | None = None,
        min_tiles: int = 0,
    ) -> None:
        self._collection = collection
        self._side: frozenset[str] | None = None
        self._split_rows: frozenset[str] = frozenset()
        self._filters = self._narrow(Filters(), filters, filter_blank, min_tiles)

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources."""
        return self._collection.index.sources

    @property
    def label(self) -> str | None:
        """Folder name of the size of tile, such as ``256px_128um``; None if the size is not settled."""
        return self._collection.label

    @property
    def annotations(self) -> pd.DataFrame:
        """The whole table, as a copy."""
        return self._collection.table.frame()

    @property
    def filtered_annotations(self) -> pd.DataFrame:
        """Rows of the slides that this dataset holds, as a copy."""
        frame = self.annotations
        return frame[frame["slide"].isin(self.slides())].reset_index(drop=True)

    @property
    def filters(self) -> dict[str, list[str]]:
        """Column to the values that are allowed in it."""
        return {column: sorted(values) for column, values in self._filters.allowed.items()}

    @property
    def filter_blank(self) -> list[str]:
        """Columns that must not be blank."""
        return sorted(self._filters.filled)

    @property
    def min_tiles(self) -> int:
        """Number of tiles that a slide's TFRecord must have."""
        return self._filters.min_tiles

    @property
    def num_excluded(self) -> int:
        """Number of slides that reviewers excluded."""
        return len(self._filters.excluded)

    @property
    def unmatched(self) -> Unmatched:
        """Slides without rows, rows without slides, and ROI files without slides, before any filter."""
        return self._collection.unmatched

    def slides(self) -> list[str]:
        """Names of the slides, sorted: those with a row in the annotations, and a file or TFRecords."""
        names = self._collection.names & self._filters.select(self._collection.table)
        if self._side is not None:
            names &= self._side
        if (least := self._filters.min_tiles) and names:
            self._demand_label()
            records = self._collection.records
            counts = self._collection.counts(records[name] for name in names & records.keys())
            names = frozenset(name for name in names & records.keys() if counts[records[name]] >= least)
        return sorted(names)

    def label_rows(self) -> Annotations:
        """Rows of the annotations that meet the filters, of both sides of a split, for numbering classes.

        Datasets for training and validation number classes alike by it, whatever slides each of them holds, and
        whatever one of them is filtered to later: the rows that a dataset had when it was split stay.
        """
        table = self._collection.table
        wanted = self._rows_for_classes()
        columns = [table.column(name) for name in table.columns]
        rows = (Row(None, tuple(cells[name] for cells in columns), name) for name in table.slides if name in wanted)
        mpp = {name: value for name, value in table.mpp.items() if name in wanted}
        return Annotations(CSVTable(table.columns, tuple(rows), table.path), mpp)

    def filter(
        self,
        filters: Mapping[str, Any] | None = None,
        *,
        filter_blank: str | Sequence[str] | None = None,
        review: PathLike | None = None,
        min_tiles: int = 0,
    ) -> Self:
        """Narrow the dataset; conditions on the same column leave what all of them allow.

        Parameters
        ----------
        filters
            Column to a value or a list of values.
        filter_blank
            Columns that must not be empty.
        review
            A ``review.csv`` that a person filled: slides whose decision is ``exclude`` (drop, reject, no) are
            left out; those without a decision stay.
        min_tiles
            Leave out slides whose TFRecord has fewer tiles, and slides without TFRecords.

        Raises
        ------
        DatasetError
            If a column or value is unknown, a decision is another word, or `min_tiles` is no number of tiles.
        """
        narrowed = self._narrow(self._filters, filters, filter_blank, min_tiles)
        if review is not None:
            narrowed = narrowed.exclude(self._read_review(review))
        return self._with(narrowed)

    def remove_filter(
        self,
        filters: str | Iterable[str] = (),
        *,
        filter_blank: str | Iterable[str] = (),
        review: bool = False,
        min_tiles: bool = False,
    ) -> Self:
        """Widen the dataset; a split stays what it is.

        Parameters
        ----------
        filters
            Columns whose conditions are removed.
        filter_blank
            Columns that may be blank again.
        review, min_tiles
            Whether to remove reviewers' decisions, and the least number of tiles.

        Raises
        ------
        DatasetError
            If there is no such filter.
        """
        widened = self._filters.without(_several(filters), _several(filter_blank))
        if review:
            widened = replace(widened, excluded=frozenset())
        return self._with(replace(widened, min_tiles=0) if min_tiles else widened)

    def clear_filters(self) -> Self:
        """Remove all filters; a dataset that came from a split keeps to its side of it."""
        return self._with(Filters())

    def _narrow(
        self,
        narrowed: Filters,
        filters: Mapping[str, Any] | None,
        filter_blank: str | Sequence[str] | None,
        min_tiles: int,
    ) -> Filters:
        if filters:
            narrowed = narrowed.narrow(filters, self._collection.table)
        if filter_blank:
            narrowed = narrowed.demand(_several(filter_blank), self._collection.table)
        narrowed = narrowed.at_least(min_tiles)
        if narrowed.min_tiles:
            self._demand_label()
        return narrowed

    def _with(self, filters: Filters) -> Self:
        other = copy.copy(self)
        other._filters = filters
        return other

    def _with_side(self, slides: Iterable[str]) -> Self:
        """Keep to some slides for good, as a split does."""
        other, side = copy.copy(self), frozenset(slides)
        other._side = side if self._side is None else self._side & side
        other._split_rows = self._rows_for_classes()
        return other

    def _rows_for_classes(self) -> frozenset[str]:
        return self._split_rows | (self._collection.names & self._filters.select(self._collection.table))

    def _read_review(self, path: PathLike) -> set[str]:
        decisions = read_decisions(path)
        spelt = {settle_text(name): name for name in self._collection.table.slides}
        if unknown := sorted(decisions.keys() - spelt.keys()):
            logger.warning("%s: %d slides are not in the dataset: %s.", path, len(unknown), some_of(unknown, 20))
        return {spelt.get(name, name) for name, keep in decisions.items() if not keep}

    def _demand_label(self) -> str:
        label = self._collection.label
        if label is None:
            raise DatasetError("The dataset has no size of tile.", mend="Give tile_px= and tile_um=.")
        return label


def _several(columns: str | Iterable[str]) -> list[str]:
    return [columns] if isinstance(columns, str) else list(columns)
