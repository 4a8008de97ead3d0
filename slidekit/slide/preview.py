"""Pictures of a slide for people: the slide, tinted by QC, with regions of interest and kept tiles drawn in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import shapely

from slidekit.pixels.image import RGBImage
from slidekit.slide.fate import Fate
from slidekit.slide.qc.mask import QCMask

__all__ = ["LEGEND", "LegendEntry", "draw_preview"]


class LegendEntry(NamedTuple):
    """One colour of a preview.

    Attributes
    ----------
    label
        What it means.
    rgb
        The colour, 0–255 each.
    kind
        Whether areas are outlined or tinted in it.
    """

    label: str
    rgb: tuple[int, int, int]
    kind: Literal["outline", "fill"]


# Chosen to differ in lightness as well as in hue: they stay apart in print and for colour-blind readers.
KEPT = LegendEntry("kept tile", (0, 110, 60), "outline")
ROI_OUTLINE = LegendEntry("region of interest", (20, 60, 200), "outline")
BACKGROUND = LegendEntry("background", (120, 120, 120), "fill")
OUT_OF_FOCUS = LegendEntry("out of focus", (230, 120, 0), "fill")
OTHER_QC = LegendEntry("other QC", (150, 60, 170), "fill")

LEGEND: tuple[LegendEntry, ...] = (KEPT, ROI_OUTLINE, BACKGROUND, OUT_OF_FOCUS, OTHER_QC)
"""All colours of a preview, in the order of a legend."""

_TINT = 0.35
_VEIL = 0.45
_SUBPIXEL = 4
"""Fractional bits of coordinates that OpenCV draws with."""


def draw_preview(
    image: RGBImage,
    scale: tuple[float, float],
    *,
    masks: Sequence[QCMask] = (),
    polygons: Sequence[shapely.Polygon] = (),
    tiles: npt.NDArray[np.float64] | None = None,
) -> RGBImage:
    """Draw what was decided about a slide over a picture of it.

    Parameters
    ----------
    image
        (rows, columns, 3) uint8 RGB, the whole slide.
    scale
        Pixels of the picture per level-0 pixel, along x and y.
    masks
        QC masks; focus is drawn only where there is tissue, because glass is never in focus.
    polygons
        Regions of interest, level-0 pixels.
    tiles
        (n, 4) boxes of kept tiles: x0, y0, x1, y1 in level-0 pixels.

    Returns
    -------
    ndarray
        A picture of the same size; `image` is left as it was.
    """
    picture = _tint(image, masks)
    thin = max(1, round(max(image.shape) / 1200))
    if tiles is not None:
        _veil(picture, tiles * np.tile(scale, 2))
    if tiles is not None and len(tiles):
        edges = np.concatenate([tiles[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)]) * scale
        cv2.polylines(picture, list(_fixed(edges)), True, KEPT.rgb, thin, cv2.LINE_AA, _SUBPIXEL)
    for polygon in polygons:
        rings = [polygon.exterior, *polygon.interiors]
        points = [_fixed(np.asarray(ring.coords)[:, :2] * scale) for ring in rings]
        cv2.polylines(picture, points, True, ROI_OUTLINE.rgb, 2 * thin, cv2.LINE_AA, _SUBPIXEL)
    return picture


def _fixed(points: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    # OpenCV's pixel centres are whole numbers, ours are halves.
    return np.rint((points - 0.5) * (1 << _SUBPIXEL)).astype(np.int32)


def _veil(picture: RGBImage, boxes: npt.NDArray[np.float64]) -> None:
    """Pale what is not kept, in place: a dropped cell among kept ones has an outline on all sides, too."""
    outside = np.ones(picture.shape[:2], np.bool_)
    for x0, y0, x1, y1 in np.rint(boxes).astype(int):
        outside[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = False
    _blend(picture, outside, (255, 255, 255), _VEIL)


def _tint(image: RGBImage, masks: Sequence[QCMask]) -> RGBImage:
    rows, columns, _ = image.shape
    covered = np.zeros((rows, columns), np.bool_)
    picture = image.copy()
    # Background first: it hides what other methods say about glass.
    for mask in sorted(masks, key=lambda mask: mask.reason != Fate.BACKGROUND):
        entry = {Fate.BACKGROUND: BACKGROUND, Fate.OUT_OF_FOCUS: OUT_OF_FOCUS}.get(mask.reason, OTHER_QC)  # type: ignore[call-overload]
        area = cv2.resize(mask.mask.astype(np.uint8), (columns, rows), interpolation=cv2.INTER_AREA) > 0
        area &= ~covered
        covered |= area
        _blend(picture, area, entry.rgb, _TINT)
    return picture


def _blend(picture: RGBImage, area: npt.NDArray[np.bool_], rgb: tuple[int, int, int], share: float) -> None:
    """Mix a colour into an area, in place."""
    mixed = np.arange(256)[:, np.newaxis] * (1 - share) + np.array(rgb) * share
    cv2.copyTo(cv2.LUT(picture, mixed.astype(np.uint8)[np.newaxis]), area.view(np.uint8), picture)
