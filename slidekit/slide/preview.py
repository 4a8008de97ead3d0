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
        Whether areas are outlined, tinted, or outlined and hatched in it.
    """

    label: str
    rgb: tuple[int, int, int]
    kind: Literal["outline", "fill", "hatch"]


# Chosen to differ in lightness as well as in hue: they stay apart in print and for colour-blind readers.
KEPT = LegendEntry("kept tile", (0, 110, 60), "outline")
PALE = LegendEntry("not kept: paler", (250, 250, 250), "fill")
ROI_OUTLINE = LegendEntry("region of interest", (20, 60, 200), "outline")
BACKGROUND = LegendEntry("background", (120, 120, 120), "fill")
OUT_OF_FOCUS = LegendEntry("out of focus", (230, 120, 0), "fill")
PEN = LegendEntry("pen", (220, 195, 0), "fill")
FOLD = LegendEntry("fold", (130, 50, 25), "fill")
OTHER_QC = LegendEntry("other QC", (0, 165, 190), "fill")
ARTIFACT = LegendEntry("artifact region", (205, 0, 95), "hatch")

LEGEND: tuple[LegendEntry, ...] = (KEPT, PALE, ROI_OUTLINE, ARTIFACT, BACKGROUND, OUT_OF_FOCUS, PEN, FOLD, OTHER_QC)
"""All colours of a preview, in the order of a legend."""

_BY_REASON: dict[str, LegendEntry] = {
    Fate.BACKGROUND: BACKGROUND,
    Fate.OUT_OF_FOCUS: OUT_OF_FOCUS,
    "pen": PEN,
    "fold": FOLD,
}

_TINT, _GRAY_TINT = 0.5, 0.3
_VEIL = 0.45
_HATCH_PX = 9
"""Pixels from stroke to stroke, along a row, where lines are one pixel thin."""

_SUBPIXEL = 4
"""Fractional bits of coordinates that OpenCV draws with."""


def draw_preview(
    image: RGBImage,
    scale: tuple[float, float],
    *,
    masks: Sequence[QCMask] = (),
    polygons: Sequence[shapely.Polygon] = (),
    artifacts: Sequence[shapely.Polygon] = (),
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
    artifacts
        Regions that are removed, level-0 pixels.
    tiles
        (n, 4) boxes of kept tiles: x0, y0, x1, y1 in level-0 pixels.

    Returns
    -------
    ndarray
        A picture of the same size; `image` is left as it was.
    """
    picture = image.copy()
    thin = max(1, round(max(image.shape) / 1200))
    if tiles is not None:
        _veil(picture, tiles * np.tile(scale, 2))
    # Over the veil: under it all tints look alike.
    _tint(picture, masks)
    if tiles is not None and len(tiles):
        edges = np.concatenate([tiles[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)]) * scale
        cv2.polylines(picture, list(_fixed(edges)), True, KEPT.rgb, thin, cv2.LINE_AA, _SUBPIXEL)
    _hatch(picture, artifacts, scale, thin)
    for entry, outlined in ((ROI_OUTLINE, polygons), (ARTIFACT, artifacts)):
        for polygon in outlined:
            cv2.polylines(picture, _rings(polygon, scale), True, entry.rgb, 2 * thin, cv2.LINE_AA, _SUBPIXEL)
    return picture


def _rings(polygon: shapely.Polygon, scale: tuple[float, float]) -> list[npt.NDArray[np.int32]]:
    rings = [polygon.exterior, *polygon.interiors]
    return [_fixed(np.asarray(ring.coords)[:, :2] * scale) for ring in rings]


def _hatch(picture: RGBImage, polygons: Sequence[shapely.Polygon], scale: tuple[float, float], thin: int) -> None:
    """Draw diagonal strokes into areas, in place: they let the tissue be seen, whatever its colour."""
    if not polygons:
        return
    rows, columns, _ = picture.shape
    area = np.zeros((rows, columns), np.uint8)
    for polygon in polygons:
        one = np.zeros_like(area)
        # The rings of one polygon in one call: what is in an even number of them is a hole.
        cv2.fillPoly(one, _rings(polygon, scale), 1, shift=_SUBPIXEL)
        area |= one
    across = np.arange(rows)[:, np.newaxis] + np.arange(columns)
    strokes = across % (_HATCH_PX * thin) < thin
    picture[area.astype(np.bool_) & strokes] = ARTIFACT.rgb


def _fixed(points: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    # OpenCV's pixel centres are whole numbers, ours are halves.
    return np.rint((points - 0.5) * (1 << _SUBPIXEL)).astype(np.int32)


def _veil(picture: RGBImage, boxes: npt.NDArray[np.float64]) -> None:
    """Pale what is not kept, in place: a dropped cell among kept ones has an outline on all sides, too."""
    outside = np.ones(picture.shape[:2], np.bool_)
    for x0, y0, x1, y1 in np.rint(boxes).astype(int):
        outside[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = False
    _blend(picture, outside, (255, 255, 255), _VEIL)


def _tint(picture: RGBImage, masks: Sequence[QCMask]) -> None:
    """Colour what is masked, in place."""
    rows, columns, _ = picture.shape
    covered = np.zeros((rows, columns), np.bool_)
    # Background first: it hides what other methods say about glass. Then what has a shape that people know: ink lies
    # above the plane that is in focus, and would be hidden by that.
    order = {Fate.BACKGROUND: 0, "pen": 1, "fold": 1}
    for mask in sorted(masks, key=lambda mask: order.get(mask.reason, 2)):
        entry = _BY_REASON.get(mask.reason, OTHER_QC)
        area = cv2.resize(mask.mask.astype(np.uint8), (columns, rows), interpolation=cv2.INTER_AREA) > 0
        area &= ~covered
        covered |= area
        if entry is BACKGROUND:
            # What was taken for glass must still be seen to be tissue, if it is.
            _blend(picture, area, entry.rgb, _GRAY_TINT)
            continue
        # Without the colours below, or yellow over red ink were orange.
        gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        cv2.copyTo(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB), area.view(np.uint8), picture)
        _blend(picture, area, entry.rgb, _TINT)


def _blend(picture: RGBImage, area: npt.NDArray[np.bool_], rgb: tuple[int, int, int], share: float) -> None:
    """Mix a colour into an area, in place."""
    mixed = np.arange(256)[:, np.newaxis] * (1 - share) + np.array(rgb) * share
    cv2.copyTo(cv2.LUT(picture, mixed.astype(np.uint8)[np.newaxis]), area.view(np.uint8), picture)
