"""`Selection`: the slides of a dataset that meet its filters, and what belongs to them."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from slidekit.annotations import Annotations
from slidekit.collection.filters import Filters, read_decisions
from slidekit.collection.matching import Collection, Unmatched
from slidekit.collection.sources import PathLike, Source
from slidekit.collection.tile_counts import count_tiles
from slidekit.collection.tile_size import settle_tile_um
from slidekit.errors import DatasetError
from slidekit.units import Magnification, tile_size_label
from slidekit.wording import some_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Selection"]

logger = logging.getLogger(__name__)


class Selection:
    """Slides that are looked up, matched with annotations and filtered; the ground that `Dataset` stands on.

    A selection does not change: `filter` and its like return a narrower one. Folders are looked through once,
    when something is first asked of a selection or of one that was filtered from it; TFRecords are looked up
    each time.

    Parameters
    ----------
    sources
        Where slides lie and tiles go.
    tile_px, tile_um
        Size of the tiles in output pixels, and in microns or as a magnification; None where it does not
        matter.
    tile_mpp
        µm/px of the tiles, instead of `tile_um`.
    annotations
        The table; None makes each slide its own patient, and the log says so.
    filters
        Column of the annotations to a value or a list of values.
    filter_blank
        Columns that must not be empty.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        tile_px: int | None = None,
        tile_um: float | str | Magnification | None = None,
        tile_mpp: float | None = None,
        annotations: Annotations | None = None,
        filters: Mapping[str, Any] | None = None,
        filter_blank: str | Sequence[str] | None = None,
    ) -> None:
        tile_um = settle_tile_um(tile_px, tile_um, tile_mpp)
        label = tile_size_label(tile_px, tile_um) if tile_px is not None and tile_um is not None else None
        self.tile_px = tile_px
        self.tile_um = tile_um
        self._collection = Collection(sources, annotations, label)
        self._filters = self._narrow(Filters(), filters, filter_blank)

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources."""
        return self._collection.index.sources

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
    def label(self) -> str | None:
        """Folder name of the size of tile, such as ``256px_128um``; None if the size is not settled."""
        return self._collection.label

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
        return sorted(self._collection.names & self._filters.select(self._collection.table))

    def paths(self) -> dict[str, Path]:
        """Slide to path, by name; slides of which only TFRecords are left are not there."""
        paths = self._collection.index.paths
        return {name: paths[name] for name in self.slides() if name in paths}

    def slide_paths(self) -> list[Path]:
        """Paths of the slides, in the order of their names."""
        return list(self.paths().values())

    def patients(self) -> dict[str, str]:
        """Slide to patient."""
        patients = self._collection.table.patients
        return {name: patients[name] for name in self.slides()}

    def mpp(self) -> dict[str, float]:
        """Slide to µm/px, for the slides that have it in the annotations."""
        mpp = self._collection.table.mpp
        return {name: mpp[name] for name in self.slides() if name in mpp}

    def roi_files(self) -> dict[str, Path]:
        """Slide to its file of regions of interest, for the slides that have one."""
        files = self._collection.index.rois
        return {name: files[name] for name in self.slides() if name in files}

    def rois(self) -> list[Path]:
        """Files of regions of interest, in the order of the slides' names."""
        return list(self.roi_files().values())

    def find_slide(self, *, slide: str | None = None, patient: str | None = None) -> Path | None:
        """Path of one slide of this dataset.

        Parameters
        ----------
        slide
            Name of the slide.
        patient
            Name of the patient, instead.

        Returns
        -------
        Path or None
            None if this dataset, filters included, has no such slide.

        Raises
        ------
        DatasetError
            If both or neither is given, or the patient has several slides.
        """
        if (slide is None) == (patient is None):
            raise DatasetError("find_slide needs either slide= or patient=.", mend="Give one of them.")
        patients = self.patients()
        names = {name for name, owner in patients.items() if slide == name or patient == owner}
        paths = {name: path for name, path in self.paths().items() if name in names}
        if len(paths) > 1:
            raise DatasetError(
                f"Patient {patient!r} has {len(paths)} slides: {some_of(list(paths))}.", mend="Give slide=."
            )
        return next(iter(paths.values()), None)

    def filter(
        self,
        filters: Mapping[str, Any] | None = None,
        *,
        filter_blank: str | Sequence[str] | None = None,
        review: PathLike | None = None,
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

        Raises
        ------
        DatasetError
            If a column or value is unknown, or a decision is another word.
        """
        narrowed = self._narrow(self._filters, filters, filter_blank)
        if review is not None:
            narrowed = narrowed.exclude(self._read_review(review))
        return self._with(narrowed)

    def remove_filter(self, filters: str | Iterable[str] = (), *, review: bool = False) -> Self:
        """Widen the dataset: remove conditions on columns, or reviewers' decisions.

        Raises
        ------
        DatasetError
            If there is no such filter.
        """
        columns = [filters] if isinstance(filters, str) else list(filters)
        widened = self._filters.without(columns)
        return self._with(Filters(widened.allowed) if review else widened)

    def clear_filters(self) -> Self:
        """Remove all filters."""
        return self._with(Filters())

    def _narrow(
        self, narrowed: Filters, filters: Mapping[str, Any] | None, filter_blank: str | Sequence[str] | None
    ) -> Filters:
        if filters:
            narrowed = narrowed.narrow(filters, self._collection.table)
        if filter_blank:
            columns = [filter_blank] if isinstance(filter_blank, str) else filter_blank
            narrowed = narrowed.demand(columns, self._collection.table)
        return narrowed

    def _with(self, filters: Filters) -> Self:
        other = copy.copy(self)
        other._filters = filters
        return other

    def _read_review(self, path: PathLike) -> set[str]:
        decisions = read_decisions(path)
        if unknown := sorted(decisions.keys() - set(self._collection.table.slides)):
            logger.warning("%s: %d slides are not in the dataset: %s.", path, len(unknown), some_of(unknown, 20))
        return {name for name, keep in decisions.items() if not keep}

    @property
    def num_tiles(self) -> int:
        """Number of tiles in the TFRecords."""
        return sum(entry["total"] for entry in self.manifest().values())

    def tfrecords(self) -> list[Path]:
        """TFRecord files of the slides at this size of tile, in the order of the slides' names.

        Raises
        ------
        DatasetError
            If the dataset has no size of tile.
        """
        self._demand_label()
        records = self._collection.records
        return [records[name] for name in self.slides() if name in records]

    def manifest(self) -> dict[str, dict[str, int]]:
        """Path of each TFRecord file to its number of tiles, as ``{"total": n, "clipped": n}``."""
        counts = count_tiles(self.tfrecords())
        return {str(path): {"total": count, "clipped": count} for path, count in counts.items()}

    def _demand_label(self) -> str:
        label = self._collection.label
        if label is None:
            raise DatasetError("The dataset has no size of tile.", mend="Give tile_px= and tile_um=.")
        return label

    def _say_no_records(self) -> DatasetError:
        label = self._demand_label()
        return DatasetError(f"There are no TFRecords of {label}.", mend="Run extract_tiles, or check tfrecords=.")
