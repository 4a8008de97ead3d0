"""TFRecords split into what lies inside and outside of the regions of interest."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from slidekit.errors import MissingROIError, RecordError
from slidekit.io.tfrecord import TileRecord, iter_records
from slidekit.record_tools.batch import for_each
from slidekit.record_tools.indexing import write_manifest
from slidekit.record_tools.writing import RecordWriter, check_destination
from slidekit.slide.grid import Grid
from slidekit.slide.roi import select_cells
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.wsi import WSI

__all__ = ["ROISplit", "split_by_roi"]

_STRIDE_DIVS = (1, 2, 3, 4)
"""Strides at which the exact place of a tile is looked for."""


@dataclass(frozen=True)
class ROISplit:
    """One slide to split.

    Attributes
    ----------
    records
        Its TFRecord file.
    slide
        File of the slide, which says how many pixels a tile has, and what coordinates of regions are relative to.
    rois
        Its file of regions of interest.
    mpp
        µm/px from the annotations.
    """

    records: Path
    slide: Path
    rois: Path
    mpp: float | None = None


def split_by_roi(
    splits: Sequence[ROISplit],
    inside: Path,
    outside: Path,
    spec: ExtractionSpec,
    *,
    overwrite: bool = False,
    num_workers: int | None = None,
) -> dict[str, tuple[int, int]]:
    """Write the records of each slide into two folders, with indexes and manifests; each record into one of them.

    Parameters
    ----------
    splits
        The slides.
    inside, outside
        Folders for tiles inside of the regions and for all others.
    spec
        Size of tile, `roi_filter_method`, `roi_origin` and `mpp`. By ``center`` a tile is inside if its centre is in a
        region or on its boundary; by a share f if more than f of its area is in the union of the regions.
    overwrite
        Whether files of these names are replaced, by nothing where there is no tile for one.
    num_workers
        Threads; one a core by default.

    Returns
    -------
    dict
        Slide to its number of tiles inside and outside; where there are none there is no file.

    Raises
    ------
    SlidekitError
        If a file exists; or a slide, its regions or its records cannot be used, when all others are finished.
    """
    check_destination([folder / s.records.name for s in splits for folder in (inside, outside)], overwrite=overwrite)

    def work(split: ROISplit) -> tuple[int, int]:
        taken = _inside(split, spec)
        return _copy(split.records, taken, (inside, outside), overwrite=overwrite)

    def finish(done: Sequence[object]) -> None:
        for folder in (inside, outside):
            if done and folder.is_dir():
                write_manifest(folder)

    counts = for_each(work, splits, name=lambda split: split.records.stem, num_workers=num_workers, after=finish)
    return {split.records.stem: count for split, count in zip(splits, counts, strict=True)}


def _inside(split: ROISplit, spec: ExtractionSpec) -> npt.NDArray[np.bool_]:
    """Whether each tile, in the order of the file, is inside of the regions."""
    cells, locations = _cells(split.records)
    if not locations.any(axis=1).all():
        what = "has tiles that do not say where they are."
        raise RecordError(what, mend="Extract the slide again.", path=split.records)
    with WSI.from_spec(split.slide, spec, rois=split.rois, annotated_mpp=split.mpp) as slide:
        grid, rois = slide.grid, slide.rois
    if not rois:
        raise MissingROIError("The file holds no regions.", mend="Draw some, or remove the file.", path=split.rois)
    corners = [exact_corners(cells[:, axis], locations[:, axis], grid, axis) for axis in (0, 1)]
    boxes = np.stack([*corners, corners[0] + grid.tile_width, corners[1] + grid.tile_height], axis=1)
    method: Literal["center"] | float = spec.roi_filter_method
    return select_cells(rois, boxes, method="inside", filter_method=method).inside


def _cells(path: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Cell of the grid (−1 where it is not known) and location of each record, (n, 2) each."""
    cells, locations = array("q"), array("q")
    for _, payload in iter_records(path):
        record = TileRecord.decode(payload, path=path)
        known = record.grid_x is not None and record.grid_y is not None
        cells.extend((record.grid_x or 0, record.grid_y or 0) if known else (-1, -1))
        locations.extend((record.loc_x, record.loc_y))
    return np.array(cells, np.int64).reshape(-1, 2), np.array(locations, np.int64).reshape(-1, 2)


def exact_corners(
    cells: npt.NDArray[np.int64], locations: npt.NDArray[np.int64], grid: Grid, axis: int
) -> npt.NDArray[np.float64]:
    """Where tiles begin along an axis, level-0 pixels.

    Records hold centres rounded down. Where the cell of the grid leads to the same number the exact place is that of
    the cell, as it was when the tile was extracted; else the middle of the pixel's whole number is all that is known.

    Parameters
    ----------
    cells
        (n,) cells along the axis; −1 where they are not known.
    locations
        (n,) centres along the axis.
    grid
        Geometry of the tiles.
    axis
        0 for x, 1 for y.
    """
    size = (grid.tile_width, grid.tile_height)[axis]
    corners = np.asarray(locations - size / 2, np.float64)
    known = np.zeros(len(cells), np.bool_)
    for stride_div in _STRIDE_DIVS:
        exact = cells * (size / stride_div)
        fits = ~known & (cells >= 0) & (np.floor(exact + size / 2 + 1e-9) == locations)
        corners[fits] = exact[fits]
        known |= fits
    return corners


def _copy(
    source: Path, taken: npt.NDArray[np.bool_], folders: tuple[Path, Path], *, overwrite: bool
) -> tuple[int, int]:
    """Copy every record, as it is, into one of two files."""
    with ExitStack() as stack:
        # What an earlier split has left must not stay where all tiles are on the other side now.
        inside, outside = (
            stack.enter_context(RecordWriter(folder / source.name, overwrite=overwrite, by_nothing=True))
            for folder in folders
        )
        for inside_of, (_, payload) in zip(taken, iter_records(source), strict=True):
            record = TileRecord.decode(payload, path=source)
            (inside if inside_of else outside).append(payload, (record.loc_x, record.loc_y))
    return len(inside), len(outside)
