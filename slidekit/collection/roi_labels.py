"""Labels of tiles by the regions of interest that they lay in when they were extracted: strong supervision."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from slidekit.collection.tile_join import join_tiles
from slidekit.errors import DatasetError
from slidekit.io.example import decode_example
from slidekit.io.record_table import RecordTable
from slidekit.io.tfrecord import iter_records
from slidekit.slide.fate import Fate

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

__all__ = ["roi_labels"]

_NEEDED = ("loc_x", "loc_y", "label", "reason")

_Rows = list[tuple[int, int, str]]


def roi_labels(records: Mapping[str, Path]) -> pd.DataFrame:
    """Labels of the tiles that are in TFRecords.

    A slide's labels stand in ``{slide}.tiles.csv`` beside its TFRecord; where there is none, in the records, all
    of which are read then.

    Parameters
    ----------
    records
        Slide to TFRecord file.

    Returns
    -------
    DataFrame
        Index ``{slide}-{loc_x}-{loc_y}``, columns slide, loc_x, loc_y and label; tiles without a label are not in
        it.

    Raises
    ------
    DatasetError
        If a table of tiles cannot be read.
    RecordError
        If a TFRecord is damaged.
    """
    import pandas as pd

    slides, rows = list[str](), _Rows()
    tables: dict[str, Path] = {}
    for slide, path in records.items():
        table = path.with_name(f"{path.stem}.tiles.csv")
        if table.is_file():
            tables[slide] = path
            found = _of_table(table)
        else:
            found = _of_records(path)
        rows += found
        slides += [slide] * len(found)
    labels = pd.DataFrame(
        {
            "slide": pd.Series(slides, dtype=object),
            "loc_x": np.array([row[0] for row in rows], np.int64),
            "loc_y": np.array([row[1] for row in rows], np.int64),
            "label": pd.Series([row[2] for row in rows], dtype=object),
        }
    )
    labels = labels[_are_there(labels, tables)].reset_index(drop=True)
    index = labels["slide"] + "-" + labels["loc_x"].astype(str) + "-" + labels["loc_y"].astype(str)
    return labels.set_index(pd.Index(index, dtype=object))


def _of_table(table: Path) -> _Rows:
    """Places and labels of the tiles of a table that were kept and have a label."""
    kept = str(Fate.KEPT)
    line = 1
    try:
        with table.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            x, y, label, reason = (header.index(name) for name in _NEEDED)
            found = []
            for row in reader:
                line = reader.line_num
                # A row may be blank; one that lacks its end was cut off, and its label would be lost in silence.
                if row and row[reason] == kept and row[label]:
                    found.append((int(row[x]), int(row[y]), row[label]))
                elif row and not row[reason]:
                    raise ValueError("a row without a reason")
            return found
    except (OSError, ValueError, IndexError, csv.Error) as error:
        why = "a row is cut off" if isinstance(error, IndexError) else error
        raise DatasetError(
            f"is not a table of tiles: {why}.",
            mend="Remove it to read labels from the records.",
            path=table,
            line=line,
        ) from error


def _are_there(labels: pd.DataFrame, tables: Mapping[str, Path]) -> npt.NDArray[np.bool_]:
    """Which rows are of a tile that is in the TFRecord: a table may be of another extraction than the records."""
    kept = np.ones(len(labels), np.bool_)
    if not len(labels) or not tables:
        return kept
    places = RecordTable.open(list(tables.values()))
    present = _Places(tuple(tables), places.starts, places.locations)
    asked = labels["slide"].isin(present.located).to_numpy(dtype=bool)
    rows = join_tiles(labels[asked][["slide", "loc_x", "loc_y"]], present)
    kept[asked] = False
    kept[np.flatnonzero(asked)[rows[rows >= 0]]] = True
    return kept


class _Places:
    """Where the tiles of slides are, by the names under which the slides are known here."""

    def __init__(
        self, slides: tuple[str, ...], starts: npt.NDArray[np.int64], locations: npt.NDArray[np.int64]
    ) -> None:
        self.slides, self.starts, self.locations = slides, starts, locations

    @property
    def located(self) -> set[str]:
        """Slides whose records say where their tiles are."""
        known = np.concatenate([[0], np.cumsum(self.locations.any(axis=1))])
        counts = known[self.starts[1:]] - known[self.starts[:-1]]
        return {slide for slide, count in zip(self.slides, counts, strict=True) if count}


def _of_records(path: Path) -> _Rows:
    rows: _Rows = []
    for _, payload in iter_records(path):
        features = decode_example(payload, path=path)
        label, x, y = features.get("label"), features.get("loc_x", 0), features.get("loc_y", 0)
        if isinstance(label, bytes) and label and isinstance(x, int) and isinstance(y, int):
            rows.append((x, y, label.decode("utf-8", "replace")))
    return rows
