"""What a file of regions says, before anybody has judged whether it makes sense.

The readers of the formats turn files into `Drawing`s; validation turns drawings into `Piece`s (valid
polygons); the rules about holes turn pieces into regions. All of them write what they mended or skipped into
one `ProblemLog`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from shapely import Polygon

from slidekit.slide.roi.region import ROIProblem

__all__ = [
    "MAX_COORDINATE",
    "Drawing",
    "Piece",
    "ProblemLog",
    "Ring",
    "clean_text",
    "ellipse_ring",
    "read_number",
    "read_points",
]

Kind = Literal["mended", "skipped", "warning"]

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_HALF = re.compile("[\ud800-\udfff]")
_NOWHERE = (math.nan, math.nan)

Ring = NDArray[np.float64]
"""Vertices (n, 2) in (x, y), level-0 pixels; NaN where the file holds something that is not a number."""

MAX_COORDINATE = 1e9
"""Largest coordinate (pixels) that is taken for one: no slide is a kilometre wide."""

MAX_NAME, MAX_SENTENCE = 200, 600
"""Characters of a name or label, and of what is said about a problem; damage makes them long."""

MAX_PROBLEMS = 1000
"""Problems that are listed; the rest of them are counted."""

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
    _more: Counter[Kind] = field(default_factory=Counter)

    def add(self, what: str, kind: Kind, *, name: str | None = None, line: int | None = None) -> None:
        """Note one problem; parameters as in `ROIProblem`. Beyond a thousand they are counted."""
        if len(self.problems) >= MAX_PROBLEMS:
            self._more[kind] += 1
            return
        name = None if name is None else clean_text(name)
        self.problems.append(ROIProblem(self.path, line, name, clean_text(what, MAX_SENTENCE), kind))

    def add_point(self, what: str, *, name: str | None = None, line: int | None = None) -> None:
        """Note one unreadable point, unless so many were noted that a number says more than a list."""
        self._points += 1
        if self._points <= MAX_POINT_PROBLEMS:
            self.add(what, "skipped", name=name, line=line)

    def finish(self) -> tuple[ROIProblem, ...]:
        """All problems; what was not listed is there as numbers."""
        last: list[tuple[str, Kind]] = []
        if (more := self._points - MAX_POINT_PROBLEMS) > 0:
            last.append((f"{more} more unreadable points are left out and not listed.", "skipped"))
        last += [(f"{count} more problems of this kind are not listed.", kind) for kind, count in self._more.items()]
        return (*self.problems, *(ROIProblem(self.path, None, None, what, kind) for what, kind in last))


def clean_text(text: str, longest: int = MAX_NAME) -> str:
    """Make a text fit for one line of a log, a report and a record.

    Control characters become spaces, halves of characters (lone surrogates, which JSON can hold and no file) a
    replacement character; what is longer than `longest` ends in an ellipsis.
    """
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    return _HALF.sub("\ufffd", _CONTROL.sub(" ", text))


def read_points(points: Iterable[Any]) -> Ring:
    """Vertices from anything that JSON or XML may hold; what is not a position becomes NaN.

    Parameters
    ----------
    points
        Pairs of numbers or of texts; further coordinates (z) are ignored if all points have them.

    Returns
    -------
    ndarray, (n, 2) float64
        Finite and at most `MAX_COORDINATE`, or NaN.
    """
    rows = list(points)
    try:
        ring = _plain_ring(rows)
    except OverflowError:
        ring = None
    if ring is None:
        # A point of more or fewer numbers than the others has lost or doubled one: which, nobody knows.
        widths = Counter(len(row) for row in rows if isinstance(row, list | tuple) and len(row) >= 2)
        width = max(widths, key=lambda one: widths[one], default=0)
        pairs = [
            (read_number(row[0]), read_number(row[1]))
            if isinstance(row, list | tuple) and len(row) == width
            else _NOWHERE
            for row in rows
        ]
        ring = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    ring[np.abs(ring) > MAX_COORDINATE] = np.nan
    return ring


def _plain_ring(rows: list[Any]) -> Ring | None:
    """Lists of numbers at the speed of NumPy, pairs of texts nearly so; None for anything else.

    Raises
    ------
    OverflowError
        If a whole number is beyond those of floating point.
    """
    kinds = set(map(type, rows))
    if kinds == {tuple}:
        try:
            if not any("_" in x or "_" in y for x, y in rows):
                return np.array([(float(x), float(y)) for x, y in rows], dtype=np.float64)
            return None
        except (TypeError, ValueError):
            return None
    if kinds != {list}:
        return None
    widths = set(map(len, rows))
    if len(widths) != 1 or min(widths) < 2 or not set(map(type, chain.from_iterable(rows))) <= {float, int}:
        return None
    return np.array(rows, dtype=np.float64)[:, :2].copy()


def read_number(value: Any) -> float:
    """Read a number, or a text that is one; anything else is NaN."""
    # Python's float takes true for 1 and 1_0 for 10, which no format of regions does.
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


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
