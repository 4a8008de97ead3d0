"""From what people draw to polygons that geometry can trust: mended, on the slide, uniquely named."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from shapely import Polygon
from shapely.validation import explain_validity

from slidekit.slide.roi.crossings import is_noise
from slidekit.slide.roi.drawing import MAX_COORDINATE, Drawing, Piece, ProblemLog, Ring
from slidekit.slide.roi.nesting import polygon_parts
from slidekit.slide.roi.region import ROI

__all__ = ["mend", "name_regions", "on_slide"]

EDGE = 1.0
"""Pixels by which an outline may leave the slide unsaid: drawing tools round to whole pixels."""


def mend(drawings: Sequence[Drawing], log: ProblemLog) -> list[Piece]:
    """Make valid polygons of what was drawn.

    Points that are no numbers are left out; outlines of fewer than three different points and without area
    are skipped; outlines that cross themselves are mended by GEOS's ``structure`` method, which keeps every
    area that the outline goes around (the linework method would make a hole of what it goes around twice).

    Parameters
    ----------
    drawings
        Shapes as the file gives them.
    log
        Takes what was mended and what was skipped.

    Returns
    -------
    list of Piece
        In the order of the drawings; the parts of one drawing stand together, the largest first.
    """
    pieces: list[Piece] = []
    for source, drawing in enumerate(drawings):
        polygons = [polygon for rings in drawing.polygons for polygon in _mend_polygon(drawing, rings, log)]
        pieces += [Piece(drawing, source, polygon) for polygon in polygons]
    return pieces


def _mend_polygon(drawing: Drawing, drawn: tuple[Ring, ...], log: ProblemLog) -> list[Polygon]:
    outer = _clean(drawing, drawn[0], log) if drawn else np.empty((0, 2))
    if (count := _distinct(outer)) < 3:
        what = f"An area needs three different points, and the outline has {count}."
        log.add(what, "skipped", name=drawing.name, line=drawing.line)
        return []
    holes = []
    for ring in drawn[1:]:
        clean = _clean(drawing, ring, log)
        if _distinct(clean) >= 3:
            holes.append(clean)
        else:
            what = "A hole with fewer than three different points is left out."
            log.add(what, "mended", name=drawing.name, line=drawing.line)
    rings = [outer, *holes]
    polygon = Polygon(outer, holes)
    valid = not (noise := is_noise(rings)) and polygon.is_valid
    if noise or is_noise(rings, valid=valid):
        what = "The outline crosses itself tens of thousands of times, as no drawing does."
        log.add(what, "skipped", name=drawing.name, line=drawing.line)
        return []
    if valid:
        parts = [polygon] if polygon.area > 0 else []
    else:
        parts = polygon_parts(shapely.make_valid(polygon, method="structure", keep_collapsed=False))
    if not parts:
        log.add("The outline has no area.", "skipped", name=drawing.name, line=drawing.line)
    elif not valid:
        into = "" if len(parts) == 1 else f" It falls into {len(parts)} parts."
        what = f"The outline crosses or touches itself ({explain_validity(polygon)}); mended.{into}"
        log.add(what, "mended", name=drawing.name, line=drawing.line)
    return parts


def _clean(drawing: Drawing, ring: Ring, log: ProblemLog) -> Ring:
    """Keep the points of a ring that are positions; the others are said."""
    good = np.all(np.isfinite(ring) & (np.abs(ring) <= MAX_COORDINATE), axis=1)
    bad = int(len(ring) - good.sum())
    if bad:
        what = f"{bad} of its {len(ring)} points are not positions on a slide and are left out."
        log.add(what, "mended", name=drawing.name, line=drawing.line)
    return ring[good]


def _distinct(ring: Ring) -> int:
    """Count the different points of a ring, up to three: nobody needs to know more."""
    seen: set[tuple[float, ...]] = set()
    for point in ring:
        seen.add(tuple(point))
        if len(seen) == 3:
            break
    return len(seen)


def on_slide(pieces: Sequence[Piece], slide_size: tuple[float, float] | None, log: ProblemLog) -> list[Piece]:
    """Leave away what lies wholly outside of the slide, and say what lies partly outside.

    Parameters
    ----------
    pieces
        Regions, level-0 pixels.
    slide_size
        Width and height of level 0 in pixels; None leaves all pieces as they are.
    log
        Takes the regions outside.
    """
    if slide_size is None:
        return list(pieces)
    width, height = slide_size
    kept: list[Piece] = []
    for piece in pieces:
        x0, y0, x1, y1 = piece.polygon.bounds
        about = f"x {x0:.0f} to {x1:.0f}, y {y0:.0f} to {y1:.0f}; the slide is {width:.0f} x {height:.0f} pixels"
        name, line = piece.drawing.name, piece.drawing.line
        out = x0 < -EDGE or y0 < -EDGE or x1 > width + EDGE or y1 > height + EDGE
        apart = min(x1, width) <= max(x0, 0) or min(y1, height) <= max(y0, 0)
        # Boxes that overlap say little about a curved outline at a corner of the slide.
        if apart or (out and piece.polygon.intersection(shapely.box(0, 0, width, height)).area <= 0):
            log.add(f"It lies outside of the slide ({about}).", "skipped", name=name, line=line)
            continue
        if out:
            log.add(f"Part of it lies outside of the slide ({about}).", "warning", name=name, line=line)
        kept.append(piece)
    return kept


def name_regions(pieces: Sequence[Piece], log: ProblemLog) -> tuple[ROI, ...]:
    """Give every region a name of its own: ``{name}_part2`` to parts, ``{name}_2`` to namesakes.

    Parameters
    ----------
    pieces
        Regions; the parts of one drawing stand together.
    log
        Takes names that several drawings have.
    """
    wanted: list[str] = []
    parts: dict[int, int] = {}
    bases: dict[str, set[int]] = {}
    for piece in pieces:
        number = parts[piece.source] = parts.get(piece.source, 0) + 1
        bases.setdefault(piece.drawing.name, set()).add(piece.source)
        wanted.append(piece.drawing.name if number == 1 else f"{piece.drawing.name}_part{number}")
    for name, sources in bases.items():
        if len(sources) > 1:
            log.add(f"{len(sources)} regions have this name; the later ones get a number.", "mended", name=name)
    taken, used = set(wanted), set[str]()
    following: dict[str, int] = {}
    regions: list[ROI] = []
    for name, piece in zip(wanted, pieces, strict=True):
        unique = name
        while unique in used or (unique != name and unique in taken):
            following[name] = following.get(name, 1) + 1
            unique = f"{name}_{following[name]}"
        used.add(unique)
        regions.append(ROI(unique, piece.drawing.label, piece.polygon))
    return tuple(regions)
