"""Cells as tiles are cut around them: centroids as coordinates, and what of a tile is the cell."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from slidekit.cells.canvas import CHUNK_PX
from slidekit.cells.outlines import paint_outlines
from slidekit.cells.store import store_path
from slidekit.cells.windows import PixelBox
from slidekit.errors import CellError
from slidekit.pixels.image import RGBImage
from slidekit.slide.coordinates import Coordinates
from slidekit.slide.roi.fill import Raster

if TYPE_CHECKING:
    from slidekit.cells.stored import StoredCells

__all__ = ["CellsAsTiles", "SavedCells", "cells_digest", "cells_in", "describe"]

_CHUNKS_KEPT = 24
"""Chunks of masks that are kept decoded, 4 MB each: tiles are read block by block."""

Box = tuple[float, float, float, float]


class CellsAsTiles:
    """The cells of a slide, a tile around each. Threads may share it.

    Parameters
    ----------
    cells
        The cells.
    apply_masks
        Whether what is not the cell is black; otherwise tiles stay as they are.

    Raises
    ------
    CellError
        If masks are to be applied and only centroids are known.
    """

    def __init__(self, cells: StoredCells, apply_masks: bool) -> None:
        if apply_masks and not cells.facts.has_masks and not cells.facts.has_outlines:
            raise CellError(
                f"Of the cells of {cells.slide} only the centroids are known: nothing says what is outside of a cell.",
                mend="Use apply_masks=False (--no-apply-masks), or import outlines.",
            )
        self._cells = cells
        self.apply_masks = apply_masks
        self._lock = threading.Lock()
        self._chunks: OrderedDict[tuple[int, int], npt.NDArray[np.uint32]] = OrderedDict()
        self._rings: tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]] | None = None

    @property
    def dimensions(self) -> tuple[int, int]:
        """Width and height of level 0, pixels."""
        return self._cells.dimensions

    @property
    def coordinates(self) -> Coordinates:
        """Centroids, with classes as labels; row k is the cell with the id k + 1."""
        source = describe(self.apply_masks)
        return Coordinates.of(self._cells.centroids(), self._cells.classes, source=source)

    def cut(self, cell_id: int, box: Box, image: RGBImage) -> RGBImage:
        """A tile as it is to be kept.

        Parameters
        ----------
        cell_id
            The cell, from 1.
        box
            x0, y0, x1, y1 of the tile, level-0 pixels.
        image
            (rows, columns, 3) uint8.

        Returns
        -------
        ndarray
            `image`, or a copy that is black in pixels whose centres do not lie in the cell.
        """
        if not self.apply_masks:
            return image
        return np.where(self.mask(cell_id, box, (image.shape[1], image.shape[0]))[..., None], image, np.uint8(0))

    def mask(self, cell_id: int, box: Box, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """Which pixels of a rectangle of the slide are a cell's.

        Parameters
        ----------
        cell_id
            The cell, from 1.
        box
            x0, y0, x1, y1, level-0 pixels; may reach beyond the slide.
        size
            Columns and rows of the result.

        Returns
        -------
        ndarray (rows, columns), bool
            By the centres of pixels: from the masks where there are some, else from the outline.
        """
        if not self._cells.facts.has_masks:
            return self._painted(cell_id, box, size)
        frame = self._cells.frame
        column = _pixels(box[0], box[2], size[0], frame.pixel[0])
        row = _pixels(box[1], box[3], size[1], frame.pixel[1])
        inside = np.zeros((size[1], size[0]), np.bool_)
        ys = np.flatnonzero((row >= 0) & (row < frame.rows))
        xs = np.flatnonzero((column >= 0) & (column < frame.columns))
        for down in np.unique(row[ys] // CHUNK_PX).tolist():
            for across in np.unique(column[xs] // CHUNK_PX).tolist():
                y, x = ys[row[ys] // CHUNK_PX == down], xs[column[xs] // CHUNK_PX == across]
                part = self._chunk(down, across)[np.ix_(row[y] - down * CHUNK_PX, column[x] - across * CHUNK_PX)]
                inside[np.ix_(y, x)] = part == cell_id
        return inside

    def _chunk(self, down: int, across: int) -> npt.NDArray[np.uint32]:
        key = (down, across)
        with self._lock:
            if key in self._chunks:
                self._chunks.move_to_end(key)
                return self._chunks[key]
        frame = self._cells.frame
        left, top = across * CHUNK_PX, down * CHUNK_PX
        box = PixelBox(left, top, min(left + CHUNK_PX, frame.columns), min(top + CHUNK_PX, frame.rows))
        found = self._cells.labels_in(box)
        with self._lock:
            self._chunks[key] = found
            while len(self._chunks) > _CHUNKS_KEPT:
                self._chunks.popitem(last=False)
        return found

    def _painted(self, cell_id: int, box: Box, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
        with self._lock:
            if self._rings is None:
                parts = list(self._cells.parts())
                counts = np.concatenate([part.counts for part in parts])
                ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
                self._rings = np.concatenate([part.vertices for part in parts]), ends
        vertices, ends = self._rings
        outline = vertices[ends[cell_id - 1] : ends[cell_id]].astype(np.float64)
        image = np.zeros((size[1], size[0]), np.uint32)
        raster = Raster(box[:2], ((box[2] - box[0]) / size[0], (box[3] - box[1]) / size[1]), image.shape)
        paint_outlines(image, raster, [outline], np.ones(1, np.int64))
        return image > 0


def _pixels(start: float, end: float, count: int, pixel: float) -> npt.NDArray[np.int64]:
    """The pixel of the masks under the centre of each of `count` pixels."""
    centres = start + (np.arange(count) + 0.5) * ((end - start) / count)
    return np.asarray(np.floor(centres / pixel), np.int64)


def describe(apply_masks: bool) -> str:
    """How an extraction of cells is called among its parameters: the two ways are not to be mixed in a folder."""
    return "cells, black outside" if apply_masks else "cells"


@dataclass(frozen=True)
class SavedCells:
    """The cells of a slide in a folder ``{slide}.cells.zarr``, for the process that extracts them.

    Attributes
    ----------
    path
        Their store.
    apply_masks
        As for `CellsAsTiles`.
    """

    path: Path
    apply_masks: bool = True

    def content(self) -> str:
        """A hash of the cells, and of how they are cut."""
        try:
            return f"{describe(self.apply_masks)} {cells_digest(self._opened())}"
        except CellError:
            # Whoever opens them says what is wrong.
            return "cells that cannot be read"

    def open(self) -> CellsAsTiles:
        """Open them.

        Raises
        ------
        CellError
            If there are none, or only centroids are known and masks are to be applied.
        """
        return CellsAsTiles(self._opened(), self.apply_masks)

    def _opened(self) -> StoredCells:
        from slidekit.cells.segmentation import Segmentation

        return Segmentation.open(self.path)


def cells_digest(cells: StoredCells) -> str:
    """SHA-256 of what is known of cells and of all that was measured of them.

    Masks and outlines are not read: two that differ do not have the same centroids and areas to the last digit.
    """
    facts = cells.facts.attributes()
    del facts["slidekit_version"]
    made = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name in cells.columns:
        made.update(f"\0{name}\0".encode())
        made.update(np.ascontiguousarray(cells.column(name), "<f8").tobytes())
    return made.hexdigest()


def cells_in(folder: Path, slides: Iterable[str], apply_masks: bool) -> dict[str, SavedCells]:
    """The slides that have cells in a folder, and where.

    Parameters
    ----------
    folder
        Folder of ``{slide}.cells.zarr``.
    slides
        Names of slides.
    apply_masks
        As for `CellsAsTiles`.

    Raises
    ------
    CellError
        If none of them has.
    """
    names = list(slides)
    found = {name: path for name in names if (path := store_path(folder, name)).is_dir()}
    if not found:
        raise CellError(
            f"has cells of none of the {len(names)} slides.",
            mend="Find them first, by Dataset.cell_segmentation or slidekit cells; or name the folder that holds them,"
            " by masks_path= (--cells).",
            path=folder,
        )
    return {name: SavedCells(path, apply_masks) for name, path in found.items()}
