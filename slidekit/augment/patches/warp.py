"""Warp of a patch by a grid of points that are moved a little, the border's points excepted.

Between the points the displacement is interpolated bilinearly. (histo-fetch cuts each cell of the grid into two
triangles instead; both agree at the points and along the cells' edges, and no triangle has to be searched for here.)
As the border stays where it is, and nothing folds, all that is seen lies within the patch: nothing must be padded.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Positions", "move_points", "source_positions", "warp_image", "warp_labels"]

Positions: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32]]
"""x and y, each (h, w): the place in the unwarped patch, in pixels (0 is the first pixel's centre), of each pixel."""

_NOTHING = np.zeros((0, 0), np.float32)

_MOST = 0.24
"""By what part of a cell a point may move along each axis.

With edges e₁ = (w + a, b) and e₂ = (c, h + d) of a cell of w × h, whose ends move by at most m·w and m·h, |a| and |c|
are at most 2mw, |b| and |d| at most 2mh; the corner's area is then e₁ × e₂ ≥ wh((1 − 2m)² − 4m²) = wh(1 − 4m). Below
m = 1/4 it is positive at the four corners, so the cell stays convex, and the bilinear map of it is one to one.
"""


def move_points(normal: NDArray[np.float64], displacement: float, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Displacements of a grid's points: as drawn for the inner ones, zero along the border.

    Parameters
    ----------
    normal
        (points - 2, points - 2, 2), standard normal, (x, y).
    displacement
        Standard deviation along both axes, as a share of the patch's height. What would be more than 0.24 of a cell is
        made that, so that the patch cannot fold.
    shape
        (height, width) of the patch.

    Returns
    -------
    ndarray (points, points, 2), float64
        (x, y) as shares of the patch's width and height.
    """
    height, width = shape
    most = _MOST / (len(normal) + 1)
    shares = normal * (displacement * np.array([height / width, 1.0]))
    return np.pad(np.clip(shares, -most, most), ((1, 1), (1, 1), (0, 0)))


def source_positions(shape: tuple[int, int], moves: NDArray[np.float64], zoom: float = 1.0) -> Positions:
    """Where each pixel of the warped patch comes from.

    Parameters
    ----------
    shape
        (height, width) of the patch, pixels.
    moves
        (points, points, 2), of `move_points`.
    zoom
        How many times wider the patch sees than the grid spans, at least 1; beyond the grid, which lies in the
        middle, nothing is moved.

    Returns
    -------
    tuple of ndarray (h, w), float32
        x and y.
    """
    height, width = shape
    points = len(moves)
    if zoom > 1:
        moves = np.pad(moves, ((1, 1), (1, 1), (0, 0)))
    knots = _knots(points, zoom)
    across, down = _weights(width, points, zoom), _weights(height, points, zoom)
    x = ((knots + moves[..., 0] / zoom) * width - 0.5).astype(np.float32)
    y = ((knots[:, None] + moves[..., 1] / zoom) * height - 0.5).astype(np.float32)
    return _product(_product(down, x), across.T), _product(_product(down, y), across.T)


def warp_image(image: NDArray[np.uint8], positions: Positions) -> NDArray[np.uint8]:
    """Pixels from where `positions` says, (h, w, 3), interpolated bilinearly to 1/32 of a pixel."""
    # Converting first halves the time.
    whole, parts = cv2.convertMaps(*positions, cv2.CV_16SC2)
    warped = cv2.remap(image, whole, parts, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)


def warp_labels(labels: NDArray[np.uint8], positions: Positions) -> NDArray[np.uint8]:
    """Labels of the nearest pixels, (h, w): no value that was not there before."""
    warped = cv2.remap(labels, *positions, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)


@lru_cache(maxsize=64)
def _knots(points: int, zoom: float) -> NDArray[np.float64]:
    """Where along an axis the points are, from 0 to 1; the patch's own ends too where the grid is smaller."""
    knots = 0.5 + (np.linspace(0, 1, points) - 0.5) / zoom
    if zoom > 1:
        knots = np.concatenate([[0.0], knots, [1.0]])
    knots.flags.writeable = False
    return knots


@lru_cache(maxsize=64)
def _weights(size: int, points: int, zoom: float) -> NDArray[np.float32]:
    """(size, knots): how much each pixel's centre has of each knot."""
    knots = _knots(points, zoom)
    centres = (np.arange(size) + 0.5) / size
    weights = np.stack([np.interp(centres, knots, one) for one in np.eye(len(knots))], axis=1).astype(np.float32)
    weights.flags.writeable = False
    return weights


def _product(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    # Not numpy's: its library starts threads of its own, in each worker process.
    return np.asarray(cv2.gemm(left, np.ascontiguousarray(right), 1.0, _NOTHING, 0.0), np.float32)
