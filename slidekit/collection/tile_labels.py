"""Labels for the tiles of TFRecords, of whatever a user gives: one value a slide, or one a tile."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from slidekit.annotations import Annotations
from slidekit.collection.label_table import LABEL_SUFFIXES, read_label_table, settle_columns
from slidekit.collection.label_values import EncodedLabels, UseFloat, are_numbers, encode_series, say_blank
from slidekit.collection.names import settle_name
from slidekit.collection.tile_join import TilePlaces, find_conflict, join_tiles, slide_names, tile_keys
from slidekit.errors import DatasetError
from slidekit.wording import some_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TileLabels", "settle_labels"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TileLabels:
    """Labels of the tiles of a table of TFRecords.

    Attributes
    ----------
    values
        (slides,) or (tiles,), with a second axis of k for several outcomes: int64 class indices or float32. -1 and
        NaN where there is no label.
    per_tile
        Whether a row is a tile of the table, or a slide (file) of it.
    classes
        Names of the indices, sorted; None for numbers, for integers that were given as such, and for several
        outcomes, whose classes are in `outcomes`.
    used
        (slides,) or (tiles,) bool: False where there is no label, which is to be left out; None if all have one.
    outcomes
        Name of each outcome to the names of its classes, None where it is a number.
    num_classes
        Number of classes of all that was given, whatever of it is in the table; None for numbers, and for several
        outcomes.
    """

    values: npt.NDArray[np.int64] | npt.NDArray[np.float32]
    per_tile: bool
    classes: tuple[str, ...] | None
    used: npt.NDArray[np.bool_] | None
    outcomes: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    num_classes: int | None = None


def settle_labels(
    labels: Any, table: TilePlaces, annotations: Annotations, *, use_float: UseFloat = "auto"
) -> TileLabels | None:
    """Find the label of every slide or tile of a table; what has none is left out, and the log counts it.

    Classes are numbered in the order of their sorted names, and these come from all that is given, not only from
    what is in `table`: datasets for training and validation get the same numbers from the same labels.

    Parameters
    ----------
    labels
        - None: no labels.
        - A column of the annotations, or a list of columns for several outcomes.
        - Slide to value, or to a list of values for several outcomes; or what `Dataset.labels` returns: such a dict
          and the names of the classes.
        - A DataFrame, or the path of a parquet or CSV file, with a row a tile (index ``{slide}-{loc_x}-{loc_y}``,
          or columns ``slide``, ``loc_x``, ``loc_y``) or a row a slide (column ``slide`` without centres). The
          label is the column ``label``, or else every other column but ``patient``, several being several outcomes,
          which the log names.
    table
        The tiles.
    annotations
        What columns are looked up in; `Selection.label_rows` gives the rows whose classes count.
    use_float
        ``"auto"``: texts of a column of the annotations are numbers if all of them are; integers in a mapping or
        table are taken as class indices, other numbers as float32. True: all are float32. False: numbers are
        names of classes.

    Raises
    ------
    DatasetError
        If there is no such column or file, a cell of the annotations is blank, a slide or tile has two labels,
        outcomes are numbers as well as classes, a class index is negative, or nothing has a label.
    """
    import pandas as pd

    if labels is None:
        return None
    if isinstance(labels, Path) or (isinstance(labels, str) and labels not in annotations.columns):
        labels = read_label_table(_check_path(labels, annotations))
    if isinstance(labels, tuple) and len(labels) == 2 and isinstance(labels[0], Mapping):
        return _of_labels(labels[0], labels[1], table, use_float)
    if isinstance(labels, str | Sequence):
        return _of_columns([labels] if isinstance(labels, str) else list(labels), table, annotations, use_float)
    if isinstance(labels, Mapping):
        return _of_slides(_frame_of_mapping(labels), table, use_float)
    if not isinstance(labels, pd.DataFrame):
        raise DatasetError(
            f"Labels cannot be a {type(labels).__name__}.",
            mend="Give a column, a list of columns, slide to label, a DataFrame, or the path of a parquet or CSV file.",
        )
    labels = settle_columns(labels)
    keys = tile_keys(labels)
    if keys is not None:
        return _of_tiles(_outcome_columns(labels), keys, table, use_float)
    if "slide" in labels.columns:
        names = slide_names(labels["slide"])
        return _of_slides(_outcome_columns(labels)[names != ""].set_axis(names[names != ""], axis=0), table, use_float)
    raise DatasetError(
        "The table of labels does not say which tiles its rows are.",
        mend="Give the index {slide}-{loc_x}-{loc_y}, or the columns slide, loc_x and loc_y; "
        "where rows are slides, the column slide.",
    )


def _check_path(labels: str | Path, annotations: Annotations) -> str | Path:
    if Path(labels).suffix.lower() in LABEL_SUFFIXES:
        return labels
    raise DatasetError(
        f"There is no column {str(labels)!r} of labels.",
        mend=f"There are: {', '.join(annotations.columns)}; or give the path of a parquet or CSV file.",
        path=annotations.path,
    )


def _outcome_columns(frame: pd.DataFrame) -> pd.DataFrame:
    if "label" in frame.columns:
        return frame[["label"]]
    outcomes = [name for name in frame.columns if name not in {"slide", "loc_x", "loc_y", "patient"}]
    if not outcomes:
        raise DatasetError("The table of labels has no column of labels.", mend="Call it label.")
    logger.info("Outcomes of the table of labels: %s.", ", ".join(outcomes))
    return frame[outcomes]


def _frame_of_mapping(labels: Mapping[str, Any]) -> pd.DataFrame:
    import pandas as pd

    given = [value.tolist() if isinstance(value, np.ndarray) else value for value in labels.values()]
    several = [isinstance(value, list | tuple) for value in given]
    lengths = {len(value) for value, is_list in zip(given, several, strict=True) if is_list}
    if any(several) and not (all(several) and len(lengths) == 1 and lengths != {0}):
        raise DatasetError("Slides have different numbers of labels.", mend="Give each slide as many.")
    rows = [list(value) if any(several) else [value] for value in given]
    names = ["label"] if not any(several) else [f"label {number}" for number in range(1, min(lengths) + 1)]
    # Kinds are found by the values of a column, not by all at once, which would make floats of integers.
    columns = {name: pd.Series([row[place] for row in rows], dtype=object) for place, name in enumerate(names)}
    return pd.DataFrame(columns).set_axis(pd.Index([settle_name(slide) for slide in labels], dtype=object), axis=0)


def _of_labels(labels: Mapping[str, Any], unique: Any, table: TilePlaces, use_float: UseFloat) -> TileLabels:
    """What `Dataset.labels` gives: slide to label, and the classes in the order of their indices."""
    if isinstance(unique, list | tuple) and any(isinstance(label, str) for label in labels.values()):
        places = {name: place for place, name in enumerate(unique)}
        labels = {slide: None if label is None else places.get(label, len(unique)) for slide, label in labels.items()}
    found = _of_slides(_frame_of_mapping(labels), table, use_float)
    if found.classes is not None or found.num_classes is None or not isinstance(unique, list | tuple):
        return found
    if found.num_classes > len(unique):
        raise DatasetError(
            f"Labels are of more classes than the {len(unique)} that are named.",
            mend="Give both as Dataset.labels returns them, or the dict alone.",
        )
    classes = tuple(str(name) for name in unique)
    return replace(found, classes=classes, num_classes=len(classes))


def _of_columns(columns: list[str], table: TilePlaces, annotations: Annotations, use_float: UseFloat) -> TileLabels:
    import pandas as pd

    if not columns:
        raise DatasetError("labels= names no column.", mend="Give a column, or None for no labels.")
    if not all(isinstance(column, str) for column in columns):
        raise DatasetError(
            "Labels in a list must be names of columns.", mend="Give columns, or slide to label as a dict."
        )
    texts = {
        column: {settle_name(slide): text for slide, text in annotations.column(column).items()} for column in columns
    }
    present = {settle_name(slide) for slide in table.slides}
    for column, cells in texts.items():
        if blank := sorted(slide for slide, text in cells.items() if not text and slide in present):
            raise say_blank(column, blank, annotations.path)
    kinds = {
        column: are_numbers(cells.values()) if use_float == "auto" else use_float for column, cells in texts.items()
    }
    if use_float == "auto" and (numbers := [column for column in columns if kinds[column]]):
        logger.info("Labels are numbers: %s. use_float=False makes classes of them.", ", ".join(numbers))
    frame = pd.DataFrame({column: pd.Series(cells, dtype=object) for column, cells in texts.items()})
    encoded = {
        column: encode_series(frame[column], kinds[column], what=f"Labels of the column {column!r}")
        for column in columns
    }
    return _by_slide(encoded, frame.index, table)


def _of_slides(frame: pd.DataFrame, table: TilePlaces, use_float: UseFloat) -> TileLabels:
    encoded = {str(name): encode_series(frame[name], use_float, what=f"Labels {name!r}") for name in frame.columns}
    if frame.index.has_duplicates:
        twice = sorted({str(name) for name in frame.index[frame.index.duplicated()]})
        raise DatasetError(f"Slides have two labels: {some_of(twice)}.", mend="Keep one row a slide.")
    return _by_slide(encoded, frame.index, table)


def _by_slide(encoded: Mapping[str, EncodedLabels], slides: pd.Index[Any], table: TilePlaces) -> TileLabels:
    import pandas as pd

    rows = slides.get_indexer(pd.Index([settle_name(slide) for slide in table.slides], dtype=object))
    labels = _take(encoded, rows, per_tile=False)
    if labels.used is not None:
        without = [slide for slide, used in zip(table.slides, labels.used, strict=True) if not used]
        _log_unused(table.slides, labels.used, slides, "slides", some_of(without))
    return labels


def _of_tiles(frame: pd.DataFrame, keys: pd.DataFrame, table: TilePlaces, use_float: UseFloat) -> TileLabels:
    encoded = {str(name): encode_series(frame[name], use_float, what=f"Labels {name!r}") for name in frame.columns}
    values = np.stack([one.values for one in encoded.values()], axis=1)
    if (row := find_conflict(keys, values)) is not None:
        slide, x, y = keys.iloc[row]
        same = (keys == keys.iloc[row]).all(axis=1).to_numpy()
        whole = all(one.known[same].all() for one in encoded.values())
        what = "two different labels" if whole else "a label in one row and none in another"
        raise DatasetError(f"The tile {slide}-{x}-{y} has {what}.", mend="Keep one row a tile.")
    labels = _take(encoded, join_tiles(keys, table), per_tile=True)
    if labels.used is not None:
        tiles, labelled = np.diff(table.starts), np.concatenate([[0], np.cumsum(labels.used)])
        none = (tiles > 0) & (labelled[table.starts[1:]] == labelled[table.starts[:-1]])
        without = [table.slides[number] for number in np.flatnonzero(none)]
        _log_unused(
            table.slides,
            labels.used,
            keys["slide"].drop_duplicates(),
            "tiles",
            f"all of {some_of(without)}" if without else "",
        )
    return labels


def _take(encoded: Mapping[str, EncodedLabels], rows: npt.NDArray[np.int64], *, per_tile: bool) -> TileLabels:
    """Labels in the order of the table; row -1 is none."""
    kinds = {one.values.dtype for one in encoded.values()}
    if len(kinds) > 1:
        numbers = [name for name, one in encoded.items() if one.values.dtype == np.float32]
        raise DatasetError(
            f"Of the outcomes {', '.join(encoded)}, only {', '.join(numbers)} are numbers.",
            mend="Give either numbers or classes; use_float=False takes numbers for names of classes.",
        )
    taken, used = [], rows >= 0
    for one in encoded.values():
        # One more row, without a label, stands at the end: it is what -1 reads.
        nothing = np.array([-1 if one.values.dtype == np.int64 else np.nan], one.values.dtype)
        taken.append(np.concatenate([one.values, nothing])[rows])
        used = used & np.concatenate([one.known, [False]])[rows]
    outcomes = {name: one.classes for name, one in encoded.items()}
    several = len(taken) > 1
    return TileLabels(
        values=np.stack(taken, axis=1) if several else taken[0],
        per_tile=per_tile,
        classes=None if several else next(iter(outcomes.values())),
        used=None if used.all() else used,
        outcomes=outcomes,
        num_classes=None if several else next(iter(encoded.values())).num_classes,
    )


def _log_unused(slides: Sequence[str], used: npt.NDArray[np.bool_], given: Any, word: str, names: str) -> None:
    if not used.any():
        hint = "Tiles are found by their centres: labels must be of the same size of tile and stride. "
        raise DatasetError(
            f"None of the {len(used):,} {word} has a label.",
            mend=f"Slides are named {some_of(slides, 3)}; the labels name {some_of([str(name) for name in given], 3)}. "
            + (f"{hint}If rows are slides, give them in a column slide." if word == "tiles" else ""),
        )
    left_out = int((~used).sum())
    logger.warning(
        "%d of %d %s have no label and are left out%s", left_out, len(used), word, f": {names}." if names else "."
    )
