"""Where the windows that a network sees lie on a slide, and which cells of the map of scores they reach."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from slidekit.errors import QCError
from slidekit.pixels.windows import WindowAxis, blended_axis, separate_axis, window_starts

if TYPE_CHECKING:
    # Only for types: methods import this module, and their room imports methods.
    from slidekit.slide.qc.base import BoolMask, SlideView

__all__ = ["WindowLayout", "wanted_windows", "window_axes"]

_MOST_CELLS = 1 << 23
"""Cells of a dense map, unless more are asked for: 32 MiB for each class."""

_MOST_PATCHES = 1 << 25
"""Cells of a patch classifier's map: 384 MiB for each class while they are added up."""


@dataclass(frozen=True)
class WindowLayout:
    """How a network looks at a slide.

    Attributes
    ----------
    mpp
        µm/px that the network sees; x and y where they differ.
    window_px
        Edge of a window, pixels.
    overlap_px
        Pixels that neighbouring windows share at least.
    batch
        Images that are scored together.
    buffer
        Windows are read in squares of `buffer` × `buffer`.
    thin
        Pixels of a dense network's output, on a side, that become one cell; None chooses so that a map has 8 million
        cells at most. Not for patch classifiers, whose cells are as large as windows are apart.
    """

    mpp: float | tuple[float, float]
    window_px: int
    overlap_px: int = 0
    batch: int = 64
    buffer: int = 8
    thin: int | None = None

    def grid(self, slide: SlideView) -> tuple[int, int]:
        """Columns and rows of a slide's overview at `mpp`."""
        mpp_x, mpp_y = self.mpp if isinstance(self.mpp, tuple) else (self.mpp, self.mpp)
        width, height = slide.dimensions
        return max(1, round(width * slide.mpp_x / mpp_x)), max(1, round(height * slide.mpp_y / mpp_y))

    def check(self, name: str) -> None:
        """See that windows can lie so.

        Raises
        ------
        QCError
            If they cannot; it names the method `name`.
        """
        sizes = self.mpp if isinstance(self.mpp, tuple) else (self.mpp,)
        if not (
            all(0 < one < math.inf for one in sizes)
            and self.window_px >= 1
            and 0 <= self.overlap_px < self.window_px
            and self.batch >= 1
            and self.buffer >= 1
        ):
            raise QCError(
                f"{name} cannot work with mpp={self.mpp}, windows of {self.window_px} px, overlap={self.overlap_px},"
                f" batch={self.batch}, buffer={self.buffer}.",
                mend="Use positive numbers, and an overlap less than a window.",
            )


def window_axes(
    layout: WindowLayout, grid: tuple[int, int], stride: int | None, what: str
) -> tuple[WindowAxis, WindowAxis]:
    """Where windows lie across and down a slide, and what each says of which cells of the map.

    Parameters
    ----------
    layout
        How the network looks at the slide.
    grid
        Columns and rows of the overview at the network's µm/px.
    stride
        Pixels of a window to a pixel of a dense network's output; None is a patch classifier.
    what
        Method and slide, for the message.

    Raises
    ------
    QCError
        If the map would be too large.
    """
    window, overlap, thin = layout.window_px, layout.overlap_px, layout.thin
    if stride is not None:
        thin = thin or max(1, math.ceil(math.sqrt(grid[0] * grid[1] / _MOST_CELLS) / stride))
        across, down = (_dense_axis(length, window, overlap, stride, thin) for length in grid)
        return across, down
    apart = window - overlap
    if math.prod(max(1, length / apart) for length in grid) > _MOST_PATCHES:
        raise QCError(
            f"{what}: the map would have more than {_MOST_PATCHES:,} cells, one for every {apart} px of"
            f" {grid[0]} × {grid[1]}.",
            mend="Make patches larger (tile_um), or let them overlap less.",
        )
    across, down = (_patch_axis(length, window, overlap) for length in grid)
    return across, down


def _patch_axis(length: int, window: int, overlap: int) -> WindowAxis:
    if overlap == 0:
        return separate_axis(length, window)
    starts = window_starts(length, window, overlap)
    cells = 1 if len(starts) == 1 else max(1, round(length / (window - overlap)))
    return blended_axis(length, starts, window, cells)


def _dense_axis(length: int, window: int, overlap: int, stride: int, thin: int) -> WindowAxis:
    """In pixels of the output, of which each stands for `stride` of the window's."""
    # Those whose middle lies on the slide.
    outputs = max(1, round(length / stride))
    starts = window_starts(outputs * stride, window, overlap, multiple=stride)
    cells = max(1, round(outputs / thin))
    return blended_axis(outputs, tuple(start // stride for start in starts), window // stride, cells)


def wanted_windows(across: WindowAxis, down: WindowAxis, skip: BoolMask | None) -> npt.NDArray[np.bool_]:
    """Which windows are to be scored.

    Parameters
    ----------
    across, down
        Where they lie.
    skip
        (rows, columns) over the whole slide, of bool; None skips nothing.

    Returns
    -------
    ndarray (windows down, windows across), bool
        Those in which any of the cells that they reach is not to be skipped.
    """
    if skip is None:
        return np.ones((len(down.shares), len(across.shares)), np.bool_)
    taken = cv2.integral((~np.asarray(skip, np.bool_)).astype(np.uint8))
    rows, columns = skip.shape

    def edges(axis: WindowAxis, cells: int, have: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        first = np.array([share.cells.start for share in axis.shares]) * have / cells
        stop = np.array([share.cells.stop for share in axis.shares]) * have / cells
        return np.floor(first + 1e-9).astype(np.int64), np.ceil(stop - 1e-9).astype(np.int64)

    (left, right), (top, bottom) = edges(across, across.cells, columns), edges(down, down.cells, rows)
    under = (
        taken[np.ix_(bottom, right)]
        - taken[np.ix_(top, right)]
        - taken[np.ix_(bottom, left)]
        + taken[np.ix_(top, left)]
    )
    return np.asarray(under > 0)
