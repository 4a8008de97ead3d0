"""The two stains of an image, by the geometry of its optical density."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from slidekit.norm.bounds import (
    MIN_ANGLE,
    MIN_GAP,
    MIN_LENGTH,
    MIN_PEAK,
    MIN_SECOND_VARIANCE,
    MIN_STAINED_PIXELS,
    MIN_STAINED_SHARE,
    SAME_RED,
)
from slidekit.norm.percentiles import percentile

__all__ = ["Stains", "find_stains"]

# The paper's alpha, and the percentile of the concentrations that is matched.
_ALPHA = 1.0
_PEAK_PERCENTILE = 99.0

_SUMS_OF_TWO = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1]], np.float32)


class Stains(NamedTuple):
    """The two stains of an image, haematoxylin first."""

    matrix: NDArray[np.float64]
    """(3, 2): optical density in R, G, B of one unit of each stain; columns of length 1."""
    unmix: NDArray[np.float64]
    """(2, 3): concentrations from optical density; the least-squares inverse of `matrix`."""
    peaks: NDArray[np.float64]
    """(2,): 99th percentile of each stain's concentration, over all pixels, or what was given for it."""


def find_stains(
    density: NDArray[np.float32], stained: NDArray[np.uint8], *, peaks: NDArray[np.float64] | None = None
) -> Stains | None:
    """Separate two stains as Macenko et al. (ISBI 2009) do.

    The optical densities of stained pixels are projected onto the plane of their two leading principal
    components; the 1st and the 99th percentile of the angle in that plane are the stains. Haematoxylin is
    the one that absorbs more red.

    Parameters
    ----------
    density
        Optical density, float32 (h, w, 3), R, G, B.
    stained
        Mask of stained pixels, uint8 (h, w), 255 where stained.
    peaks
        Concentrations (2,), haematoxylin first, to take as the 99th percentiles: those of a whole slide, which
        need not be defined on this image.

    Returns
    -------
    Stains or None
        None where two stains are not defined: fewer than 16 stained pixels or 1 % of all; densities on a
        line (one colour, gray, a mixture of two colours) or about one stain; hardly any of one stain.
    """
    selected = stained.astype(bool)
    count = np.count_nonzero(selected)
    if count < max(MIN_STAINED_PIXELS, MIN_STAINED_SHARE * selected.size):
        return None
    plane = _principal_plane(density, stained)
    if plane is None:
        return None
    along, across = _project(density, plane)
    angles = _angle_percentiles(along, across, selected)
    sine = np.sin(angles[1] - angles[0])
    if sine < np.sin(MIN_ANGLE):
        return None
    in_plane = np.array([np.cos(angles), np.sin(angles)])
    matrix = plane.T @ in_plane
    # The columns of in_plane have length 1, so that its determinant is the sine of the angle between them.
    inverse = np.array([[in_plane[1, 1], -in_plane[0, 1]], [-in_plane[1, 0], in_plane[0, 0]]]) / sine
    if matrix[0, 1] - matrix[0, 0] > SAME_RED:
        matrix, inverse = matrix[:, ::-1], inverse[::-1]
    if peaks is None:
        peaks = np.array([_peak(along, across, weights) for weights in inverse])
        if peaks.min() < MIN_PEAK:
            return None
    return Stains(matrix, inverse @ plane, peaks)


def _principal_plane(density: NDArray[np.float32], stained: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """Orthonormal basis (2, 3) of the plane of the two leading principal components, if there is one.

    The first axis is the mean density's direction in the plane, the second stands on it. The paper's axes
    are the principal components themselves; measured from the mean, the angles only differ by a constant,
    they do not depend on the signs and the order that LAPACK gives to eigenvectors, and no pixel lies where
    angles jump by 2π.
    """
    mean, covariance = _mean_and_covariance(density, stained)
    variances, directions = np.linalg.eigh(covariance)
    if variances[1] < MIN_SECOND_VARIANCE or variances[1] - variances[0] < MIN_GAP * variances[2]:
        return None
    normal = directions[:, 0]
    normal = normal * np.sign(normal[np.argmax(np.abs(normal))])
    along = mean - (mean @ normal) * normal
    length = np.linalg.norm(along)
    if length < MIN_LENGTH:
        return None
    along /= length
    return np.array([along, np.cross(normal, along)])


def _mean_and_covariance(
    density: NDArray[np.float32], stained: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (3,) and covariance (3, 3) of the stained pixels.

    Covariances come from the variances of sums, cov(x, y) = (var(x + y) − var(x) − var(y)) / 2: OpenCV
    takes variances under a mask in float64 many times faster than numpy gathers the pixels, and in an order
    that no number of threads changes.
    """
    mean, spread = cv2.meanStdDev(density, mask=stained)
    _, spread_of_sums = cv2.meanStdDev(cv2.transform(density, _SUMS_OF_TWO), mask=stained)
    variance = np.square(np.asarray(spread, np.float64).reshape(3))
    covariance = np.diag(variance)
    for row, column, of_sum in zip((0, 0, 1), (1, 2, 2), np.square(spread_of_sums).reshape(3), strict=True):
        covariance[row, column] = (of_sum - variance[row] - variance[column]) / 2
        covariance[column, row] = covariance[row, column]
    return np.asarray(mean, np.float64).reshape(3), covariance


def _project(
    density: NDArray[np.float32], plane: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Coordinates of every pixel in the plane, two float32 (h, w)."""
    # cv2.transform is eight times faster with three rows than with two.
    rows = np.vstack([plane, np.zeros(3)]).astype(np.float32)
    along, across, _ = cv2.split(cv2.transform(density, rows))
    return along.astype(np.float32, copy=False), across.astype(np.float32, copy=False)


def _angle_percentiles(
    along: NDArray[np.float32], across: NDArray[np.float32], selected: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """1st and 99th percentile (2,) of the angles of the selected points, in radians."""
    tails = (_ALPHA, 100 - _ALPHA)
    if cv2.minMaxLoc(along, selected.view(np.uint8))[0] > 0:
        # The angle grows with the tangent: the percentiles need two arc tangents each instead of one a pixel.
        tangent = cv2.divide(across, along)[selected].astype(np.float32, copy=False)
        return np.array([percentile(tangent, q, np.arctan) for q in tails])
    angle = np.arctan2(across[selected], along[selected])
    return np.array([percentile(angle, q) for q in tails])


def _peak(along: NDArray[np.float32], across: NDArray[np.float32], weights: NDArray[np.float64]) -> float:
    """99th percentile of a weighted sum of the coordinates, over all pixels."""
    concentration = cv2.addWeighted(along, float(weights[0]), across, float(weights[1]), 0)
    return percentile(concentration.reshape(-1).astype(np.float32, copy=False), _PEAK_PERCENTILE)
