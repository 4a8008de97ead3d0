"""What a file of regions says, before anybody has judged whether it makes sense.

The readers of the formats turn files into `Drawing`s; validation turns drawings into `Piece`s (valid
polygons); the rules about holes turn pieces into regions. All of them write what they mended or skipped into
one `ProblemLog`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from shapely import Polygon

from slidekit.slide.roi.region import ROIProblem

__all__ = ["Drawing", "Piece", "ProblemLog", "Ring", "ellipse_ring", "read_points"]

Ring = NDArray[np.float64]
"""Vertices (n, 2) in (x, y), level-0 pixels; NaN where the file holds something that is not a number."""

MAX_POINT_PROBLEMS = 100
"""Unreadable points that are reported one by one; the rest of them are reported as one number."""


@dataclass(frozen=True)
class Drawing:
    """One shape as the file gives it.

    Parameters
    ----------
    name, label
        As in `ROI`, not yet unique.
    polygons
        For each polygon its rings, the outer one first, then its holes.
    line
        Line of the file where the shape starts, where that is known.
    layer
        Number of the layer that the shape is drawn in; negative shapes cut their own layer only.
    negative
        Whether the shape takes area away instead of giving it.
    """

    name: str
    label: str | None
    polygons: tuple[tuple[Ring, ...], ...]
    line: int | None = None
    layer: int = 0
    negative: bool = False


@dataclass(frozen=True)
class Piece:
    """One valid polygon of a drawing; a drawing has several where a mended outline falls into parts.

    Parameters
    ----------
    drawing
        The shape that the polygon comes from.
    source
        Number of that shape in its file.
    polygon
        Valid polygon, level-0 pixels.
    """

    drawing: Drawing
    source: int
    polygon: Polygon


@dataclass
class ProblemLog:
    """Collects what is wrong with one file.

    Parameters
    ----------
    path
        The file.
    """

    path: Path | None
    problems: list[ROIProblem] = field(default_factory=list)
    _points: int = 0

    def add(
        self,
        what: str,
        kind: Literal["mended", "skipped", "warning"],
        *,
        name: str | None = None,
        line: int | None = None,
    ) -> None:
        """Note one problem; parameters as in `ROIProblem`."""
        self.problems.append(ROIProblem(self.path, line, name, what, kind))

    def add_point(self, what: str, *, name: str | None = None, line: int | None = None) -> None:
        """Note one unreadable point, unless so many were noted that a number says more than a list."""
        self._points += 1
        if self._points <= MAX_POINT_PROBLEMS:
            self.add(what, "skipped", name=name, line=line)

    def finish(self) -> tuple[ROIProblem, ...]:
        """All problems; unreadable points that were not listed are there as one number."""
        if (more := self._points - MAX_POINT_PROBLEMS) > 0:
            self.add(f"{more} more unreadable points are left out and not listed.", "skipped")
            self._points = 0
        return tuple(self.problems)


def read_points(points: Iterable[Sequence[Any]]) -> Ring:
    """Vertices from anything that JSON or XML may hold; what is not a pair of numbers becomes NaN.

    Parameters
    ----------
    points
        Pairs of numbers or of texts; further coordinates (z) are ignored.

    Returns
    -------
    ndarray, (n, 2) float64
    """
    rows: list[tuple[float, float]] = []
    for row in points:
        try:
            rows.append((float(row[0]), float(row[1])))
        except (TypeError, ValueError, OverflowError, LookupError):
            rows.append((np.nan, np.nan))
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def ellipse_ring(ring: Ring, sides: int = 256) -> Ring:
    """Outline of the ellipse that fills the bounding box of some points.

    Parameters
    ----------
    ring
        (n, 2) points: two opposite corners, four corners, or the four ends of the axes.
    sides
        Corners of the polygon that stands for the ellipse; with 256 its area is 0.01 % too small.

    Returns
    -------
    ndarray, (sides, 2) float64
    """
    low, high = ring.min(axis=0), ring.max(axis=0)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    outline: Ring = (low + high) / 2 + (high - low) / 2 * np.column_stack([np.cos(angle), np.sin(angle)])
    return outline
