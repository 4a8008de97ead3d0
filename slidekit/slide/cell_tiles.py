"""What a slide needs to know of its cells to cut a tile around each: `slidekit.cells` provides it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from slidekit.errors import CellError
from slidekit.pixels.image import RGBImage
from slidekit.slide.coordinates import Coordinates

__all__ = ["CellSource", "SegmentPlan", "SlideCells", "TileCells", "say_other_slide"]


class TileCells(Protocol):
    """The cells of one slide, as tiles are cut around them."""

    @property
    def dimensions(self) -> tuple[int, int]:
        """Width and height of level 0 of their slide, pixels."""

    @property
    def coordinates(self) -> Coordinates:
        """Centroids, with classes as labels; row k is the cell with the id k + 1."""

    def cut(self, cell_id: int, box: tuple[float, float, float, float], image: RGBImage) -> RGBImage:
        """A tile of a cell as it is to be kept: with what is not the cell in black, or as it is.

        Parameters
        ----------
        cell_id
            The cell, from 1.
        box
            x0, y0, x1, y1 of the tile, level-0 pixels.
        image
            Its pixels.
        """


class SlideCells(Protocol):
    """The cells of one slide, as `WSI.apply_segmentation` takes them."""

    def __len__(self) -> int: ...

    @property
    def slide(self) -> str:
        """Name of the slide."""

    @property
    def dimensions(self) -> tuple[int, int]:
        """Width and height of its level 0, pixels."""

    def for_tiles(self, apply_masks: bool) -> TileCells:
        """The cells as tiles are cut around them; CellError if `apply_masks` and only centroids are known."""


class CellSource(Protocol):
    """Where the cells of one slide are found by the process that extracts it. Can be pickled."""

    def content(self) -> str:
        """What tells these cells, and how they are cut, from others: for the hash that resuming goes by.

        Raises
        ------
        OSError, CellError
            If they cannot be read.
        """

    def open(self) -> TileCells:
        """Open them.

        Raises
        ------
        CellError
            If they cannot be used.
        """


@dataclass(frozen=True)
class SegmentPlan:
    """How the cells of a slide are found, by the process that reads it.

    Attributes
    ----------
    dest
        Folder of ``{slide}.cells.zarr``.
    method
        As `slidekit.cells.segment_slide` takes it.
    options
        Other arguments of that function.
    """

    dest: Path
    method: Any = "classical"
    options: Mapping[str, Any] = field(default_factory=dict)


def say_other_slide(slide: tuple[int, int], cells: tuple[int, int]) -> CellError:
    """Make the error of cells that were found on a slide of another size; both as width, height of level 0."""
    return CellError(
        f"The cells are of a slide of {cells[0]} × {cells[1]} px, and this one has {slide[0]} × {slide[1]} px.",
        mend="Give the cells of this slide, or segment it again.",
    )
