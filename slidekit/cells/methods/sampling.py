"""A few windows of a slide's tissue, chosen without chance, from which its stains are measured."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from slidekit.cells.methods.base import OverviewSlide
from slidekit.errors import CellError, SlideReadError
from slidekit.pixels.image import WHITE, RGBImage

__all__ = ["check_bright_field", "glass_colour", "tissue_samples", "working_size"]

_OVERVIEW_PX = 1024
_WINDOW_PX = 512
_WINDOWS = 12
_SMALLEST_PX = 64
"""Edge of a part of a window below which it is given up where it cannot be decoded."""

_GLASS_PERCENTILE = 99.0
_MOST_LOST = 0.05
"""Share of an overview that may be undecodable."""

_DARK_FIELD = 60
"""Grey level that most of a window exceeds in its brightest channel where stains take light away, and does not where
tissue itself shines."""

_LOWEST_WHITE = 180.0
"""A channel whose bright end is darker than this has no glass in sight: white is taken."""


def working_size(slide: OverviewSlide, mpp: float) -> tuple[int, int]:
    """Columns and rows of a whole slide at a µm/px."""
    width, height = slide.dimensions
    return max(1, round(width * slide.mpp_x / mpp)), max(1, round(height * slide.mpp_y / mpp))


def glass_colour(image: RGBImage) -> tuple[float, float, float]:
    """(R, G, B) of glass: the bright end of each channel."""
    pixels = image.reshape(-1, 3)
    # Overviews show what cannot be decoded as white, which may be brighter than the slide's glass.
    blank = (pixels == WHITE).all(axis=1)
    if 0 < np.count_nonzero(blank) <= _MOST_LOST * len(blank):
        pixels = pixels[~blank]
    bright = np.percentile(pixels, _GLASS_PERCENTILE, axis=0)
    red, green, blue = (float(value) if value >= _LOWEST_WHITE else float(WHITE) for value in bright)
    return red, green, blue


def check_bright_field(samples: list[RGBImage]) -> None:
    """See that light passes through the tissue.

    Parameters
    ----------
    samples
        Windows of it, uint8 (rows, columns, 3).

    Raises
    ------
    CellError
        If most of it is dark, as in fluorescence: no stain is seen there by the light that it takes away.
    """
    brightest = np.concatenate([sample.max(axis=2).ravel() for sample in samples])
    # An empty black slide has no cells, and nothing that shines.
    usual, bright = np.percentile(brightest, (50, 99))
    if usual < _DARK_FIELD <= bright:
        raise CellError(
            "is dark where its tissue is, as in fluorescence: method classical is for stains in bright field.",
            mend="Use method cellpose with weights for such slides, or a function of your own.",
        )


def tissue_samples(slide: OverviewSlide, mpp: float) -> tuple[list[RGBImage], tuple[float, float, float]]:
    """Read windows of the slide's tissue, and the colour of its glass.

    Parameters
    ----------
    slide
        The slide.
    mpp
        µm/px of the windows.

    Returns
    -------
    samples : list of ndarray
        Of up to twelve places, uint8 (rows, columns, 3), spread over the tissue; where pixels cannot be decoded, what
        is left of a window, in parts.
    white : tuple of float
        (R, G, B) of glass.

    Raises
    ------
    SlideReadError
        If more than 5 % of the slide cannot be decoded, or nothing of the windows.
    """
    columns, rows = working_size(slide, mpp)
    shrink = max(1.0, max(columns, rows) / _OVERVIEW_PX)
    small = slide.overview(max(1, round(columns / shrink)), max(1, round(rows / shrink)))
    edge = min(_WINDOW_PX, columns, rows)
    corners = _corners(small, (columns, rows), edge)
    samples = [part for corner in corners for part in _readable(slide, (columns, rows), corner, edge)]
    if not samples:
        raise SlideReadError(
            "its tissue cannot be decoded.", mend="Check the file; slidekit verify names what is damaged."
        )
    return samples, glass_colour(small)


def _readable(slide: OverviewSlide, size: tuple[int, int], corner: tuple[int, int], edge: int) -> list[RGBImage]:
    """A window, or quarters of quarters of it where it is damaged: one tile must not cost the slide."""
    try:
        return [slide.overview_window(*size, corner=corner, size=(edge, edge))]
    except SlideReadError:
        half = edge // 2
        if half < _SMALLEST_PX:
            return []
    corners = [(corner[0] + x, corner[1] + y) for y in (0, half) for x in (0, half)]
    return [part for one in corners for part in _readable(slide, size, one, half)]


def _corners(small: RGBImage, size: tuple[int, int], edge: int) -> list[tuple[int, int]]:
    """Corners of windows in the working grid, evenly by rank among places that hold much tissue."""
    columns, rows = size
    saturation = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)[..., 1]
    threshold, _ = cv2.threshold(saturation, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    tissue = (saturation > threshold).astype(np.float32)
    xs = np.arange(0, max(columns - edge, 0) + 1, max(edge, 1))
    ys = np.arange(0, max(rows - edge, 0) + 1, max(edge, 1))
    sums = cv2.integral(tissue)
    scale_x, scale_y = small.shape[1] / columns, small.shape[0] / rows

    def at(values: npt.NDArray[np.int64], scale: float, most: int) -> npt.NDArray[np.int64]:
        return np.asarray(np.minimum(np.rint(values * scale), most), dtype=np.int64)

    x0, x1 = at(xs, scale_x, small.shape[1]), at(xs + edge, scale_x, small.shape[1])
    y0, y1 = at(ys, scale_y, small.shape[0]), at(ys + edge, scale_y, small.shape[0])
    share = sums[np.ix_(y1, x1)] - sums[np.ix_(y0, x1)] - sums[np.ix_(y1, x0)] + sums[np.ix_(y0, x0)]
    best = np.flatnonzero(share.ravel() >= 0.5 * share.max())
    chosen = best[np.unique(np.linspace(0, len(best) - 1, min(_WINDOWS, len(best))).round().astype(int))]
    return [(int(xs[place % len(xs)]), int(ys[place // len(xs)])) for place in chosen]
