"""Regions as XML of Aperio ImageScope: layers (``Annotation``) of ``Region``s of ``Vertex``es."""

from __future__ import annotations

from collections import Counter

import numpy as np

from slidekit.slide.roi.drawing import Drawing, ProblemLog, Ring, ellipse_ring
from slidekit.slide.roi.xml_tree import Node, vertices

__all__ = ["read_imagescope"]

KINDS = {"0": "polygon", "1": "rectangle", "2": "ellipse", "3": "arrow", "4": "ruler", "5": "points"}
"""What ImageScope's ``Type`` means; the text ``GeoShape``, which other programs write, goes before it."""

NO_AREA = frozenset({"arrow", "line", "linestring", "pin", "point", "points", "polyline", "ruler"})


def read_imagescope(root: Node, log: ProblemLog) -> list[Drawing]:
    """Read the regions of ImageScope's XML.

    Name: ``ROI_{Id}``, as Slideflow's converter names them. Label: the layer's ``Name``, else its attribute
    ``Description``, else the region's ``Text``. ``NegativeROA="1"`` makes a region a hole in its layer.

    Parameters
    ----------
    root
        The element ``Annotations``.
    log
        Takes shapes that are no areas.

    Returns
    -------
    list of Drawing
    """
    drawings: list[Drawing] = []
    others: Counter[str] = Counter()
    for number, layer in enumerate(root.below("Annotation")):
        layer_label = layer.get("Name") or _description(layer)
        for region in layer.below("Region"):
            kind = region.get("GeoShape").lower() or KINDS.get(region.get("Type"), region.get("Type").lower())
            if kind in NO_AREA:
                others[kind] += 1
                continue
            name = f"ROI_{region.get('Id') or len(drawings)}"
            ring = _outline(kind, vertices(list(region.below("Vertex", "V"))))
            negative = region.get("NegativeROA").lower() in ("1", "true")
            label = layer_label or region.get("Text") or None
            drawings.append(Drawing(name, label, ((ring,),), region.line, number, negative))
    for kind, count in sorted(others.items()):
        log.add(f"{count} x {kind}: not an area.", "skipped")
    return drawings


def _description(layer: Node) -> str:
    """Read the layer's attribute ``Description``, where some people write the class."""
    for group in layer.children:
        if group.tag == "Attributes":
            for attribute in group.below("Attribute"):
                if attribute.get("Name").lower() == "description":
                    return attribute.get("Value")
    return ""


def _outline(kind: str, ring: Ring) -> Ring:
    """Draw the outline: two points stand for a box, and an ellipse fills the box of its points."""
    if not np.isfinite(ring).all():
        return ring
    if kind == "ellipse" and (len(ring) == 2 or _upright(ring)):
        return ellipse_ring(ring)
    if kind == "rectangle" and len(ring) == 2:
        (x0, y0), (x1, y1) = ring
        return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    return ring


def _upright(ring: Ring) -> bool:
    """Whether four points are the corners of an upright box, or the ends of an upright ellipse's axes."""
    if len(ring) != 4:
        return False
    low, high = ring.min(axis=0), ring.max(axis=0)
    # In units of the box: corners are at 0 and 1 in both directions, the ends of axes at 0.5 in one of them.
    place = (ring - low) / np.where(high > low, high - low, 1)
    at_end = np.minimum(np.abs(place), np.abs(1 - place)) < 1e-3
    in_middle = np.abs(place - 0.5) < 1e-3
    ends = (at_end ^ in_middle).all() and (at_end.sum(axis=1) == 1).all()
    return bool(at_end.all() or ends)
