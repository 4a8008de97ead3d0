"""Tiles of a TFRecord file by their place on the slide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from slidekit.errors import RecordError
from slidekit.io.record_file import check_place
from slidekit.io.record_table import RecordTable
from slidekit.io.tfrecord import TileRecord, read_record_at

__all__ = ["has_locations", "locations_of", "record_at"]


def locations_of(path: Path) -> npt.NDArray[np.int64]:
    """Centres of the tiles, (n, 2) int64 in level-0 pixels, in the order of the file; (0, 0) where not known.

    Raises
    ------
    RecordError
        If there is no usable index, and the file is damaged or cannot be read.
    """
    return RecordTable.open([path]).locations


def has_locations(path: Path) -> bool:
    """Whether a file says where its tiles are: no tile has its centre at (0, 0)."""
    locations = locations_of(path)
    return len(locations) == 0 or bool(locations.any(axis=1).all())


def record_at(path: Path, location: tuple[int, int]) -> TileRecord:
    """Read the tile at a place, the first if there are several.

    Parameters
    ----------
    path
        TFRecord file.
    location
        The tile's centre, level-0 pixels.

    Raises
    ------
    RecordError
        If there is none, with the nearest; or the record is damaged, or says another place than the index.
    """
    table = RecordTable.open([path])
    places = np.flatnonzero((table.locations == np.asarray(location, np.int64)).all(axis=1))
    if not len(places):
        raise RecordError(f"has no tile at {tuple(location)}.", mend=_nearest(table.locations, location), path=path)
    record = read_record_at(path, int(table.extents_of(places[:1])[0, 1]))
    check_place(record, location, path)
    return record


def _nearest(locations: npt.NDArray[np.int64], location: tuple[int, int]) -> str:
    if not len(locations):
        return "The file is empty."
    distances = np.abs(locations.astype(np.float64) - np.asarray(location, np.float64)).max(axis=1)
    x, y = locations[int(distances.argmin())]
    return f"The nearest is at ({x}, {y}); centres are in level-0 pixels, (x, y)."
