"""Out of focus, as a small network that slidekit brings along sees it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import cv2
import numpy as np
import numpy.typing as npt

from slidekit.errors import QCError
from slidekit.pixels.image import RGBImage
from slidekit.slide.fate import Fate
from slidekit.slide.qc.base import BoolMask, QCMethod, SlideView, to_number
from slidekit.slide.qc.focus_network import CELL_PX, HALO_PX, WINDOW_CELLS, FocusNetwork
from slidekit.slide.qc.focus_tissue import check_bright_field, mean_colours, tissue_cells
from slidekit.slide.qc.mask import own_threshold

__all__ = ["Focus", "FocusMap"]

FocusMap = npt.NDArray[np.float32]
"""(rows, columns) over the whole slide: how blurred, 0–1; 0 on glass."""

_MPP = 1.0
"""µm/px that the network was trained at."""

_FINEST, _COARSEST = 0.9, 1.1
"""µm/px that serve as well; a slide that is coarser lacks the detail that tells sharp from blurred."""

_SMALL_LEVEL = 4
"""How many times smaller than what the network sees a level must be to look for tissue in it first."""

_MOST_WINDOWS = 16
"""Windows that are read together at most: 14 MB of pixels."""

_THRESHOLD = 0.5


class Focus(QCMethod):
    """Blur of tissue, judged by a network that tells smooth tissue from tissue that is out of focus.

    The slide is read at 1 µm/px. A network of five convolutions looks at the strengths of edges in 60 × 60 µm around
    each cell of 16 × 16 µm and gives the probability that it is blurred; probabilities are averaged over the tissue
    within `smooth_um`. Blurred means what a disk of radius 1 µm does to a sharp image, or more. Glass is not judged: it
    is never out of focus, and stays when this method is used alone. Runs by OpenCV, within the core installation.

    Parameters
    ----------
    threshold
        A place is out of focus where its smoothed probability is above this, 0–1. The default drops less than
        1 % of sharp tissue, on the average of five slides each held out of training (0–2.6 %).
    smooth_um
        Edge of the square over which probabilities are averaged, µm; 0 does not average.
    weights
        ONNX file that ``scripts/train_focus`` wrote; by default the one that slidekit brings along.
    sha256
        What the weights must have for a checksum; an error tells of others. Enters `parameters` by itself, so that
        other weights are another specification of the extraction.
    filter_threshold
        A tile is dropped if more than this share of it is out of focus; by default the run's `qc_filter_threshold`.

    Notes
    -----
    Trained on haematoxylin and eosin in bright field, see docs/focus.md; fluorescence is refused.
    """

    name: ClassVar[str] = "focus"
    reason: ClassVar[str] = Fate.OUT_OF_FOCUS

    def __init__(
        self,
        threshold: float = _THRESHOLD,
        *,
        smooth_um: float = 48.0,
        weights: str | Path | None = None,
        sha256: str | None = None,
        filter_threshold: float | None = None,
    ) -> None:
        if filter_threshold is not None:
            # Not kept where it is None: what has the tiles of earlier versions has their hash.
            self.filter_threshold = own_threshold(filter_threshold)
        self.threshold, self.smooth_um = to_number("focus", threshold=threshold, smooth_um=smooth_um)
        _check_threshold(self.threshold)
        if self.smooth_um < 0:
            raise QCError(f"focus QC cannot average over smooth_um={smooth_um}.", mend="Use microns, or 0 for none.")
        self.weights = None if weights is None else str(weights)
        self.sha256 = FocusNetwork.checksum(self.weights)
        if sha256 is not None and sha256 != self.sha256:
            raise QCError(
                f"focus QC was to use weights of SHA-256 {sha256[:12]}…; those at hand have {self.sha256[:12]}….",
                mend="Name the right file as weights=, install the version of slidekit that has them, or leave sha256 "
                "out.",
                path=self.weights,
            )

    def __call__(  # type: ignore[override]  # a map is not a mask
        self, wsi: SlideView, threshold: float | Literal[False] | None = None
    ) -> BoolMask | FocusMap:
        """Compute the mask, or the map behind it.

        Parameters
        ----------
        wsi
            The slide.
        threshold
            Instead of the method's; False gives the map itself.

        Returns
        -------
        ndarray (rows, columns), bool or float32
            Pixels of about 16 µm that divide the slide evenly. True = out of focus; or the smoothed probability of
            that, 0–1, 0 on glass.

        Raises
        ------
        QCError
            If the slide is coarser than 1.1 µm/px or dark (fluorescence), the threshold is not within 0–1, or the
            weights cannot be used.
        """
        if threshold is not None and threshold is not False:
            _check_threshold(threshold)
        blurred = self._map(wsi)
        if threshold is False:
            return blurred
        mask: BoolMask = blurred > (self.threshold if threshold is None else threshold)
        return mask

    def _map(self, wsi: SlideView) -> FocusMap:
        columns, rows = _grid(wsi)
        network = FocusNetwork.load(self.weights)
        across, down = math.ceil(columns / CELL_PX), math.ceil(rows / CELL_PX)
        blurred, tissue = np.zeros((down, across), np.float32), np.zeros((down, across), np.bool_)
        darkest = np.zeros((down, across), np.uint8)
        for here in _parts_with_tissue(wsi, columns, rows):
            part = _read(wsi, (columns, rows), here)
            inner = part[HALO_PX:-HALO_PX, HALO_PX:-HALO_PX]
            tissue[here], darkest[here] = tissue_cells(inner), mean_colours(inner, CELL_PX).min(axis=2)
            if tissue[here].any():
                blurred[here] = network(part)
        check_bright_field(wsi, darkest[tissue])
        blurred[~tissue] = 0
        return _over_the_slide(self._smoothed(blurred, tissue), (columns, rows))

    def _smoothed(self, blurred: FocusMap, tissue: BoolMask) -> FocusMap:
        """Average over the tissue of a square; in whole sums, which no order of addition changes."""
        edge = 2 * round((self.smooth_um / (CELL_PX * _MPP) - 1) / 2) + 1
        edge = max(edge, 1)
        if edge == 1:
            return blurred
        total = cv2.boxFilter(blurred, cv2.CV_64F, (edge, edge), normalize=False, borderType=cv2.BORDER_CONSTANT)
        count = cv2.boxFilter(
            tissue.astype(np.float32), cv2.CV_64F, (edge, edge), normalize=False, borderType=cv2.BORDER_CONSTANT
        )
        return np.where(tissue, total / np.maximum(count, 1), 0).clip(0, 1).astype(np.float32)


def _check_threshold(threshold: float) -> None:
    # Negated, so that NaN fails too.
    if not 0 <= threshold <= 1:
        raise QCError(
            f"focus QC cannot work with threshold={threshold}.", mend="Use a probability, 0 to 1; False for the map."
        )


def _grid(wsi: SlideView) -> tuple[float, float]:
    """Width and height of the slide, in pixels that the network takes: 1 µm, or near that without resampling."""
    coarsest = max(wsi.mpp_x, wsi.mpp_y)
    if coarsest > _COARSEST:
        raise QCError(
            f"Focus needs a slide of {_COARSEST:g} µm/px or finer; {wsi.name} has {coarsest:.4g}.",
            mend='Use qc="blur" for it, which judges at any resolution, or mpp= where the file is wrong about its own.',
        )
    width, height = wsi.dimensions
    for level in wsi.levels:
        for shrink in (1, 2, 4):
            x, y = level.downsample_x * shrink, level.downsample_y * shrink
            if all(_FINEST <= mpp <= _COARSEST for mpp in (wsi.mpp_x * x, wsi.mpp_y * y)):
                return width / x, height / y
    return width * wsi.mpp_x / _MPP, height * wsi.mpp_y / _MPP


def _parts_with_tissue(wsi: SlideView, columns: float, rows: float) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of cells to read together: windows side by side, each begun where there is tissue.

    Where a small level shows glass there are none.
    """
    across, down = math.ceil(columns / CELL_PX), math.ceil(rows / CELL_PX)
    small = min(level.width for level in wsi.levels) * _SMALL_LEVEL <= columns
    tissue = np.ones((down, across), np.bool_)
    if small:
        # Cells beside tissue as well: at the network's resolution they may be just within what counts as such.
        shown = tissue_cells(wsi.overview(across * 2, down * 2), 2)
        tissue = cv2.dilate(shown.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.bool_)
    y, rows_there = 0, np.logical_or.reduce(tissue, axis=1)
    while rows_there[y:].any():
        y += int(rows_there[y:].argmax())
        band = slice(y, min(y + WINDOW_CELLS, down))
        x, columns_there = 0, np.logical_or.reduce(tissue[band], axis=0)
        while columns_there[x:].any():
            first = x = x + int(columns_there[x:].argmax())
            while columns_there[x : x + WINDOW_CELLS].any() and x - first < _MOST_WINDOWS * WINDOW_CELLS:
                x += WINDOW_CELLS
            yield _around_tissue(tissue, band, slice(first, min(x, across)))
        y += WINDOW_CELLS


def _around_tissue(tissue: BoolMask, rows: slice, columns: slice) -> tuple[slice, slice]:
    """The smallest part of these rows and columns that has all of their tissue, of which there is some."""
    found = cv2.boundingRect(np.ascontiguousarray(tissue[rows, columns]).astype(np.uint8))
    x, y, width, height = (int(value) for value in found)
    top, left = rows.start + y, columns.start + x
    return slice(top, top + height), slice(left, left + width)


def _read(wsi: SlideView, size: tuple[float, float], cells: tuple[slice, slice]) -> RGBImage:
    """Read cells with `HALO_PX` around them; beyond the slide it is mirrored: white would be an edge that is sharp."""
    corner, extent, sides = [], [], []
    for part, limit in zip(cells[::-1], size, strict=True):
        start, stop = part.start * CELL_PX - HALO_PX, part.stop * CELL_PX + HALO_PX
        first, last = max(0, start), min(max(1, math.floor(limit)), stop)
        corner.append(first)
        extent.append(last - first)
        sides.append((first - start, stop - last))
    # Fractions of a pixel count: rounded to whole columns, no level's own pixels would be those that are asked for.
    window = wsi.overview_window(*size, corner=(corner[0], corner[1]), size=(extent[0], extent[1]))
    if not any(map(any, sides)):
        return window
    return np.pad(window, (sides[1], sides[0], (0, 0)), mode="symmetric")


def _over_the_slide(cells: FocusMap, size: tuple[float, float]) -> FocusMap:
    """Cells of 16 pixels, of which the last may reach over the edge, as a map that covers the slide exactly."""
    columns, rows = (max(1, round(length / CELL_PX)) for length in size)
    # Centres of the map's pixels, in cells; nearest by rounding, a quarter of a cell off at most beside the far edge.
    x = ((np.arange(columns) + 0.5) * size[0] / columns / CELL_PX).astype(np.int64)
    y = ((np.arange(rows) + 0.5) * size[1] / rows / CELL_PX).astype(np.int64)
    return cells[np.minimum(y, len(cells) - 1)][:, np.minimum(x, cells.shape[1] - 1)]
