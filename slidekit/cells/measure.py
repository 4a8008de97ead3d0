"""Measures of cells: size, shape and colour, of all cells of an image at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from slidekit.cells.windows import CellFrame
from slidekit.pixels.image import RGBImage

__all__ = ["COLOUR_COLUMNS", "SHAPE_COLUMNS", "Columns", "measure_labels", "measure_polygons"]

Columns = dict[str, npt.NDArray[np.float64]]
"""Name of a measure to its values, one a cell."""

SHAPE_COLUMNS = (
    "x",
    "y",
    "area_um2",
    "eccentricity",
    "major_um",
    "minor_um",
    "left",
    "top",
    "right",
    "bottom",
)
"""Centroid, box: level-0 pixels; area µm²; axes of the ellipse of equal second moments µm."""

COLOUR_COLUMNS = ("red", "green", "blue", "hematoxylin", "eosin")
"""Means over a cell: 0–255, and optical density (base 10) of the two stains."""

_STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
"""Hematoxylin, eosin and a residual (DAB) in R, G, B; Ruifrok and Johnston, Anal. Quant. Cytol. Histol. 23, 2001."""


def measure_labels(
    labels: npt.NDArray[np.uint32], image: RGBImage, frame: CellFrame, corner: tuple[int, int]
) -> Columns:
    """Measure labelled cells.

    Area, centroid and second moments are those of the pixels as points at their centres, as in scikit-image's
    ``regionprops``: an ellipse of equal moments has axes 4 · √λ and eccentricity √(1 − λ₂ / λ₁) for the eigenvalues
    λ₁ ≥ λ₂ of the covariance.

    Parameters
    ----------
    labels
        uint32 (rows, columns): 1 … n, none missing.
    image
        uint8 (rows, columns, 3), RGB.
    frame
        The pixels that both are a part of.
    corner
        (x, y) of that part's top left, pixels of the frame.

    Returns
    -------
    dict of ndarray (n,), float64
        `SHAPE_COLUMNS` and `COLOUR_COLUMNS`.
    """
    places = np.flatnonzero(labels)
    numbers = labels.reshape(-1)[places].astype(np.int64) - 1
    count = int(labels.max()) if labels.size else 0
    rows, columns = np.divmod(places, max(1, labels.shape[1]))
    low, high = _boxes(np.stack([columns, rows]), numbers, count)
    area = np.bincount(numbers, minlength=count).astype(np.float64)

    def total(values: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
        return np.asarray(np.bincount(numbers, weights=values, minlength=count), np.float64)

    # From the box's corner on, sums are the same whole numbers in whatever window a cell is seen.
    x, y = columns - low[0][numbers], rows - low[1][numbers]
    mean_x, mean_y = total(x) / area, total(y) / area
    um_x, um_y = frame.mpp
    var_x = (total(x * x) / area - mean_x**2) * um_x**2
    var_y = (total(y * y) / area - mean_y**2) * um_y**2
    cov = (total(x * y) / area - mean_x * mean_y) * um_x * um_y
    scale = np.array(frame.pixel)[:, np.newaxis]
    first = np.array(corner)[:, np.newaxis]
    centre = (low + first + np.stack([mean_x, mean_y]) + 0.5) * scale
    box = np.concatenate([low + first, high + first + 1]) * np.tile(scale, (2, 1))
    return {
        "x": centre[0],
        "y": centre[1],
        "area_um2": area * um_x * um_y,
        **_ellipse(var_x, var_y, cov),
        **dict(zip(("left", "top", "right", "bottom"), box, strict=True)),
        **_colours(image.reshape(-1, 3)[places], numbers, area),
    }


def _boxes(
    at: npt.NDArray[np.int64], numbers: npt.NDArray[np.int64], count: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Least and largest column and row of each cell, (2, count)."""
    low, high = np.full((2, count), np.iinfo(np.int64).max), np.full((2, count), -1)
    for axis in (0, 1):
        np.minimum.at(low[axis], numbers, at[axis])
        np.maximum.at(high[axis], numbers, at[axis])
    return low, high


def _ellipse(var_x: npt.NDArray[np.float64], var_y: npt.NDArray[np.float64], cov: npt.NDArray[np.float64]) -> Columns:
    """Axes and eccentricity from the covariance, by its eigenvalues in closed form."""
    mean, half = (var_x + var_y) / 2, np.hypot((var_x - var_y) / 2, cov)
    large, small = np.maximum(mean + half, 0), np.maximum(mean - half, 0)
    ratio = np.divide(small, large, out=np.ones_like(large), where=large > 0)
    return {
        "eccentricity": np.sqrt(1 - ratio),
        "major_um": 4 * np.sqrt(large),
        "minor_um": 4 * np.sqrt(small),
    }


def _colours(pixels: npt.NDArray[np.uint8], numbers: npt.NDArray[np.int64], area: npt.NDArray[np.float64]) -> Columns:
    density = -np.log10(np.maximum(np.arange(256), 1) / 255)
    means, densities = [], []
    for channel in pixels.T:
        means.append(np.bincount(numbers, weights=channel, minlength=len(area)) / area)
        densities.append(np.bincount(numbers, weights=density[channel], minlength=len(area)) / area)
    # Separation is linear in optical density: that of the mean is the mean of those of all pixels.
    unit = _STAINS / np.linalg.norm(_STAINS, axis=1, keepdims=True)
    unmix = np.linalg.inv(unit).T.tolist()
    # Not as a product of matrices: how that rounds depends on how many cells a window has.
    stains = [a * densities[0] + b * densities[1] + c * densities[2] for a, b, c in unmix[:2]]
    return dict(zip(COLOUR_COLUMNS, (*means, *stains), strict=True))


def measure_polygons(
    vertices: npt.NDArray[np.floating], counts: npt.NDArray[np.int64], slide_mpp: tuple[float, float]
) -> Columns:
    """Measure cells by their outlines, with exact moments of the areas (Green's theorem).

    Parameters
    ----------
    vertices
        (m, 2) of (x, y), level-0 pixels: outline after outline, none with its first place again at the end.
    counts
        (n,) vertices of each outline, at least 3.
    slide_mpp
        µm/px of level 0 along x and y.

    Returns
    -------
    dict of ndarray (n,), float64
        `SHAPE_COLUMNS`.
    """
    starts = np.cumsum(counts) - counts
    owner = np.repeat(np.arange(len(counts)), counts)
    if not len(counts):
        return {name: np.empty(0) for name in SHAPE_COLUMNS}
    points = np.asarray(vertices, np.float64)
    low = np.minimum.reduceat(points, starts)
    high = np.maximum.reduceat(points, starts)
    # Near the origin nothing is lost to cancellation.
    near = (points - low[owner]) * np.array(slide_mpp)
    after = np.arange(1, len(points) + 1)
    after[starts + counts - 1] = starts
    (x0, y0), (x1, y1) = near.T, near[after].T
    cross = x0 * y1 - x1 * y0

    def total(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(np.add.reduceat(values, starts))

    double = total(cross)
    safe = np.where(double == 0, 1, double)
    mean_x, mean_y = total((x0 + x1) * cross) / (3 * safe), total((y0 + y1) * cross) / (3 * safe)
    var_x = total((x0 * x0 + x0 * x1 + x1 * x1) * cross) / (6 * safe) - mean_x**2
    var_y = total((y0 * y0 + y0 * y1 + y1 * y1) * cross) / (6 * safe) - mean_y**2
    cov = total((x0 * y1 + 2 * x0 * y0 + 2 * x1 * y1 + x1 * y0) * cross) / (12 * safe) - mean_x * mean_y
    flat = double == 0
    centre = np.where(flat[:, None], (low + high) / 2, low + np.stack([mean_x, mean_y], axis=1) / np.array(slide_mpp))
    shapes = _ellipse(*(np.where(flat, 0, value) for value in (var_x, var_y, cov)))
    return {
        "x": centre[:, 0],
        "y": centre[:, 1],
        "area_um2": np.abs(double) / 2,
        **shapes,
        "left": low[:, 0],
        "top": low[:, 1],
        "right": high[:, 0],
        "bottom": high[:, 1],
    }
