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
from slidekit.io.spec_file import spec_value
from slidekit.io.tfrecord import TileRecord, iter_records
from slidekit.record_tools.batch import check_stop, for_each
from slidekit.record_tools.destination import check_destination, check_sources, writing_into
from slidekit.record_tools.indexing import write_manifest
from slidekit.record_tools.writing import RecordWriter, publish_together
from slidekit.slide.grid import CellGrid
from slidekit.slide.roi import select_cells
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.wsi import WSI

__all__ = ["ROISplit", "split_by_roi"]

_STRIDE_DIVS = range(1, 33)
"""Strides at which the exact places of tiles are looked for, where no spec of an extraction says which it was."""


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
    SpecError
        Before any work, if a file to be written is one of those that are read.
    SlidekitError
        If a file exists; or a slide, its regions or its records cannot be used, when all others are finished.
    """
    pairs = [(s.records, folder / s.records.name) for s in splits for folder in (inside, outside)]
    check_sources(pairs)
    check_destination([dest for _, dest in pairs], overwrite=overwrite)

    def work(split: ROISplit) -> tuple[int, int]:
        taken = _inside(split, spec)
        return _copy(split.records, taken, (inside, outside), overwrite=overwrite)

    def finish(done: Sequence[object]) -> None:
        for folder in (inside, outside):
            # Not where nothing has ever been written: the folder is removed again.
            if done and any(path.suffix in (".tfrecords", ".json") for path in folder.iterdir()):
                write_manifest(folder)

    with writing_into([inside, outside]):
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
    stride_div = _stride_div_of(split.records.parent)
    corners = [exact_corners(cells[:, axis], locations[:, axis], grid, axis, stride_div) for axis in (0, 1)]
    boxes = np.stack([*corners, corners[0] + grid.tile_width, corners[1] + grid.tile_height], axis=1)
    method: Literal["center"] | float = spec.roi_filter_method
    return select_cells(rois, boxes, method="inside", filter_method=method).inside


def _cells(path: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Cell of the grid (−1 where it is not known) and location of each record, (n, 2) each."""
    cells, locations = array("q"), array("q")
    for _, payload in iter_records(path):
        check_stop()
        record = TileRecord.decode(payload, path=path)
        known = record.grid_x is not None and record.grid_y is not None
        cells.extend((record.grid_x or 0, record.grid_y or 0) if known else (-1, -1))
        locations.extend((record.loc_x, record.loc_y))
    return np.array(cells, np.int64).reshape(-1, 2), np.array(locations, np.int64).reshape(-1, 2)


def _stride_div_of(folder: Path) -> float | None:
    """What the extraction beside the records says, if there was one; None if not."""
    found = spec_value(folder, "stride_div")
    return float(found) if isinstance(found, int | float) and 0 < found < np.inf else None


def exact_corners(
    cells: npt.NDArray[np.int64],
    locations: npt.NDArray[np.int64],
    grid: CellGrid,
    axis: int,
    stride_div: float | None = None,
) -> npt.NDArray[np.float64]:
    """Where tiles begin along an axis, level-0 pixels.

    Records hold centres rounded down. Where the cell of the grid leads to the same number the exact place is that of
    the cell, as it was when the tile was extracted; else the tile is put where its centre is in the middle of the pixel
    that the number names.

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
    stride_div
        Tiles a tile's edge from one cell to the next, as the extraction says; None takes the first whole number
        that leads to the centres of most cells.
    """
    size = (grid.tile_width, grid.tile_height)[axis]
    corners = np.asarray(locations + 0.5 - size / 2, np.float64)
    exact, fits = max(
        (_by_cell(cells, locations, size, div) for div in (_STRIDE_DIVS if stride_div is None else (stride_div,))),
        key=lambda found: int(found[1].sum()),  # of equals the first
    )
    corners[fits] = exact[fits]
    return corners


def _by_cell(
    cells: npt.NDArray[np.int64], locations: npt.NDArray[np.int64], size: float, stride_div: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Where tiles of a stride begin, and whether that leads to their centres."""
    exact = np.asarray(cells * (size / stride_div), np.float64)
    return exact, (cells >= 0) & (np.floor(exact + size / 2 + 1e-9) == locations)


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
        publish_together((inside, outside))
    return len(inside), len(outside)
