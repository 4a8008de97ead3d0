"""Outlines of labelled cells, all at once, and outlines as labels again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely

from slidekit.slide.roi.fill import Raster, fill_polygon

__all__ = ["paint_outlines", "trace_outlines"]

# Ways along the edges of a pixel with the pixel on the right: its upper edge, right, lower, left.
_EAST, _SOUTH, _WEST, _NORTH = range(4)

_OUTWARD = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)])
"""(row, column) from a pixel to its neighbour across the edge of each way."""

_MIDDLE = np.array([(1, 0), (2, 1), (1, 2), (0, 1)])
"""(x, y) of the middle of the edge of each way, in half pixels from the pixel's top left."""


def trace_outlines(labels: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Outline all cells of a label image.

    An outline goes through the middles of the edges between pixels of the cell and others (marching squares, Lorensen
    and Cline, SIGGRAPH 1987, in the plane): all centres of the cell's pixels lie inside, all others outside, and its
    area is half a pixel less than theirs. Pixels that touch at a corner are connected. Holes are not outlined; of a
    cell in pieces the piece of the largest area is.

    Parameters
    ----------
    labels
        uint32 (rows, columns): 1 … n, none missing.

    Returns
    -------
    vertices : ndarray (m, 2), int64
        (x, y) in half pixels from the top left of the image, clockwise as seen; outline after outline.
    counts : ndarray (n,), int64
        Vertices of each.
    """
    count = int(labels.max()) if labels.size else 0
    if not count:
        return np.empty((0, 2), np.int64), np.zeros(0, np.int64)
    padded = np.pad(labels, 1)
    edges, cell = _edges(padded)
    ring, step = _rings(_following(padded, edges))
    order = np.lexsort((step, ring))
    pixel, way = np.divmod(edges[order], 4)
    rows, columns = np.divmod(pixel, padded.shape[1])
    points = 2 * np.stack([columns - 1, rows - 1], axis=1) + _MIDDLE[way]
    starts = np.flatnonzero(np.diff(ring[order], prepend=-1))
    lengths = np.diff(starts, append=len(order))
    taken = _largest(points, starts, lengths, cell[order][starts] - 1, count)
    chosen, place = _gather(starts[taken], lengths[taken])
    kept = _corners(points[chosen], place, lengths[taken])
    owner = np.repeat(np.arange(count), lengths[taken])
    return points[chosen][kept], np.bincount(owner[kept], minlength=count)


def _edges(padded: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Edges of pixels towards other labels, as 4 · pixel + way, sorted; and the label that each is of."""
    inner = padded[1:-1, 1:-1]
    rows, columns = padded.shape
    found = []
    for way, (down, right) in enumerate(_OUTWARD.tolist()):
        neighbour = padded[1 + down : rows - 1 + down, 1 + right : columns - 1 + right]
        y, x = np.nonzero((inner > 0) & (inner != neighbour))
        found.append(4 * ((y + 1) * columns + x + 1) + way)
    edges = np.sort(np.concatenate(found).astype(np.int64))
    return edges, padded.reshape(-1)[edges // 4].astype(np.int64)


def _following(padded: npt.NDArray[np.uint32], edges: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Which edge comes after each on the way around its cell."""
    pixel, way = np.divmod(edges, 4)
    flat, columns = padded.reshape(-1), padded.shape[1]
    outward = _OUTWARD @ np.array([columns, 1])
    ahead = outward[(way + 1) % 4]
    across = pixel + ahead + outward[way]
    own = flat[pixel]
    # The pixel diagonally ahead first: pixels that touch at a corner are connected.
    turns_left = flat[across] == own
    goes_on = ~turns_left & (flat[pixel + ahead] == own)
    after_pixel = np.where(turns_left, across, np.where(goes_on, pixel + ahead, pixel))
    after_way = np.where(turns_left, way - 1, np.where(goes_on, way, way + 1)) % 4
    return np.asarray(np.searchsorted(edges, 4 * after_pixel + after_way), np.int64)


def _rings(following: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Least edge of the ring that each edge is in, and how many steps it is from there on (Wyllie's list ranking)."""
    size = len(following)
    least, jump = np.arange(size), following
    while True:
        new = np.minimum(least, least[jump])
        if np.array_equal(new, least):
            break
        least, jump = new, jump[jump]
    # Steps to the ring's last edge, whose follower is the least: it ends the list.
    is_last = following == least
    jump = np.where(is_last, np.arange(size), following)
    left = np.where(is_last, 0, 1)
    while not np.array_equal(further := jump[jump], jump):
        left, jump = left + left[jump], further
    return least, left[least] - left


def _largest(
    points: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
    cell: npt.NDArray[np.int64],
    count: int,
) -> npt.NDArray[np.int64]:
    """For each cell its ring of the largest area; holes go around the other way and have negative ones."""
    after = np.arange(1, len(points) + 1)
    after[starts + lengths - 1] = starts
    (x0, y0), (x1, y1) = points.T, points[after].T
    doubled = np.add.reduceat(x0 * y1 - x1 * y0, starts)
    order = np.lexsort((-doubled, cell))
    first = np.searchsorted(cell[order], np.arange(count))
    return np.asarray(order[first])


def _gather(
    starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Places ``start … start + length − 1`` of all, one after the other; and where each begins among them."""
    begins = np.cumsum(lengths) - lengths
    within = np.arange(int(lengths.sum())) - np.repeat(begins, lengths)
    return np.repeat(starts, lengths) + within, begins


def _corners(
    points: npt.NDArray[np.int64], begins: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Which vertices are not on the straight line between their neighbours."""
    before, after = np.arange(-1, len(points) - 1), np.arange(1, len(points) + 1)
    before[begins], after[begins + lengths - 1] = begins + lengths - 1, begins
    come, go = points - points[before], points[after] - points
    return np.asarray(come[:, 0] * go[:, 1] != come[:, 1] * go[:, 0])


def paint_outlines(
    image: npt.NDArray[np.uint32],
    raster: Raster,
    outlines: list[npt.NDArray[np.floating]],
    numbers: npt.NDArray[np.int64],
) -> None:
    """Paint outlines into a label image: pixels whose centres lie inside.

    Parameters
    ----------
    image
        uint32 (rows, columns); what it holds already stays.
    raster
        Where its pixels lie on the slide.
    outlines
        (k, 2) each, level-0 pixels; less than 3 places are nothing.
    numbers
        What each is painted with.
    """
    for outline, number in zip(outlines, numbers.tolist(), strict=True):
        if len(outline) < 3:
            continue
        for rows, columns, inside in fill_polygon(shapely.Polygon(outline), raster):
            part = image[rows, columns]
            part[inside & (part == 0)] = number
