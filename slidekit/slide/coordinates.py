"""`Coordinates`: the places of one slide that were given, from which tiles are cut instead of from a grid."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from slidekit.errors import SpecError
from slidekit.slide.spec_values import Anchor, Unit
from slidekit.wording import cell_text

__all__ = ["FARTHEST", "Anchor", "Coordinates", "Unit"]

FARTHEST = 1e12
"""Beyond it a number is no place on any slide, in pixels or microns."""


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Places on one slide, in an order that does not depend on how they were listed; build it with `Coordinates.of`.

    Attributes
    ----------
    xy
        (n, 2) float64: x and y from the slide's top-left corner, in `unit`.
    labels
        (n,) of str or None: the label of each place, which goes before that of its region of interest.
    rows
        (n,) int64: which row of the table each place was, from 0.
    unit, anchor
        What `xy` counts, and what of a tile lies there.
    source
        Name of the file, without its folder; what it was otherwise.
    total
        Rows of the whole table, other slides' included.
    """

    xy: npt.NDArray[np.float64]
    labels: npt.NDArray[np.object_]
    rows: npt.NDArray[np.int64]
    unit: Unit = "px"
    anchor: Anchor = "center"
    source: str = ""
    total: int = 0

    @classmethod
    def of(
        cls,
        xy: npt.ArrayLike,
        labels: Sequence[str | None] | npt.NDArray[np.object_] | None = None,
        rows: npt.NDArray[np.int64] | None = None,
        *,
        unit: Unit = "px",
        anchor: Anchor = "center",
        source: str = "an array",
        total: int | None = None,
    ) -> Self:
        """Take places in any order.

        Parameters
        ----------
        xy
            (n, 2) numbers.
        labels, rows, unit, anchor, source, total
            As the attributes; by default no labels, and rows counted as they come.

        Raises
        ------
        SpecError
            If there are not two finite numbers a place, or not one label.
        """
        places = _as_places(xy)
        named = np.full(len(places), None, object)
        if labels is not None:
            if len(labels) != len(places):
                what = f"There are {len(labels)} labels of {len(places)} coordinates."
                raise SpecError(what, mend="Give one a place, or None.")
            named[:] = [(label if isinstance(label, str) else cell_text(label)) or None for label in labels]
        numbers = np.arange(len(places), dtype=np.int64) if rows is None else np.asarray(rows, np.int64)
        order = _settled_order(places, named)
        whole = len(places) if total is None else total
        return cls(places[order], named[order], numbers[order], unit, anchor, source, whole)

    def __len__(self) -> int:
        return len(self.xy)

    def digest(self) -> str:
        """SHA-256 of the places and their labels, whatever the order in which they were listed."""
        made = hashlib.sha256(f"{self.unit} {self.anchor} {len(self)}\n".encode())
        # Negative zero is zero.
        made.update(np.ascontiguousarray(self.xy + 0.0, "<f8").tobytes())
        for label in self.labels:
            made.update(b"\0" if label is None else f"\1{label}\0".encode())
        return made.hexdigest()

    def centres(self, mpp: tuple[float, float], tile_size: tuple[float, float]) -> npt.NDArray[np.float64]:
        """Exact centres of the tiles.

        Parameters
        ----------
        mpp
            µm/px of level 0 along x and y.
        tile_size
            Edges of a tile along x and y, level-0 pixels.

        Returns
        -------
        ndarray (n, 2), float64
            Level-0 pixels.
        """
        places = self.xy / np.array(mpp) if self.unit == "um" else self.xy
        return places + np.array(tile_size) / 2 if self.anchor == "corner" else places


def _as_places(xy: npt.ArrayLike) -> npt.NDArray[np.float64]:
    try:
        found = np.asarray(xy)
    except ValueError as error:  # rows of several lengths
        raise SpecError(f"coordinates are no table: {error}.", mend="Give x and y of each place.") from None
    if found.size == 0:
        return np.empty((0, 2), np.float64)
    if not _holds_numbers(found):
        raise SpecError("coordinates are not numbers.", mend="Give x and y of each place, as numbers and not as text.")
    if found.ndim != 2 or found.shape[1] != 2:
        what = f"coordinates have the shape {found.shape}."
        raise SpecError(what, mend="Give (n, 2): x and y of each place.")
    places = found.astype(np.float64)
    if not (np.abs(places) <= FARTHEST).all():
        raise SpecError("coordinates hold what is no place, such as NaN.", mend="Remove it, or correct it.")
    return places


def _holds_numbers(values: npt.NDArray[Any]) -> bool:
    """Whether these are real numbers, also of a column of a data frame that once held something else."""
    if values.dtype.kind == "O":
        return all(isinstance(value, Real) and not isinstance(value, bool) for value in values.flat)
    return values.dtype.kind in "iuf"


def _settled_order(xy: npt.NDArray[np.float64], labels: npt.NDArray[np.object_]) -> npt.NDArray[np.int64]:
    """By y, then x, then label; at one place what has no label comes last."""
    unlabelled = np.array([label is None for label in labels], np.bool_)
    _, codes = np.unique(np.array(["" if label is None else label for label in labels], str), return_inverse=True)
    return np.lexsort((codes, unlabelled, xy[:, 0], xy[:, 1]))
