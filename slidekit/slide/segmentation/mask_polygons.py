"""Polygons of what a mask or a map of scores marks: exact, or at the place between pixels where the score crosses."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon

from slidekit.errors import SpecError
from slidekit.slide.pixel_outlines import pixel_outlines

__all__ = ["Frame", "TidyRules", "class_margins", "is_number", "score_polygons", "tidy_polygons"]

_CLEAR = 0.02
"""Part of a pixel that outlines keep away from its centre: an outline through a centre would touch itself there."""

_TIE = np.float32(1e-6)


@dataclass(frozen=True)
class Frame:
    """How a map that covers a whole slide lies on it.

    Attributes
    ----------
    shape
        (rows, columns) of the map.
    dimensions
        Width and height of the slide, level-0 pixels.
    mpp
        µm/px of level 0 along x and y.
    """

    shape: tuple[int, int]
    dimensions: tuple[int, int]
    mpp: tuple[float, float]

    @property
    def pixel_um(self) -> tuple[float, float]:
        """Width and height of a pixel of the map, µm."""
        (rows, columns), (width, height), (mpp_x, mpp_y) = self.shape, self.dimensions, self.mpp
        return width * mpp_x / columns, height * mpp_y / rows


@dataclass(frozen=True)
class TidyRules:
    """What becomes of outlines before they are regions.

    Attributes
    ----------
    min_area_mm2
        Smaller areas are left out.
    min_hole_mm2
        Smaller holes are filled.
    simplify_um
        How far a simplified outline may be from the exact one, µm; 0 keeps all vertices, None is a quarter of a
        pixel of the map.
    """

    min_area_mm2: float = 0.01
    min_hole_mm2: float = 0.01
    simplify_um: float | None = None

    def __post_init__(self) -> None:
        for name in ("min_area_mm2", "min_hole_mm2", "simplify_um"):
            value = getattr(self, name)
            if value is None and name == "simplify_um":
                continue
            if not is_number(value) or not 0 <= value < np.inf:
                raise SpecError(f"{name}={value!r} is not a size.", mend="Give a number from 0 on.")


def is_number(value: object) -> bool:
    """Whether a value is a real number; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def class_margins(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far each class is ahead of the best of the others.

    Parameters
    ----------
    scores
        (rows, columns, classes), at least two classes.

    Returns
    -------
    ndarray (rows, columns, classes), float32
        Not below 0 where the class wins, which of equal ones is the first. Where it is 0 between two pixels the classes
        are equal, so that neighbours meet.
    """
    ordered = np.partition(scores, -2, axis=-1)
    best, second = ordered[..., -1:], ordered[..., -2:-1]
    margins = np.asarray(scores - np.where(scores == best, second, best), np.float32)
    winner = np.argmax(scores, axis=-1)[..., None] == np.arange(scores.shape[-1])
    margins[~winner] = np.minimum(margins[~winner], -_TIE)
    return margins


def score_polygons(scores: NDArray[np.float32], threshold: float) -> list[Polygon]:
    """Outline where a score reaches a threshold, between pixels by linear interpolation.

    The contours are those of marching squares (Lorensen and Cline, SIGGRAPH 1987, in two dimensions); where two areas
    meet at a corner of pixels they stay apart.

    Parameters
    ----------
    scores
        (rows, columns), finite.
    threshold
        What reaches it is inside.

    Returns
    -------
    list of Polygon
        Valid, with holes; (x, y) in pixels from the top left, where the centre of pixel (row, column) is
        (column + ½, row + ½). A centre is in a polygon exactly if its score reaches the threshold. Areas at the edge of
        the map end there.
    """
    polygons = []
    for exact in pixel_outlines(scores >= threshold):
        shell, *holes = (_shifted(ring, scores, threshold) for ring in (exact.exterior, *exact.interiors))
        polygons.append(Polygon(shell, holes))
    return polygons


def _shifted(ring: shapely.LinearRing, scores: NDArray[np.float32], threshold: float) -> NDArray[np.float64]:
    """A ring along edges of pixels, with a vertex for each such edge: where the line between the centres is 0."""
    corners = np.asarray(ring.coords, np.float64)
    steps = np.diff(corners, axis=0)
    counts = np.abs(steps).sum(axis=1).astype(np.int64)
    way = np.repeat(steps / counts[:, None], counts, axis=0)
    along = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = np.repeat(corners[:-1], counts, axis=0) + along[:, None] * way
    middles = starts + way / 2
    across = np.abs(way[:, ::-1])
    # Pixels on both sides: before (left or above) and after.
    after = np.floor(middles + across / 4).astype(np.int64)
    before = after - across.astype(np.int64)
    most = np.array(scores.shape[::-1]) - 1
    inner = np.all((before >= 0) & (after <= most), axis=1)
    low, high = (
        scores[place[:, 1], place[:, 0]].astype(np.float64) - threshold
        for place in (np.maximum(before, 0), np.minimum(after, most))
    )
    share = np.clip(low / np.where(inner, low - high, 1), _CLEAR, 1 - _CLEAR)
    moved = middles + across * (np.where(inner, share, 0.5) - 0.5)[:, None]
    # Along the edge of the map the outline keeps to it, from the place where it arrives to the one where it leaves.
    begin = np.where(np.roll(inner, 1)[:, None], starts * across + np.roll(moved, 1, axis=0) * (1 - across), starts)
    end = np.where(
        np.roll(inner, -1)[:, None], starts * across + np.roll(moved, -1, axis=0) * (1 - across), starts + way
    )
    pairs = np.stack([np.where(inner[:, None], moved, begin), np.where(inner[:, None], moved, end)], axis=1)
    points = pairs.reshape(-1, 2)
    fresh = np.any(points != np.roll(points, 1, axis=0), axis=1)
    return np.asarray(points[fresh])


def tidy_polygons(polygons: list[Polygon], frame: Frame, rules: TidyRules) -> list[Polygon]:
    """Make regions of outlines: without specks and pinholes, with fewer vertices, on the slide.

    Parameters
    ----------
    polygons
        Valid; pixels of the map.
    frame
        Where the map lies.
    rules
        What is left out.

    Returns
    -------
    list of Polygon
        Valid, apart from each other; level-0 pixels in whole hundredths, the largest first.
    """
    pixel = np.array(frame.pixel_um)
    step = min(pixel) / 4 if rules.simplify_um is None else rules.simplify_um
    # In microns, so that areas and distances mean the same along x and y.
    shapes = [_filled(_scaled(polygon, pixel), rules.min_hole_mm2 * 1e6) for polygon in polygons]
    shapes = [shape for shape in shapes if shape.area >= rules.min_area_mm2 * 1e6]
    if step > 0:
        shapes = [shape.simplify(step, preserve_topology=True) for shape in shapes]
    # What was simplified may reach into its neighbour; an island may lie in a hole that was filled.
    whole = shapely.union_all(shapes)
    slide = shapely.box(0, 0, *(np.array(frame.dimensions) * frame.mpp))
    parts = [part for part in shapely.get_parts(shapely.intersection(whole, slide)) if isinstance(part, Polygon)]
    # Simplifying may cut a little from an area that was just large enough: that is no reason to lose it.
    kept = [part for part in parts if part.area >= 0.9 * rules.min_area_mm2 * 1e6 and part.area > 0]
    rounded = _in_hundredths([_scaled(part, 1 / np.array(frame.mpp)) for part in kept])
    return sorted(rounded, key=lambda part: (-part.area, part.bounds))


def _scaled(polygon: Polygon, factors: NDArray[np.float64]) -> Polygon:
    scaled: Polygon = shapely.transform(polygon, lambda points: points * factors)
    return scaled


def _filled(polygon: Polygon, smallest: float) -> Polygon:
    """Without holes below an area."""
    holes = [ring for ring in polygon.interiors if Polygon(ring).area >= smallest]
    return polygon if len(holes) == len(polygon.interiors) else Polygon(polygon.exterior, holes)


def _in_hundredths(polygons: list[Polygon]) -> list[Polygon]:
    """Round the vertices, of all polygons together: one by one, neighbours and holes could come to cross.

    A hundredth of a pixel is far below what a network knows, and files of regions are half as long. GEOS rounds by
    snapping (J. Hobby, *Practical segment intersection with finite precision output*, 1999), which keeps areas valid
    and apart.
    """
    # On a grid of whole numbers, but for their last bit: hundredths of these are the floats nearest to two decimals.
    whole = shapely.union_all([_scaled(polygon, np.array([100.0, 100.0])) for polygon in polygons], grid_size=1)
    parts = [part for part in shapely.get_parts(whole) if isinstance(part, Polygon) and part.area > 0]
    return [shapely.transform(part, lambda points: np.rint(points) / 100) for part in parts]
