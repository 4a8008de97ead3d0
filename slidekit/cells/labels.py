"""What a method returns for a window: checked, and which of its cells belong to the window."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from slidekit.cells.windows import CellWindow
from slidekit.errors import CellError

__all__ = ["OwnedCells", "check_labels", "in_pieces", "renumber", "take_owned"]

LabelImage = npt.NDArray[np.uint32]

_CONTRACT = "It must return integers (rows, columns): 0 for background, 1 … n for cells, each in one piece."


class OwnedCells:
    """The cells of a window's labels that the window may write.

    Attributes
    ----------
    labels
        uint32, of the window's outer rectangle: 1 … n in raster order of centroids; other windows' cells are 0.
    is_own
        (n,) bool: whether the centroid lies in the core. The others lie just beyond it, on the side of windows that
        were worked on before: they count where those windows did not see them.
    is_cut
        (n,) bool: own cells that reach an edge of what was read which is not the slide's.
    """

    def __init__(self, labels: LabelImage, is_own: npt.NDArray[np.bool_], is_cut: npt.NDArray[np.bool_]) -> None:
        self.labels = labels
        self.is_own = is_own
        self.is_cut = is_cut


def check_labels(labels: object, shape: tuple[int, int]) -> npt.NDArray[np.integer[Any]]:
    """Make sure that a method returned labels.

    Raises
    ------
    CellError
        If it is no image of integers of this shape, or holds negative ones; it does not say for which window.
    """
    try:
        image = np.asarray(labels)
    except (TypeError, ValueError) as error:
        raise CellError(f"returned {type(labels).__name__}, not an array ({error}).", mend=_CONTRACT) from error
    if not np.issubdtype(image.dtype, np.integer) or image.shape != shape:
        raise CellError(
            f"returned {type(labels).__name__} of {image.dtype}, shape {image.shape}, for an image of {shape}.",
            mend=_CONTRACT,
        )
    if image.size and image.min() < 0:
        raise CellError(f"returned the negative label {image.min()}.", mend=_CONTRACT)
    return image


def renumber(
    labels: npt.NDArray[np.integer[Any]],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], int]:
    """Places of the cells' pixels in the flat image, their labels as 0 … n − 1 in the old order, and n."""
    places = np.flatnonzero(labels)
    values = labels.reshape(-1)[places]
    if not len(places):
        return places, np.empty(0, np.int64), 0
    most = int(values.max())
    if most > 4 * labels.size:
        found, numbers = np.unique(values, return_inverse=True)
        return places, numbers.astype(np.int64), len(found)
    present = np.zeros(most + 1, np.bool_)
    present[values] = True
    number = np.cumsum(present) - 1
    return places, number[values].astype(np.int64), int(number[-1]) + 1


def take_owned(
    labels: npt.NDArray[np.integer[Any]], window: CellWindow, beyond: int, *, check: bool = True
) -> OwnedCells:
    """Find the cells that belong to a window.

    Parameters
    ----------
    labels
        Of the window's outer rectangle.
    window
        The window.
    beyond
        Pixels beyond the core up to which cells on the side of earlier windows are taken as well.
    check
        Whether to refuse cells in pieces.

    Raises
    ------
    CellError
        If an own cell is in several pieces.
    """
    places, numbers, count = renumber(labels)
    rows, columns = np.divmod(places, max(1, labels.shape[1]))
    area = np.bincount(numbers, minlength=count).astype(np.int64)
    # Whole numbers: two windows must never both, or neither, have a centroid that lies on the border between them.
    x2 = _doubled_centre(columns + window.outer.left, numbers, area)
    y2 = _doubled_centre(rows + window.outer.top, numbers, area)
    core = window.core
    own = _within(x2, area, core.left, core.right) & _within(y2, area, core.top, core.bottom)
    above = _within(x2, area, core.left - beyond, core.right + beyond) & _within(y2, area, core.top - beyond, core.top)
    beside = _within(x2, area, core.left - beyond, core.left) & _within(y2, area, core.top, core.bottom)
    taken = np.flatnonzero(own | above | beside)
    order = taken[np.lexsort((area[taken], (x2 / (2 * area))[taken], (y2 / (2 * area))[taken]))]
    lookup = np.zeros(count, np.uint32)
    lookup[order] = np.arange(1, len(order) + 1, dtype=np.uint32)
    image = np.zeros(labels.shape, np.uint32)
    image.reshape(-1)[places] = lookup[numbers]
    at_edge = _at_edge(image, window, len(order))
    is_own = own[order]
    if check and (broken := sorted((in_pieces(image) - 1).tolist())):
        whole = [number for number in broken if is_own[number] and not at_edge[number]]
        if whole:
            x, y = (int((axis / (2 * area))[order[whole[0]]]) for axis in (x2, y2))
            what = f"returned {len(whole)} labels in several pieces, the first around ({x}, {y})"
            raise CellError(f"{what} of the overview grid.", mend=_CONTRACT)
    return OwnedCells(image, is_own, at_edge & is_own)


def _doubled_centre(
    at: npt.NDArray[np.int64], numbers: npt.NDArray[np.int64], area: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Twice the centroid times the area; sums of whole numbers are exact in float64 up to 2⁵³."""
    total = np.bincount(numbers, weights=at, minlength=len(area))
    return np.asarray(2 * total.astype(np.int64) + area)


def _within(doubled: npt.NDArray[np.int64], area: npt.NDArray[np.int64], start: int, end: int) -> npt.NDArray[np.bool_]:
    return np.asarray((doubled >= 2 * start * area) & (doubled < 2 * end * area))


def _at_edge(image: LabelImage, window: CellWindow, count: int) -> npt.NDArray[np.bool_]:
    """Which labels reach a side of the window that lies inside the slide."""
    reaches = np.zeros(count + 1, np.bool_)
    core, outer = window.core, window.outer
    # A side without a margin is the slide's; with a margin of 0 nothing can be said, and cells may well be cut.
    for is_inner, line in (
        (outer.left < core.left, image[:, :1]),
        (outer.right > core.right, image[:, -1:]),
        (outer.top < core.top, image[:1]),
        (outer.bottom > core.bottom, image[-1:]),
    ):
        if is_inner:
            reaches[line] = True
    return reaches[1:]


def in_pieces(labels: LabelImage) -> npt.NDArray[np.int64]:
    """Labels whose pixels are not connected; pixels that touch at a corner are.

    Works on runs of equal pixels in rows, which are a twentieth of the pixels.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    row, start, end, value = _runs(labels)
    if not len(value):
        return np.empty(0, np.int64)
    # Runs of the next row that overlap one, by a pixel more on either side: runs are sorted by (row, start).
    stride = labels.shape[1] + 2
    first = np.searchsorted(row * stride + end, (row + 1) * stride + start, side="left")
    last = np.searchsorted(row * stride + start, (row + 1) * stride + end, side="right")
    many = np.maximum(last - first, 0)
    above = np.repeat(np.arange(len(row)), many)
    below = np.arange(len(above)) - np.repeat(np.cumsum(many) - many, many) + first[above]
    same = value[above] == value[below]
    above, below = above[same], below[same]
    size = len(row)
    graph = coo_array((np.ones(len(above), np.bool_), (above, below)), shape=(size, size))
    _, part = connected_components(graph, directed=False)
    pairs = np.unique(np.stack([value.astype(np.int64), part.astype(np.int64)], axis=1), axis=0)
    found, pieces = np.unique(pairs[:, 0], return_counts=True)
    return np.asarray(found[pieces > 1])


def _runs(
    labels: LabelImage,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64], LabelImage]:
    """Row, first column, column after the last, and label of all runs that are not background."""
    columns = labels.shape[1]
    framed = np.zeros((labels.shape[0], columns + 1), np.uint32)
    framed[:, :-1] = labels
    flat = framed.reshape(-1)
    change = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if flat.size and flat[0]:
        change = np.concatenate([[0], change])
    ends = np.append(change[1:], flat.size)
    value = flat[change]
    inside = value > 0
    row, start = np.divmod(change[inside], columns + 1)
    return row, start, start + (ends - change)[inside], value[inside]
