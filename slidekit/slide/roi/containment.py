"""Which outlines lie inside which, among those that act on each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import STRtree

from slidekit.errors import ROIError
from slidekit.slide.roi.drawing import Piece, ProblemLog

__all__ = ["Group", "Pairs", "containing", "group_of", "related", "without_copies"]

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Indices of two outlines each."""

_DEEPEST, _MOST_PAIRS = 1000, 2_000_000
"""Outlines around one outline, and around all, that are worth the work: pairs grow with the square of the depth."""

_AT_ONCE = 64
"""Outlines that are looked into together, so that damage is noticed before its pairs fill the memory."""


class Group(NamedTuple):
    """What decides whether outlines act on each other, as arrays over all of them.

    Attributes
    ----------
    label
        A number for each label; no label is one, too.
    layer
        As in `Drawing`.
    negative
        As in `Drawing`.
    """

    label: NDArray[np.int64]
    layer: NDArray[np.int64]
    negative: NDArray[np.bool_]


def group_of(pieces: Sequence[Piece]) -> Group:
    """Label, layer and sign of the pieces as arrays, so that pairs can be compared at once."""
    numbers: dict[str | None, int] = {}
    label = [numbers.setdefault(piece.drawing.label, len(numbers)) for piece in pieces]
    layer = [piece.drawing.layer for piece in pieces]
    negative = [piece.drawing.negative for piece in pieces]
    return Group(np.array(label, np.int64), np.array(layer, np.int64), np.array(negative, np.bool_))


def related(group: Group, pairs: Pairs) -> Pairs:
    """Keep the pairs that act on each other: of one label, or of one layer where one is negative."""
    first, second = pairs
    signed = group.negative[first] | group.negative[second]
    same = np.where(signed, group.layer[first] == group.layer[second], group.label[first] == group.label[second])
    keep = same & (first != second)
    return first[keep], second[keep]


def containing(pieces: Sequence[Piece], polygons: NDArray[np.object_], group: Group, log: ProblemLog) -> Pairs:
    """Pairs (outer, inner) of related pieces.

    Parameters
    ----------
    pieces, polygons, group
        The outlines, without copies.
    log
        Knows the file, for the error.

    Raises
    ------
    ROIError
        If outlines lie inside each other so deep that it cannot be a drawing.
    """
    tree, bounds = STRtree(polygons), shapely.bounds(polygons)
    shapely.prepare(polygons)
    depth = np.zeros(len(pieces), np.int64)
    found: list[Pairs] = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    for start in range(0, len(pieces), _AT_ONCE):
        near, inner = tree.query(polygons[start : start + _AT_ONCE])
        outer, inner = related(group, (near.astype(np.int64) + start, inner.astype(np.int64)))
        # Boxes first: to look at the vertices of two outlines takes a thousand times longer.
        low, high = bounds[outer, :2] <= bounds[inner, :2], bounds[outer, 2:] >= bounds[inner, 2:]
        boxed = np.all(low & high, axis=1)
        outer, inner = outer[boxed], inner[boxed]
        inside = shapely.covers(polygons[outer], polygons[inner])
        pairs = outer[inside], inner[inside]
        found.append(pairs)
        depth += np.bincount(pairs[1], minlength=len(pieces))
        if depth.max(initial=0) > _DEEPEST or depth.sum() > _MOST_PAIRS:
            drawing = pieces[int(depth.argmax())].drawing
            raise ROIError(
                f"ROI {drawing.name!r} lies inside at least {depth.max()} others of its label, and so do others.",
                mend="Export the annotations again: each was written many times, it seems.",
                path=log.path,
                line=drawing.line,
            )
    shapely.destroy_prepared(polygons)
    return np.concatenate([pair[0] for pair in found]), np.concatenate([pair[1] for pair in found])


def without_copies(pieces: Sequence[Piece], log: ProblemLog) -> list[Piece]:
    """Leave out outlines that are written a second time, point by point; files are appended to themselves.

    Parameters
    ----------
    pieces
        Outlines.
    log
        Takes those that are left out.
    """
    shapes = shapely.to_wkb(shapely.normalize([piece.polygon for piece in pieces])) if pieces else ()
    first: dict[tuple[bool, str | int | None, bytes], Piece] = {}
    kept: list[Piece] = []
    for piece, shape in zip(pieces, shapes, strict=True):
        drawing = piece.drawing
        same = first.setdefault((drawing.negative, drawing.layer if drawing.negative else drawing.label, shape), piece)
        if same is piece:
            kept.append(piece)
        else:
            what = f"The same outline as ROI {same.drawing.name!r}, drawn a second time."
            log.add(what, "skipped", name=drawing.name, line=drawing.line)
    return kept
