"""Which row of a table of tiles belongs to which tile of the TFRecords: a join on slide and centre, by arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from slidekit.collection.names import settle_name
from slidekit.collection.tile_names import parse_tile_names
from slidekit.errors import DatasetError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TilePlaces", "find_conflict", "join_tiles", "slide_names", "tile_keys"]

_FARTHEST = 2.0**53
"""Where floats stop to tell whole numbers apart."""


class TilePlaces(Protocol):
    """Where tiles are, as `slidekit.io.record_table.RecordTable` knows it."""

    @property
    def slides(self) -> tuple[str, ...]:
        """Slide of each file."""

    @property
    def starts(self) -> npt.NDArray[np.int64]:
        """(files + 1,): tiles of file k have the numbers ``starts[k]`` to ``starts[k + 1] - 1``."""

    @property
    def locations(self) -> npt.NDArray[np.int64]:
        """(n, 2) centres in level-0 pixels; zeros where unknown."""


def tile_keys(frame: pd.DataFrame) -> pd.DataFrame | None:
    """Slide and centre of the rows of a table of tiles.

    Parameters
    ----------
    frame
        With columns ``slide``, ``loc_x``, ``loc_y``, or with the index ``{slide}-{loc_x}-{loc_y}``; a column ``slide``
        that says otherwise is believed: then rows are slides.

    Returns
    -------
    DataFrame or None
        Columns slide (text), loc_x and loc_y (int64); None if the table does not say what its rows are.

    Raises
    ------
    DatasetError
        If a centre is not a whole number.
    """
    import pandas as pd

    if {"slide", "loc_x", "loc_y"} <= set(frame.columns):
        keys = pd.DataFrame({"slide": slide_names(frame["slide"])})
        for column in ("loc_x", "loc_y"):
            numbers = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
            if not (np.abs(numbers) < _FARTHEST).all() or not np.array_equal(numbers, np.floor(numbers)):
                raise DatasetError(
                    f"The column {column!r} of the labels holds what is no whole number.",
                    mend="Give the tiles' centres in level-0 pixels.",
                )
            keys[column] = numbers.astype(np.int64)
        return keys.reset_index(drop=True)
    index = frame.index.astype(object) if isinstance(frame.index.dtype, pd.CategoricalDtype) else frame.index
    if not len(frame) or not pd.api.types.is_string_dtype(index.dtype):
        return None
    parts = parse_tile_names(index.tolist())
    if parts is None:
        return None
    slides = slide_names(pd.Series(parts[0], dtype=object))
    if "slide" in frame.columns and not np.array_equal(slides, slide_names(frame["slide"])):
        return None
    return pd.DataFrame({"slide": slides, "loc_x": parts[1], "loc_y": parts[2]})


def slide_names(values: pd.Series[Any] | pd.Index[Any]) -> npt.NDArray[np.object_]:
    """Names of slides as they are compared, of texts or numbers: an array of text of the same length."""
    import pandas as pd

    codes, found = pd.factorize(values, use_na_sentinel=True)
    names: npt.NDArray[np.object_] = np.array([*(settle_name(value) for value in found), ""], dtype=object)[codes]
    return names


def join_tiles(keys: pd.DataFrame, places: TilePlaces) -> npt.NDArray[np.int64]:
    """Find the row of each tile.

    Parameters
    ----------
    keys
        As `tile_keys` gives it; several rows may be of one tile, of which the first is found.
    places
        The tiles. One at (0, 0), which is no centre, is at an unknown place and has no row.

    Returns
    -------
    ndarray (tiles,), int64
        Number of the row of `keys`; -1 where there is none.
    """
    import pandas as pd

    tiles = len(places.locations)
    rows = np.full(tiles, -1, np.int64)
    if not tiles or not len(keys):
        return rows
    counts = np.diff(places.starts)
    files = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    x, y = places.locations[:, 0], places.locations[:, 1]
    (low_x, high_x), (low_y, high_y) = ((int(axis.min()), int(axis.max())) for axis in (x, y))
    present = pd.Index([settle_name(slide) for slide in places.slides], dtype=object)
    given_file = present.get_indexer(pd.Index(keys["slide"], dtype=object))
    given_x, given_y = (keys[name].to_numpy() for name in ("loc_x", "loc_y"))
    inside = (given_file >= 0) & (given_x >= low_x) & (given_x <= high_x) & (given_y >= low_y) & (given_y <= high_y)
    given = np.flatnonzero(inside)
    wide, high = high_x - low_x + 1, high_y - low_y + 1
    if len(counts) * wide * high >= 1 << 63:
        raise DatasetError(
            f"Tiles lie at {low_x} to {high_x}, {low_y} to {high_y}, which no slide has.",
            mend="Rebuild the indexes of the TFRecords.",
        )
    key = (files * wide + (x - low_x)) * high + (y - low_y)
    given_key = (given_file[given] * wide + (given_x[given] - low_x)) * high + (given_y[given] - low_y)
    unique, first = np.unique(given_key, return_index=True)
    if not len(unique):
        return rows
    spot = np.minimum(np.searchsorted(unique, key), len(unique) - 1)
    hit = (unique[spot] == key) & ((x != 0) | (y != 0))
    rows[hit] = given[first[spot[hit]]]
    return rows


def find_conflict(keys: pd.DataFrame, values: npt.NDArray[Any]) -> int | None:
    """Row of a tile that stands there before with other values; None if there is none.

    Parameters
    ----------
    keys
        As `tile_keys` gives it.
    values
        (n,) or (n, k), one row each.
    """
    import pandas as pd

    repeated = keys.duplicated(keep=False).to_numpy()
    if not repeated.any():
        return None
    table = keys[repeated].copy()
    columns = values[repeated].reshape(len(table), -1)
    for number in range(columns.shape[1]):
        table[f"value {number}"] = columns[:, number]
    # What is left after equal rows are one stands for tiles with several values.
    different = table.drop_duplicates()
    twice = different.duplicated(list(keys.columns))
    return None if not twice.any() else int(pd.Index(different.index[twice.to_numpy()])[0])
