"""Windows that cover an axis from end to end, and how what is found in them adds up to one line of cells.

An axis of pixels is covered by windows of one size. What they give is blended where they overlap, by weights that rise
from a window's border by the square of a sine and that are made to add up to one at every pixel; cells, the pixels of
the result, are means over the pixels in them. Both are linear, so that each window's share of each cell is known
beforehand: results are added to cells as they come, and nothing larger than a window is held in between.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["WindowAxis", "WindowShare", "blended_axis", "separate_axis", "window_starts"]


@dataclass(frozen=True)
class WindowShare:
    """What one window contributes along an axis.

    Attributes
    ----------
    cells
        Cells that it reaches.
    pixels
        Its own pixels that lie on the axis.
    firsts
        First of those pixels in each of the cells, counted from ``pixels.start``.
    weights
        Share of each of those pixels in its cell.
    """

    cells: slice
    pixels: slice
    firsts: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]

    def of_whole(self) -> npt.NDArray[np.float64]:
        """Share of the whole window in each cell."""
        return np.asarray(np.add.reduceat(self.weights, self.firsts))

    def gather(self, values: npt.NDArray[np.floating], axis: int) -> npt.NDArray[np.float64]:
        """Weigh a window's values along an axis of theirs, and add up those of a cell.

        Parameters
        ----------
        values
            Any array; along `axis` it has the window's pixels.
        axis
            Which one is this.
        """
        inside = np.moveaxis(values, axis, -1)[..., self.pixels] * self.weights
        # Cells of one pixel each are the common case, and there is nothing to add up.
        summed = inside if len(self.firsts) == len(self.weights) else np.add.reduceat(inside, self.firsts, axis=-1)
        return np.asarray(np.moveaxis(summed, -1, axis))


@dataclass(frozen=True)
class WindowAxis:
    """An axis that is covered by windows.

    Attributes
    ----------
    starts
        First pixel of each window; negative where the axis is shorter than a window.
    size
        Pixels of a window.
    cells
        Number of cells of the result, which are of equal size, from end to end.
    shares
        Of each window.
    """

    starts: tuple[int, ...]
    size: int
    cells: int
    shares: tuple[WindowShare, ...]


def window_starts(length: int, size: int, overlap: int, *, multiple: int = 1) -> tuple[int, ...]:
    """Where windows begin that cover an axis, as few as can be, spread evenly from end to end.

    Parameters
    ----------
    length, size
        Of the axis and of a window, pixels.
    overlap
        Pixels that neighbours share at least.
    multiple
        Of which every start is one.

    Returns
    -------
    tuple of int
        Rising. The last window ends with the axis, or less than `multiple` behind it. A window that is longer than
        the axis is put in its middle.
    """
    if length <= size:
        return (-((size - length) // 2 // multiple) * multiple,)
    stride = max(1, (size - overlap) // multiple)
    last = -(-(length - size) // multiple)
    count = 1 + -(-last // stride)
    # Halves are rounded up, not to even: two steps that are equal must not differ by two.
    return tuple(int((2 * k * last + count - 1) // (2 * (count - 1))) * multiple for k in range(count))


def separate_axis(length: int, size: int) -> WindowAxis:
    """Windows without overlap, each of which is a cell of its own.

    Parameters
    ----------
    length, size
        Of the axis and of a window, pixels.

    Notes
    -----
    Where `length` is no multiple of `size`, neighbours share a few pixels, and the middle of a window lies within
    ``size / (2 · windows)`` of the middle of its cell: a quarter of a window at most.
    """
    starts = window_starts(length, size, 0)
    one = np.ones(1)
    shares = tuple(WindowShare(slice(k, k + 1), slice(0, 1), np.zeros(1, np.int64), one) for k in range(len(starts)))
    return WindowAxis(starts, size, len(starts), shares)


def blended_axis(length: int, starts: tuple[int, ...], size: int, cells: int) -> WindowAxis:
    """Windows whose results fade into each other.

    Parameters
    ----------
    length
        Of the axis, pixels.
    starts, size
        Of the windows.
    cells
        Cells of the result; not more than pixels.
    """
    steps = np.diff(starts)
    # The most that neighbours share fades; a window that is overlapped by more than half has no plateau.
    ramp = min(size - int(steps.min()), size // 2) if len(steps) else 0
    taper = np.ones(size)
    rise = np.sin(np.pi / 2 * (np.arange(ramp) + 0.5) / max(ramp, 1)) ** 2
    taper[:ramp] = rise
    taper[size - ramp :] = rise[::-1]
    total = np.zeros(length)
    for start in starts:
        total[max(start, 0) : start + size] += taper[max(-start, 0) : length - start]
    cell_of = np.minimum(((np.arange(length) + 0.5) * cells / length).astype(np.int64), cells - 1)
    count = np.bincount(cell_of, minlength=cells)
    share = 1 / (total * count[cell_of])
    shares = []
    for start in starts:
        first, stop = max(start, 0), min(start + size, length)
        found = cell_of[first:stop]
        firsts = np.flatnonzero(np.diff(found, prepend=found[0] - 1))
        shares.append(
            WindowShare(
                slice(int(found[0]), int(found[-1]) + 1),
                slice(first - start, stop - start),
                firsts,
                taper[first - start : stop - start] * share[first:stop],
            )
        )
    return WindowAxis(starts, size, cells, tuple(shares))
