"""`Segmentation`: the cells of a slide, read from disk when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
import shapely

from slidekit.cells.copying import copy_cells
from slidekit.cells.facts import CellFacts
from slidekit.cells.filed import FiledCells
from slidekit.cells.found import CellTable
from slidekit.cells.given import (
    both_mpp,
    checked_measures,
    given_centroids,
    given_facts,
    given_outlines,
    numbered_classes,
)
from slidekit.cells.store import new_group, open_group, ready_dest, saved_group, store_path
from slidekit.cells.writing import StoreWriter
from slidekit.errors import SpecError
from slidekit.slide.roi import ROI, ROISet, load_rois

if TYPE_CHECKING:
    import zarr

__all__ = ["Segmentation"]


class Segmentation(FiledCells):
    """The cells of a slide: label image, outlines, centroids and measures.

    Cell k (from 1) is row k − 1 of everything. `segment_slide` makes one, `open` reads one back; neither reads more
    than is asked for.

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

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open what `save`, or `segment_slide` with `dest`, wrote.

        Raises
        ------
        CellError
            If there are no cells of slidekit's, or some of their files are missing or cut off.
        MissingExtraError
            If zarr is not installed.
        """
        path = Path(path).expanduser()
        group, facts, count = open_group(path)
        return cls(group, facts, count, path)

    @classmethod
    def from_outlines(
        cls,
        slide: str,
        outlines: Sequence[npt.ArrayLike],
        *,
        dimensions: tuple[int, int],
        slide_mpp: float | tuple[float, float],
        mpp: float = 0.5,
        classes: Sequence[str | None] | None = None,
        measures: Mapping[str, npt.NDArray[np.float64]] | None = None,
        source: str = "outlines",
    ) -> Self:
        """Cells that another program has found; there are no masks, `region` paints the outlines.

        Parameters
        ----------
        slide
            Name of the slide.
        outlines
            (k, 2) each, level-0 pixels, at least three places.
        dimensions
            Width and height of level 0, pixels.
        slide_mpp
            µm/px of level 0, or along x and y.
        mpp
            µm/px of the frame that `mpp` and `shape` tell of.
        classes
            Class of each cell, or None.
        measures
            Name of a further measure (letters, digits, ``_``) to its values, (n,); NaN for none.
        source
            Stands as ``name`` in `parameters`.

        Raises
        ------
        CellError
            If an outline is none.
        """
        cells = given_outlines(outlines, both_mpp(slide_mpp))
        return cls._given(cells, given_facts(slide, dimensions, slide_mpp, mpp, source), classes, measures)

    @classmethod
    def from_centroids(
        cls,
        slide: str,
        centroids: npt.ArrayLike,
        *,
        dimensions: tuple[int, int],
        slide_mpp: float | tuple[float, float],
        mpp: float = 0.5,
        classes: Sequence[str | None] | None = None,
        measures: Mapping[str, npt.NDArray[np.float64]] | None = None,
        source: str = "centroids",
    ) -> Self:
        """Cells of which only the places are known, (n, 2) in level-0 pixels; otherwise as `from_outlines`.

        Raises
        ------
        CellError
            If places are no finite numbers.
        """
        facts = replace(given_facts(slide, dimensions, slide_mpp, mpp, source), has_outlines=False)
        return cls._given(given_centroids(centroids), facts, classes, measures)

    @classmethod
    def _given(
        cls,
        cells: CellTable,
        facts: CellFacts,
        classes: Sequence[str | None] | None,
        measures: Mapping[str, npt.NDArray[np.float64]] | None,
    ) -> Self:
        cells.columns.update(checked_measures(measures or {}, len(cells)))
        if classes is not None:
            codes, names = numbered_classes(classes, len(cells))
            cells.columns["class"] = codes
            facts = replace(facts, classes=names)
        group = new_group()
        writer = StoreWriter(group, facts)
        writer.add(cells)
        writer.finish(facts)
        return cls(group, facts, len(cells))

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the cells to disk; the folder takes its name when it is complete.

        Parameters
        ----------
        path
            A folder whose name ends in ``.zarr``, or a folder that gets ``{slide}.cells.zarr``; it is made.
        overwrite
            Replace cells that slidekit has written there.

        Returns
        -------
        Path
            The store.

        Raises
        ------
        CellError
            If something stands there that may not be replaced.
        """
        dest = store_path(path, self.slide)
        ready_dest(dest, overwrite=overwrite)
        self._copied(None, saved_group(dest, overwrite=overwrite))
        return dest

    def _copied(
        self, keep: npt.NDArray[np.bool_] | None, target: AbstractContextManager[zarr.Group]
    ) -> tuple[zarr.Group, int]:
        with target as group:
            writer = StoreWriter(group, self.facts)
            copy_cells(self, writer, keep)
            writer.finish(self.facts)
        return group, writer.count

    # --- choosing ----------------------------------------------------------------------------------------------

    def filter(self, **limits: float) -> Segmentation:
        """Those cells whose measures are within limits, numbered anew; kept in memory, compressed.

        Parameters
        ----------
        **limits
            ``min_`` or ``max_`` and the name of a column, such as ``min_area_um2=10``; both are inclusive.

        Raises
        ------
        SpecError
            If there is no such column, or a limit is no number.
        """
        keep = np.ones(len(self), np.bool_)
        for name, limit in limits.items():
            kind, _, column = name.partition("_")
            if kind not in ("min", "max") or column not in self.columns:
                known = ", ".join(self.columns)
                raise SpecError(f"{name} limits nothing.", mend=f"Give min_ or max_ and one of {known}.")
            if isinstance(limit, bool) or not isinstance(limit, int | float | np.number) or np.isnan(limit):
                raise SpecError(f"{name}={limit!r} is no number.", mend="Give one.")
            values = self.column(column)
            keep &= values >= limit if kind == "min" else values <= limit
        return self.take(keep)

    def apply_rois(self, rois: ROISet | Sequence[ROI] | str | Path, *, outside: bool = False) -> Segmentation:
        """Those cells whose centroids lie in regions of interest (or on their edge), or outside of all.

        Parameters
        ----------
        rois
            Regions, or a file of them.
        outside
            Take the others.

        Raises
        ------
        ROIError
            If the file cannot be used.
        """
        if isinstance(rois, str | Path):
            rois = load_rois(rois, slide_size=self.dimensions)
        inside = np.zeros(len(self), np.bool_)
        polygons = [roi.polygon for roi in rois]
        if polygons:
            hit, _ = shapely.STRtree(polygons).query(shapely.points(self.centroids()), predicate="intersects")
            inside[hit] = True
        return self.take(~inside if outside else inside)

    def take(self, keep: npt.NDArray[np.bool_]) -> Segmentation:
        """Those cells that an array (n,) of bool chooses, numbered anew."""
        keep = np.asarray(keep)
        if keep.shape != (len(self),) or keep.dtype != np.bool_:
            raise SpecError(f"{keep.dtype} of {keep.shape} chooses no cells.", mend=f"Give {len(self)} bools.")
        group, count = self._copied(keep, nullcontext(new_group()))
        return type(self)(group, self.facts, count)

    def __repr__(self) -> str:
        rows, columns = self.shape
        return f"Segmentation({self.slide!r}, {len(self)} cells, {columns} × {rows} px at {self.mpp:.4g} µm/px)"
