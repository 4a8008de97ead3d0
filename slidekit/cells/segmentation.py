"""`Segmentation`: the cells of a slide, read from disk when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import numpy.typing as npt
import shapely

from slidekit.cells.copying import copy_cells
from slidekit.cells.facts import CellFacts
from slidekit.cells.files import write_csv, write_geojson
from slidekit.cells.found import CellTable
from slidekit.cells.given import checked_measures, given_centroids, given_outlines, numbered_classes
from slidekit.cells.store import StoreWriter, new_group, open_group, saved_group, store_path
from slidekit.cells.stored import StoredCells
from slidekit.cells.windows import CellFrame
from slidekit.errors import CellError, SpecError
from slidekit.slide.roi import ROI, ROISet, load_rois

if TYPE_CHECKING:
    import pandas as pd
    import zarr

__all__ = ["Segmentation"]


class Segmentation(StoredCells):
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
            If there are no cells of slidekit's.
        MissingExtraError
            If zarr is not installed.
        """
        path = Path(path)
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
        cells = given_outlines(outlines, _both(slide_mpp))
        return cls._given(cells, _facts(slide, dimensions, slide_mpp, mpp, source), classes, measures)

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
        facts = replace(_facts(slide, dimensions, slide_mpp, mpp, source), has_outlines=False)
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
            A folder whose name ends in ``.zarr``, or a folder that gets ``{slide}.cells.zarr``.
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
            If there is no such column.
        """
        keep = np.ones(len(self), np.bool_)
        for name, limit in limits.items():
            kind, _, column = name.partition("_")
            if kind not in ("min", "max") or column not in self.columns:
                known = ", ".join(self.columns)
                raise SpecError(f"{name} limits nothing.", mend=f"Give min_ or max_ and one of {known}.")
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
        if keep.shape != (len(self),) or keep.dtype != np.bool_:
            raise SpecError(f"{keep.dtype} of {keep.shape} chooses no cells.", mend=f"Give {len(self)} bools.")
        group, count = self._copied(keep, nullcontext(new_group()))
        return type(self)(group, self.facts, count)

    # --- files -------------------------------------------------------------------------------------------------

    def to_geojson(
        self,
        path: str | Path,
        kind: Literal["outlines", "centroids"] = "outlines",
        classes: Sequence[str | None] | Callable[[pd.DataFrame], Sequence[str | None]] | None = None,
        *,
        bounds_origin: tuple[float, float] | None = None,
    ) -> Path:
        """Write detections that QuPath opens: drop the file on the slide, or *File › Import objects from file*.

        Parameters
        ----------
        path
            File to write; an existing one is replaced, in one step.
        kind
            ``outlines``: polygons; ``centroids``: points.
        classes
            Class of each cell, or a function of `table` that says it; by default the cells' own.
        bounds_origin
            ``openslide.bounds-x``, ``openslide.bounds-y`` of the slide, where QuPath's pixel (0, 0) lies; by default as
            the slide's file said.

        Raises
        ------
        SpecError
            If `kind` is unknown, or there are not as many classes as cells.
        CellError
            If outlines are asked for and only centroids are known.
        """
        if kind not in ("outlines", "centroids"):
            raise SpecError(f"kind={kind!r} is unknown.", mend="Use outlines or centroids.")
        if kind == "outlines" and not self.facts.has_outlines:
            what = f"Of the cells of {self.slide} only the centroids are known."
            raise CellError(what, mend='Use kind="centroids".')
        named = self.classes if classes is None else classes(self.table) if callable(classes) else classes
        if named is not None and len(named) != len(self):
            raise SpecError(f"{len(named)} classes for {len(self)} cells.", mend="Give one for each.")
        origin = self.facts.bounds_origin if bounds_origin is None else bounds_origin
        write_geojson(Path(path), self.parts(), kind, named, origin)
        return Path(path)

    def to_csv(self, path: str | Path) -> Path:
        """Write `table` as CSV; an existing file is replaced, in one step."""
        write_csv(Path(path), self.parts(), self.facts.classes)
        return Path(path)

    def __repr__(self) -> str:
        rows, columns = self.shape
        return f"Segmentation({self.slide!r}, {len(self)} cells, {columns} × {rows} px at {self.mpp:.4g} µm/px)"


def _both(mpp: float | tuple[float, float]) -> tuple[float, float]:
    both = mpp if isinstance(mpp, tuple) else (mpp, mpp)
    if not all(0 < value < np.inf for value in both):
        raise SpecError(f"slide_mpp={mpp!r} makes no sense.", mend="Give µm/px of level 0, such as 0.25.")
    return float(both[0]), float(both[1])


def _facts(
    slide: str, dimensions: tuple[int, int], slide_mpp: float | tuple[float, float], mpp: float, source: str
) -> CellFacts:
    both = _both(slide_mpp)
    if not 0 < mpp < np.inf or min(dimensions) < 1:
        raise SpecError(f"mpp={mpp!r}, dimensions={dimensions!r} make no sense.", mend="Give positive numbers.")
    frame = CellFrame.at(mpp, dimensions, both)
    return CellFacts(slide, dimensions, both, (frame.columns, frame.rows), method={"name": source}, has_masks=False)
