"""Images of any size through a generator: mirrored up to what it takes, or cut into windows that overlap.

What a convolution makes of the border of its image differs from what it makes of the same pixels within one, and
the statistics of an instance normalisation differ from window to window. Each window's result therefore fades out
towards its neighbours over the quarter that they share, by the square of a sine; of the neighbour's, the square of
the cosine fades in, so that the weights add up to one everywhere.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from slidekit.norm.generator.base import Generator

__all__ = ["LARGEST_WINDOW", "MULTIPLE", "Axis", "apply_in_windows", "plan_axis"]

MULTIPLE = 4
"""Sides of images have to be a multiple of this for a generator that halves and doubles them twice (as in Zhu et al.,
ICCV 2017)."""

LARGEST_WINDOW = 512
"""Pixels: larger images are cut, where the generator has no window of its own."""

# Pixels that are worked on together: an activation of 64 channels takes 64 MiB for them.
_PIXELS_AT_A_TIME = 512 * 512


class Axis(NamedTuple):
    """How an axis of an image is cut."""

    before: int
    """Mirrored pixels in front of the image."""
    after: int
    """Mirrored pixels behind it."""
    size: int
    """Length of a window."""
    starts: tuple[int, ...]
    """Beginnings of the windows, from the first mirrored pixel."""
    weights: NDArray[np.float32]
    """(windows, size): share of each window in each of its pixels."""


def plan_axis(length: int, window: int | None) -> Axis:
    """Cut an axis.

    Parameters
    ----------
    length
        Of the image, in pixels.
    window
        Length that the generator takes; None if it takes any multiple of `MULTIPLE`.

    Returns
    -------
    Axis
        One window where the image is not longer. Otherwise neighbours share a quarter of the window, half of which
        is mirrored at both ends, so that what is near the border of a window is not the last word on any pixel.
    """
    size = window or _size(length)
    if length <= size:
        return Axis(0, size - length, size, (0,), np.ones((1, size), np.float32))
    overlap = size // 4
    before = overlap // 2
    stride = size - overlap
    count = -(-(length + 2 * before - overlap) // stride)
    rise = np.sin(np.pi / 2 * (np.arange(overlap) + 0.5) / max(overlap, 1)) ** 2
    weights = np.ones((count, size), np.float32)
    weights[1:, :overlap] = rise
    weights[:-1, stride:] = rise[::-1]
    after = count * stride + overlap - before - length
    return Axis(before, after, size, tuple(range(0, count * stride, stride)), weights)


def _size(length: int) -> int:
    """Length of the windows of an axis, where the generator has none of its own."""
    if length <= LARGEST_WINDOW:
        return -(-length // MULTIPLE) * MULTIPLE
    # As few windows as the largest would be, but no larger than they have to be: little is mirrored to fill them.
    count = -(-4 * length // (3 * LARGEST_WINDOW))
    return -(-4 * length // (3 * count * 4 * MULTIPLE)) * 4 * MULTIPLE


def apply_in_windows(generator: Generator, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Apply a generator to an image of any size.

    Parameters
    ----------
    generator
        The network.
    image
        float32 (h, w, 3), RGB, -1 to 1.

    Returns
    -------
    numpy.ndarray
        float32 (h, w, 3), a new array; not finite where the generator's numbers are not.

    Raises
    ------
    NormalizerError
        If the generator cannot work on such images.
    """
    height, width = image.shape[:2]
    rows, columns = plan_axis(height, generator.shape.height), plan_axis(width, generator.shape.width)
    padded = np.pad(image, ((rows.before, rows.after), (columns.before, columns.after), (0, 0)), mode="reflect")
    result = np.zeros_like(padded)
    count = generator.shape.batch or max(1, _PIXELS_AT_A_TIME // (rows.size * columns.size))
    every = list(product(range(len(rows.starts)), range(len(columns.starts))))
    for first in range(0, len(every), count):
        places = every[first : first + count]
        cuts = [_cut(rows, columns, *place) for place in places]
        windows = [padded[cut] for cut in cuts]
        # A generator may take batches of one size only: the last one is filled up.
        windows += windows[:1] * ((generator.shape.batch or 0) - len(windows))
        outputs = generator(np.stack(windows))
        for (row, column), cut, output in zip(places, cuts, outputs, strict=False):
            # Infinities of opposite signs add up to NaN, which is for the caller to find.
            with np.errstate(invalid="ignore", over="ignore"):
                result[cut] += output * (rows.weights[row][:, None, None] * columns.weights[column][:, None])
    return result[rows.before : rows.before + height, columns.before : columns.before + width]


def _cut(rows: Axis, columns: Axis, row: int, column: int) -> tuple[slice, slice]:
    top, left = rows.starts[row], columns.starts[column]
    return slice(top, top + rows.size), slice(left, left + columns.size)
