"""The cells of one window: found, and described."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slidekit.cells.labels import check_labels, take_owned
from slidekit.cells.measure import COLOUR_COLUMNS, SHAPE_COLUMNS, Columns, measure_labels
from slidekit.cells.methods.base import CellMethod
from slidekit.cells.outlines import trace_outlines
from slidekit.cells.windows import CellFrame, CellWindow
from slidekit.errors import CellError, MissingExtraError
from slidekit.pixels.image import RGBImage

__all__ = ["CellTable", "WindowCells", "describe", "find_cells"]


@dataclass(frozen=True)
class CellTable:
    """Measures and outlines of some cells.

    Attributes
    ----------
    columns
        Name of a measure to its values, (n,).
    vertices
        (m, 2) float32, level-0 pixels: outline after outline.
    counts
        (n,) int64, vertices of each outline.
    """

    columns: Columns
    vertices: npt.NDArray[np.float32]
    counts: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.counts)

    @classmethod
    def empty(cls) -> CellTable:
        """No cells."""
        columns = {name: np.empty(0) for name in (*SHAPE_COLUMNS, *COLOUR_COLUMNS)}
        return cls(columns, np.empty((0, 2), np.float32), np.empty(0, np.int64))

    def take(self, chosen: npt.NDArray[np.bool_]) -> CellTable:
        """Some of the cells."""
        if chosen.all():
            return self
        columns = {name: values[chosen] for name, values in self.columns.items()}
        return CellTable(columns, self.vertices[np.repeat(chosen, self.counts)], self.counts[chosen])

    def outlines(self) -> Iterator[npt.NDArray[np.float32]]:
        """The outlines, one by one, (k, 2)."""
        ends = np.cumsum(self.counts)
        return (
            self.vertices[end - count : end] for end, count in zip(ends.tolist(), self.counts.tolist(), strict=True)
        )


@dataclass(frozen=True)
class WindowCells:
    """What was found in a window.

    Attributes
    ----------
    window
        The window.
    labels
        uint32, of its outer rectangle: 1 … n, rows of `cells`.
    is_own
        (n,) bool; see `OwnedCells`.
    cells
        Their measures and outlines.
    image
        Its pixels, for cells that must be measured again.
    is_cut
        (n,) bool: own cells that the margin was too small for.
    """

    window: CellWindow
    labels: npt.NDArray[np.uint32]
    is_own: npt.NDArray[np.bool_]
    cells: CellTable
    image: RGBImage
    is_cut: npt.NDArray[np.bool_]


def find_cells(
    method: CellMethod, facts: Any, image: RGBImage, window: CellWindow, frame: CellFrame, beyond: int
) -> WindowCells:
    """Run a method on a window.

    Parameters
    ----------
    method, facts
        The method, and what its `prepare` returned.
    image
        Pixels of the window's outer rectangle.
    window, frame
        Where they are.
    beyond
        As for `take_owned`.

    Raises
    ------
    CellError
        If the method raises, or returns what are no labels.
    """
    try:
        returned = method(image, facts)
    except (MissingExtraError, MemoryError):
        raise
    except Exception as error:  # a user's function may raise anything
        what = error.message if isinstance(error, CellError) else f"failed: {type(error).__name__}: {error}"
        raise CellError(what, mend=getattr(error, "mend", None)) from error
    labels = check_labels(returned, image.shape[:2])
    owned = take_owned(labels, window, beyond)
    cells = describe(owned.labels, image, window, frame)
    return WindowCells(window, owned.labels, owned.is_own, cells, image, owned.is_cut)


def describe(labels: npt.NDArray[np.uint32], image: RGBImage, window: CellWindow, frame: CellFrame) -> CellTable:
    """Measure and outline the cells 1 … n of a window; none may be missing."""
    if not labels.any():
        return CellTable.empty()
    corner = window.outer.left, window.outer.top
    points, counts = trace_outlines(labels)
    vertices = (points / 2 + np.array(corner)) * np.array(frame.pixel)
    return CellTable(measure_labels(labels, image, frame, corner), vertices.astype(np.float32), counts)
