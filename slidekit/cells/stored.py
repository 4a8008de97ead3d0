"""What a store of cells holds, read when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from slidekit.cells.facts import CellFacts
from slidekit.cells.found import CellTable
from slidekit.cells.region import painted_region, stored_region
from slidekit.cells.store import UNREADABLE, say_damaged
from slidekit.cells.values import whole_number
from slidekit.cells.windows import CellFrame, PixelBox
from slidekit.errors import CellError, SpecError

if TYPE_CHECKING:
    import pandas as pd
    import zarr

    from slidekit.cells.tile_cells import CellsAsTiles

__all__ = ["StoredCells"]

_ROWS = 1 << 16
"""Cells that are read together: whole chunks."""

_ORDER = (
    *("x", "y", "area_um2", "eccentricity", "major_um", "minor_um"),
    *("red", "green", "blue", "hematoxylin", "eosin", "left", "top", "right", "bottom", "class"),
)


class StoredCells:
    """The cells of a slide in a store; cell k (from 1) is row k − 1 of everything.

    Parameters
    ----------
    group
        Their store.
    facts
        What stands in its attributes.
    count
        Number of cells.
    path
        Folder of the store; None where it is in memory.
    """

    def __init__(self, group: zarr.Group, facts: CellFacts, count: int, path: Path | None = None) -> None:
        self._group = group
        self._count = count
        self._names: tuple[str, ...] | None = None
        self.facts = facts
        self.path = path

    # --- what they are -----------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Number of cells."""
        return self._count

    @property
    def slide(self) -> str:
        """Name of the slide."""
        return self.facts.slide

    @property
    def dimensions(self) -> tuple[int, int]:
        """Width and height of level 0, pixels."""
        return self.facts.dimensions

    @property
    def frame(self) -> CellFrame:
        """The pixels of the masks."""
        return self.facts.frame

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the masks."""
        return self.frame.rows, self.frame.columns

    @property
    def mpp(self) -> float:
        """µm/px of the masks, along x."""
        return self.frame.mpp[0]

    @property
    def parameters(self) -> dict[str, Any]:
        """``name`` and parameters of the method that found the cells."""
        return dict(self.facts.method)

    @property
    def problems(self) -> tuple[str, ...]:
        """What went wrong on the way, for a person to read."""
        return self.facts.problems

    @property
    def classes(self) -> tuple[str | None, ...] | None:
        """Class of each cell; None where cells have no classes."""
        if "class" not in self.columns:
            return None
        names = (*self.facts.classes, None)
        return tuple(names[int(code)] for code in self.column("class").tolist())

    # --- pixels ------------------------------------------------------------------------------------------------

    @property
    def masks(self) -> zarr.Array[Any] | None:
        """Label image (rows, columns), uint32, 0 is background, k cell k; read from the store where it is sliced.

        None where cells came from elsewhere: `region` serves in both cases.
        """
        return self._group["masks"] if self.facts.has_masks else None  # type: ignore[return-value]

    def region(
        self, x: float, y: float, width: float, height: float, columns: int, rows: int
    ) -> npt.NDArray[np.uint32]:
        """Labels of a rectangle of the slide at any resolution, by nearest neighbour.

        Parameters
        ----------
        x, y, width, height
            The rectangle, level-0 pixels; it may reach beyond the slide.
        columns, rows
            Size of the image.

        Returns
        -------
        ndarray (rows, columns), uint32

        Raises
        ------
        CellError
            If only centroids of the cells are known.
        SpecError
            If the rectangle or the image is empty.
        """
        if not (width > 0 and height > 0 and columns > 0 and rows > 0):
            raise SpecError("A region without area has no labels.", mend="Give a size of more than 0.")
        if not np.isfinite([x, y, width, height]).all():
            raise SpecError(f"A region at ({x}, {y}) is nowhere.", mend="Give finite numbers, level-0 pixels.")
        columns, rows = whole_number("columns", columns), whole_number("rows", rows)
        if self.masks is not None:
            return stored_region(self, (x, y, width, height), (columns, rows))
        if not self.facts.has_outlines:
            what = f"Of the cells of {self.slide} only the centroids are known."
            raise CellError(what, mend="Import outlines, or segment the slide.")
        return painted_region(self, (x, y, width, height), (columns, rows))

    def labels_in(self, box: PixelBox) -> npt.NDArray[np.uint32]:
        """A part of the masks, in their pixels.

        Raises
        ------
        CellError
            If there are no masks, or they cannot be decoded.
        """
        if not self.facts.has_masks:
            raise CellError(f"There are no masks of the cells of {self.slide}.", mend="Use region, which paints them.")
        return self._array("masks", (slice(box.top, box.bottom), slice(box.left, box.right)))

    # --- places and measures -----------------------------------------------------------------------------------

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of what is measured, in the order of `table`: slidekit's own, then other programs' measures."""
        if self._names is None:
            there = {str(name) for name in self._group["table"]}  # type: ignore[union-attr]
            own = tuple(name for name in _ORDER if name in there)
            self._names = (*own, *sorted(there - set(own)))
        return self._names

    def column(self, name: str, rows: slice = slice(None)) -> npt.NDArray[np.float64]:
        """One measure of all cells, or of some rows, (n,)."""
        return self._array(f"table/{name}", rows)

    def centroids(self, level0: bool = True) -> npt.NDArray[np.float64]:
        """Centroids (n, 2) as (x, y): level-0 pixels, or pixels of the masks; pixel (0, 0) has its centre at 0.5."""
        places = np.stack([self.column("x"), self.column("y")], axis=1)
        return places if level0 else np.asarray(places / np.array(self.frame.pixel))

    @property
    def outlines(self) -> list[npt.NDArray[np.float64]]:
        """Outline of each cell, (k, 2) in level-0 pixels, the first place not repeated at its end.

        Raises
        ------
        CellError
            If only centroids are known.
        """
        if not self.facts.has_outlines:
            what = f"Of the cells of {self.slide} only the centroids are known."
            raise CellError(what, mend="Import outlines, or segment the slide.")
        return [outline.astype(np.float64) for part in self.parts() for outline in part.outlines()]

    @property
    def table(self) -> pd.DataFrame:
        """A row a cell: ``id`` (its number in the masks) and `columns`; lengths in µm, places in level-0 pixels."""
        import pandas as pd

        table = pd.DataFrame({name: self.column(name) for name in self.columns if name != "class"})
        table.insert(0, "id", np.arange(1, len(self) + 1))
        if (classes := self.classes) is not None:
            table["class"] = pd.Series(classes, dtype="object")
        return table

    def for_tiles(self, apply_masks: bool) -> CellsAsTiles:
        """The cells as tiles are cut around them, as `WSI.extract_cells` wants them.

        Parameters
        ----------
        apply_masks
            Whether what is not the cell is black.

        Raises
        ------
        CellError
            If masks are to be applied and only centroids are known.
        """
        from slidekit.cells.tile_cells import CellsAsTiles

        return CellsAsTiles(self, apply_masks)

    def parts(self) -> Iterator[CellTable]:
        """Measures and outlines of all cells, some ten thousand at a time."""
        counts = np.zeros(len(self), np.int64)
        if self.facts.has_outlines:
            counts = self._array("outlines/counts", slice(None))
        ends = np.concatenate([[0], np.cumsum(counts)]).tolist()
        for first in range(0, max(1, len(self)), _ROWS):
            rows = slice(first, min(first + _ROWS, len(self)))
            vertices = np.empty((0, 2), np.float32)
            if self.facts.has_outlines:
                vertices = self._array("outlines/vertices", slice(ends[rows.start], ends[rows.stop]))
            columns = {name: self.column(name, rows) for name in self.columns}
            yield CellTable(columns, vertices, counts[rows])

    def _array(self, name: str, part: slice | tuple[slice, ...]) -> npt.NDArray[Any]:
        try:
            return np.asarray(self._group[name][part])  # type: ignore[index]
        except UNREADABLE as error:
            raise say_damaged(self.path, f"{name}: {type(error).__name__}: {error}") from error
