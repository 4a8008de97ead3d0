"""Which outlines are holes where a format has outlines only (CSV, ImageScope) or exclusions (ASAP)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon, STRtree
from shapely.geometry.base import BaseGeometry

from slidekit.slide.roi.containment import Group, Pairs, containing, group_of, related, without_copies
from slidekit.slide.roi.drawing import Piece, ProblemLog

__all__ = ["cut_out", "nest", "polygon_parts"]


def nest(pieces: Sequence[Piece], log: ProblemLog) -> list[Piece]:
    """Turn outlines into regions with holes, as CSV and ImageScope mean them.

    An outline inside another one of equal label (no label is a label) is a hole, one inside a hole is inside
    again: what decides is the smallest outline around it. A negative outline is a hole of its own layer
    wherever it lies, whatever its label. A hole is cut from every region that lies directly around it, so
    that it stays a hole where two regions overlap. Outlines that overlap without lying inside each other are
    left as they are.

    Parameters
    ----------
    pieces
        Outlines, valid polygons.
    log
        Takes outlines that are drawn twice, and holes that have no region.

    Returns
    -------
    list of Piece
        Regions with their holes, in the order of `pieces`; a region that a hole cuts apart gives several.
    """
    pieces = without_copies(pieces, log)
    polygons = np.array([piece.polygon for piece in pieces], dtype=object)
    group = group_of(pieces)
    pairs = containing(pieces, polygons, group, log)
    doubles = _doubles(pieces, pairs)
    if doubles:
        for later, first in doubles.items():
            drawing = pieces[later].drawing
            what = f"The same outline as ROI {pieces[first].drawing.name!r}, drawn a second time."
            log.add(what, "skipped", name=drawing.name, line=drawing.line)
        return nest([piece for index, piece in enumerate(pieces) if index not in doubles], log)
    parent = _parents(polygons, pairs)
    hole = _holes(polygons, parent, group.negative)
    cuts = _cuts(polygons, pairs, parent, hole, group)
    regions: list[Piece] = []
    for index, piece in enumerate(pieces):
        if hole[index]:
            continue
        mine = cuts.get(index, [])
        regions += _subtract(piece, [polygons[hole_index] for hole_index in mine], log)
    used = {hole_index for mine in cuts.values() for hole_index in mine}
    for index in np.flatnonzero(hole).tolist():
        if index not in used:
            drawing = pieces[index].drawing
            log.add("A negative region that lies in no region.", "skipped", name=drawing.name, line=drawing.line)
    return regions


def cut_out(pieces: Sequence[Piece], log: ProblemLog) -> list[Piece]:
    """Take the area of the negative pieces away from all others, as ASAP's exclusion group means it.

    Parameters
    ----------
    pieces
        Valid polygons; the negative ones are cut out, whatever their label and layer.
    log
        Takes exclusions that touch no region, and regions that are excluded as a whole.

    Returns
    -------
    list of Piece
        What remains of the positive pieces, in their order; a region that is cut apart gives several.
    """
    negative = [piece for piece in pieces if piece.drawing.negative]
    if not negative:
        return list(pieces)
    positive = [piece for piece in pieces if not piece.drawing.negative]
    # Together first: many exclusions over each other are few areas, and each region meets few of them.
    merged = shapely.get_parts(shapely.union_all([piece.polygon for piece in negative]))
    areas, outlines = STRtree(merged), STRtree([piece.polygon for piece in negative])
    regions: list[Piece] = []
    used = np.zeros(len(negative), np.bool_)
    for piece in positive:
        used[outlines.query(piece.polygon, predicate="intersects")] = True
        touched = areas.query(piece.polygon, predicate="intersects")
        regions += _subtract(piece, [merged[index] for index in sorted(touched)], log)
    for index in np.flatnonzero(~used).tolist():
        drawing = negative[index].drawing
        log.add("An exclusion that lies in no region.", "skipped", name=drawing.name, line=drawing.line)
    return regions


def polygon_parts(geometry: BaseGeometry) -> list[Polygon]:
    """List the polygons of a geometry that have an area, the largest first, without points and lines."""
    parts = [part for part in shapely.get_parts(shapely.get_parts(geometry)) if isinstance(part, Polygon)]
    return sorted((part for part in parts if part.area > 0), key=lambda part: (-part.area, part.bounds))


def _doubles(pieces: Sequence[Piece], pairs: Pairs) -> dict[int, int]:
    """Find outlines that are drawn a second time: as a hole in itself a region would vanish."""
    count = len(pieces)
    outer, inner = pairs
    mutual = np.isin(outer * count + inner, inner * count + outer)
    doubles: dict[int, int] = {}
    for first, later in zip(outer[mutual].tolist(), inner[mutual].tolist(), strict=True):
        if first < later and pieces[first].drawing.negative == pieces[later].drawing.negative:
            doubles[later] = min(first, doubles.get(later, first))
    return doubles


def _parents(polygons: NDArray[np.object_], pairs: Pairs) -> NDArray[np.int64]:
    """Index of the smallest outline around each one, -1 where there is none."""
    outer, inner = pairs
    order = np.lexsort((outer, -shapely.area(polygons)[outer]))
    parent = np.full(len(polygons), -1, np.int64)
    # Written from the largest to the smallest: the smallest stays.
    parent[inner[order]] = outer[order]
    return parent


def _holes(polygons: NDArray[np.object_], parent: NDArray[np.int64], negative: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether each outline is a hole; an outline around it is larger, so it is decided before."""
    hole = negative.copy()
    for index in np.argsort(-shapely.area(polygons), kind="stable"):
        around = parent[index]
        hole[index] = negative[index] or (around >= 0 and not hole[around])
    return hole


def _cuts(
    polygons: NDArray[np.object_],
    pairs: Pairs,
    parent: NDArray[np.int64],
    hole: NDArray[np.bool_],
    group: Group,
) -> dict[int, list[int]]:
    """For each region the holes to cut from it."""
    count = len(polygons)
    outer, inner = pairs
    keep = ~hole[outer] & hole[inner]
    outer, inner = outer[keep], inner[keep]
    # A region around the hole's own region needs no cut there: a hole between the two has taken that area
    # already.
    above = np.isin(outer * count + parent[inner], pairs[0] * count + pairs[1])
    cuts: dict[int, list[int]] = {}
    for region, hole_index in zip(outer[~above].tolist(), inner[~above].tolist(), strict=True):
        cuts.setdefault(region, []).append(hole_index)
    if group.negative.any():
        _add_crossing(polygons, pairs, group, cuts)
    return {region: sorted(mine) for region, mine in cuts.items()}


def _add_crossing(polygons: NDArray[np.object_], pairs: Pairs, group: Group, cuts: dict[int, list[int]]) -> None:
    """Cut negative outlines from regions of their layer that they overlap without lying inside."""
    count, negative = len(polygons), group.negative
    first, second = STRtree(polygons).query(polygons[negative], predicate="intersects")
    holes = np.flatnonzero(negative)[first]
    holes, regions = related(group, (holes.astype(np.int64), second.astype(np.int64)))
    nested = np.concatenate([pairs[0] * count + pairs[1], pairs[1] * count + pairs[0]])
    crossing = ~negative[regions] & ~np.isin(holes * count + regions, nested)
    for hole_index, region in zip(holes[crossing].tolist(), regions[crossing].tolist(), strict=True):
        cuts.setdefault(region, []).append(hole_index)


def _subtract(piece: Piece, holes: list[Polygon], log: ProblemLog) -> list[Piece]:
    if not holes:
        return [piece]
    parts = polygon_parts(shapely.difference(piece.polygon, shapely.union_all(holes)))
    if not parts:
        drawing = piece.drawing
        log.add(
            "Nothing is left of it: a hole takes all of it away.",
            "skipped",
            name=drawing.name,
            line=drawing.line,
        )
    return [Piece(piece.drawing, piece.source, part) for part in parts]
