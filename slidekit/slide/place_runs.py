"""Runs of given places: which of them lie on one lattice of output pixels, and the order in which they are read."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["lay_runs"]

_SAME = 1e-6
"""Output pixels by which neighbours of one lattice may differ: over the widest strip that adds up to 0.016."""

_ROW = 0.01
"""Output pixels by which the places of one row may differ."""


def lay_runs(
    corners: npt.NDArray[np.float64], tile_px: int, size: npt.NDArray[np.float64], block: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], int]:
    """Find the places that can be read together: in one row, equal and whole numbers of output pixels apart.

    Parameters
    ----------
    corners
        (n, 2): top-left corners of tiles, level-0 pixels.
    tile_px
        Edge of a tile, output pixels.
    size
        (2,): edges of a tile along x and y, level-0 pixels.
    block
        (2,): width and height of the blocks in which runs are read one after another, level-0 pixels.

    Returns
    -------
    tuple
        (n,) int64, the order of places; (m,) int64, the number of places in each run of that order; the runs' pitch in
        output pixels, 0 where no places are joined.
    """
    if not len(corners):
        return np.empty(0, np.int64), np.empty(0, np.int64), 0
    pixel = size / tile_px
    row, top = _rows(corners[:, 1], float(pixel[1]))
    order = np.lexsort((corners[:, 0], row))
    left, row = corners[order, 0], row[order]
    gaps = np.diff(left) / pixel[0]
    whole = np.rint(gaps)
    on_lattice = (np.diff(row) == 0) & (whole >= 1) & (np.abs(gaps - whole) < _SAME)
    pitch = _pitch(whole[on_lattice], tile_px, len(corners))
    joined = on_lattice & (whole == pitch)
    starts = np.flatnonzero(np.concatenate([[True], ~joined]))
    lengths = np.diff(np.concatenate([starts, [len(corners)]]))
    first = np.stack([left[starts], top[row[starts]]], axis=1)
    column, band = np.floor(first / block).T
    read = np.lexsort((first[:, 0], row[starts], column, band))
    starts, lengths = starts[read], lengths[read]
    ahead = np.cumsum(lengths) - lengths
    return order[np.repeat(starts - ahead, lengths) + np.arange(len(corners))], lengths, pitch


def _rows(tops: npt.NDArray[np.float64], pixel: float) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Number of the row of each place, from the top, and where each row begins; `pixel` is an output pixel's height."""
    order = np.argsort(tops, kind="stable")
    down = tops[order] / pixel
    begins = np.concatenate([[True], np.diff(down) > _SAME])
    # Each as good as beside the next, and the last far below the first: a slope is more than one row.
    below = down - down[begins][np.cumsum(begins) - 1]
    begins[1:] |= np.diff(np.floor(below / _ROW)) != 0
    row = np.empty(len(tops), np.int64)
    row[order] = np.cumsum(begins) - 1
    return row, tops[order][begins]


def _pitch(gaps: npt.NDArray[np.float64], tile_px: int, places: int) -> int:
    """The distance at which most neighbours lie, output pixels; 0 if nothing is won by reading them together."""
    if not len(gaps):
        return 0
    found, counts = np.unique(gaps, return_counts=True)
    best = int(np.argmax(counts))
    # What lies between tiles is read in vain; a grid with gaps does it, for the sake of few, long reads.
    worth_it = found[best] <= tile_px or counts[best] >= places / 2
    return int(found[best]) if worth_it else 0
