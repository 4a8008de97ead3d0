"""Regions as JSON: GeoJSON as QuPath exports it, and the list of shapes that Slideflow and labelme share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from slidekit.errors import ROIError
from slidekit.slide.roi.drawing import Drawing, ProblemLog, Ring, ellipse_ring, read_points

__all__ = ["is_qupath", "read_geojson", "read_shapes"]

QUPATH_PROPERTIES = frozenset({"objectType", "object_type", "isLocked", "measurements", "classification"})
"""Properties that QuPath gives its objects; one of them shows that a file is QuPath's."""


def read_geojson(data: Any, log: ProblemLog) -> list[Drawing]:
    """Read the areas of GeoJSON (RFC 7946), with the properties that QuPath gives them.

    Polygons and multipolygons are taken, also those in a geometry collection; rings after the first one are
    holes. Points, lines and whatever else has no area are counted. Label: QuPath's ``classification`` (its
    ``name``, its ``names`` joined by ``": "``, or a text, as old versions write). Name: ``properties.name``,
    else ``ROI_{number}`` with the feature's number in the file, from 0.

    Parameters
    ----------
    data
        A feature collection, a feature, a geometry, or a bare list of features, as `json.loads` gives it.
    log
        Takes what is no area.

    Returns
    -------
    list of Drawing

    Raises
    ------
    ROIError
        If the JSON is not GeoJSON.
    """
    drawings: list[Drawing] = []
    others: Counter[str] = Counter()
    for number, feature in _features(data, log):
        properties = _properties(feature)
        name = _text(properties.get("name")) or f"ROI_{number}"
        polygons: list[tuple[Ring, ...]] = []
        for kind, coordinates in _geometries(feature.get("geometry")):
            if kind not in ("Polygon", "MultiPolygon"):
                others[kind] += 1
                continue
            found = coordinates if kind == "MultiPolygon" else [coordinates]
            polygons += [_rings(rings) for rings in found] if isinstance(found, list) and found else [()]
        if polygons:
            drawings.append(Drawing(name, _label(properties), tuple(polygons)))
    for kind, count in sorted(others.items()):
        log.add(f"{count} x {kind}: not an area.", "skipped")
    return drawings


def is_qupath(data: Any) -> bool:
    """Whether GeoJSON carries the marks of QuPath, whose coordinates start at the bounds of the slide."""
    features = data.get("features", [data]) if isinstance(data, dict) else data
    return isinstance(features, list) and any(
        QUPATH_PROPERTIES.intersection(_properties(feature)) or _kind(feature.get("id"), "").startswith("Path")
        for feature in features
        if isinstance(feature, dict)
    )


def _features(data: Any, log: ProblemLog) -> Iterator[tuple[int, dict[str, Any]]]:
    """Find the features, with their numbers, in any of the forms that QuPath and others write."""
    found = data
    if isinstance(data, dict):
        if isinstance(data.get("features"), list):
            found = data["features"]
        elif "geometry" in data:
            found = [data]
        elif "coordinates" in data or "geometries" in data:
            found = [{"geometry": data}]
    if not isinstance(found, list):
        raise ROIError(
            "The JSON holds neither GeoJSON features nor a list of shapes.",
            mend="Export the annotations from QuPath as GeoJSON.",
            path=log.path,
        )
    for number, feature in enumerate(found):
        if isinstance(feature, dict):
            yield number, feature
        else:
            log.add(f"Entry {number} of the list is not a GeoJSON feature.", "skipped")


def _geometries(geometry: Any) -> Iterator[tuple[str, Any]]:
    """Type and coordinates of a geometry; of a collection those of its members."""
    waiting = [geometry]
    while waiting:
        current = waiting.pop()
        if not isinstance(current, dict):
            yield "feature without geometry", None
        elif isinstance(members := current.get("geometries"), list) and members:
            waiting += reversed(members)
        else:
            yield _kind(current.get("type"), "geometry without type"), current.get("coordinates")


def _kind(value: Any, missing: str) -> str:
    """Name of a kind, for counting; whatever is no text is shown by its type, for it may be of any size."""
    if value is None or value == "":
        return missing
    return value[:40] if isinstance(value, str) else f"kind of type {type(value).__name__}"


def _rings(rings: Any) -> tuple[Ring, ...]:
    return tuple(_ring(ring) for ring in rings) if isinstance(rings, list) else ()


def _ring(ring: Any) -> Ring:
    return read_points(ring) if isinstance(ring, list) else np.empty((0, 2))


def _properties(feature: dict[str, Any]) -> dict[str, Any]:
    properties = feature.get("properties")
    return properties if isinstance(properties, dict) else {}


def _label(properties: dict[str, Any]) -> str | None:
    classification = properties.get("classification")
    if isinstance(classification, dict):
        names = classification.get("names")
        joined = ": ".join(name for name in names if isinstance(name, str)) if isinstance(names, list) else None
        return _text(classification.get("name")) or _text(joined)
    return _text(classification)


def _text(value: Any) -> str | None:
    """Strip a text of blanks; None for an empty one and for anything else."""
    return value.strip() or None if isinstance(value, str) else None


def read_shapes(data: dict[str, Any], log: ProblemLog) -> list[Drawing]:
    """Read the ``shapes`` of Slideflow's and labelme's JSON.

    Each is ``{"points": [[x, y], ...], "label": ..., "shape_type": ...}``. labelme gives rectangles as two
    corners, and circles as the centre and a point on the circle. Names are ``ROI_{number}`` from 0, as in
    Slideflow.

    Parameters
    ----------
    data
        The object as `json.loads` gives it.
    log
        Takes shapes that are no areas.
    """
    drawings: list[Drawing] = []
    others: Counter[str] = Counter()
    shapes = data.get("shapes")
    for number, shape in enumerate(shapes if isinstance(shapes, list) else []):
        fields = shape if isinstance(shape, dict) else {}
        kind, ring = _kind(fields.get("shape_type"), "polygon"), _ring(fields.get("points"))
        if kind == "rectangle" and len(ring) == 2:
            (x0, y0), (x1, y1) = ring
            ring = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
        elif kind == "circle" and len(ring) == 2:
            radius = np.hypot(*(ring[1] - ring[0]))
            ring = ellipse_ring(np.array([ring[0] - radius, ring[0] + radius]))
        elif kind not in ("polygon", "rectangle"):
            others[kind] += 1
            continue
        drawings.append(Drawing(f"ROI_{number}", _text(fields.get("label")), ((ring,),)))
    for kind, count in sorted(others.items()):
        log.add(f"{count} x {kind}: not an area.", "skipped")
    return drawings
