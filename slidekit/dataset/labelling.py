"""Labels of a dataset's slides and tiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from slidekit.collection.label_values import UseFloat
from slidekit.collection.labels import SlideLabels, harmonized_classes, is_float, slide_labels
from slidekit.collection.selection import Selection

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Labelling"]


class Labelling(Selection):
    """What `Dataset` knows about its slides and tiles for training."""

    def labels(
        self,
        headers: str | Sequence[str],
        use_float: UseFloat | Mapping[str, UseFloat] = False,
        assign: Mapping[Any, Any] | None = None,
        format: Literal["index", "name"] = "index",  # noqa: A002 - Slideflow's name
    ) -> SlideLabels:
        """Labels of the slides.

        Classes are numbered in the order of their sorted names. All that occur in slides that meet the filters
        count, on both sides of a split: the datasets for training and validation number them alike.

        Parameters
        ----------
        headers
            A column of the annotations, or several.
        use_float
            True: numbers. ``"auto"``: numbers where a column holds nothing else. A dict says it by column.
        assign
            Class to index, instead of the sorted order (or index to class); for several columns, a dict of such
            by column. `harmonize_labels` makes one.
        format
            ``"index"`` or ``"name"`` of the class.

            Loaders take what is returned, both parts of it, and know the number of classes by it.

        Returns
        -------
        dict
            Slide to label; to a list of labels if `headers` is a list.
        list
            The classes in the order of their indices, or the different numbers, sorted; a dict of such lists by
            column if `headers` is a list.

        Raises
        ------
        DatasetError
            If a cell is blank or no number where one is wanted, or `assign` leaves a class out.
        AnnotationsError
            If there is no such column.
        """
        return slide_labels(self, headers, use_float, assign, format)

    def is_float(self, header: str) -> bool:
        """Whether a column holds numbers only, blank cells aside.

        Raises
        ------
        AnnotationsError
            If there is no such column.
        """
        return is_float(self, header)

    def harmonize_labels(self, *datasets: Selection, header: str) -> dict[str, int]:
        """Number the classes of this and other datasets alike, for `assign` of `labels`.

        Parameters
        ----------
        *datasets
            The others.
        header
            Column of all their annotations.

        Returns
        -------
        dict
            Class to index, in the order of the sorted names.

        Raises
        ------
        AnnotationsError
            If a dataset has no such column.
        """
        return harmonized_classes([self, *datasets], header)

    def roi_labels(self) -> pd.DataFrame:
        """Labels of the tiles in the TFRecords, by the regions of interest that they were extracted from.

        Give the table to a loader as its labels: tiles outside of all labelled regions are not in it, and are
        left out there. Classes are numbered by what is in the table: make it of the whole dataset, before it is
        split, and give it to the loaders of all parts. Tables of the parts may number the same class differently.

        Returns
        -------
        DataFrame
            Index ``{slide}-{loc_x}-{loc_y}`` (centre, level-0 pixels), columns slide, loc_x, loc_y and label.
            They come from ``{slide}.tiles.csv``, or else from the records themselves, which takes longer.

        Raises
        ------
        DatasetError
            If the dataset has no size of tile or no TFRecords, or a table of tiles cannot be read.
        RecordError
            If a TFRecord is damaged.
        """
        from slidekit.collection.roi_labels import roi_labels

        records = self._records()
        if not records:
            raise self._say_no_records()
        return roi_labels(records)
