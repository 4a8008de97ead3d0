"""QuPath's detections in a GeoJSON file: outlines or points, with classes and measurements."""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from slidekit.cells.feature_stream import iter_features
from slidekit.errors import CellError

__all__ = ["Detections", "measure_name", "read_detections"]

_MEND = "Export the cells from QuPath again: File › Export objects as GeoJSON."

_NO_CELLS = {"annotation": "annotations", "tma_core": "TMA cores", "tmacore": "TMA cores", "root": "roots"}
_OWN = frozenset({"x", "y", "left", "top", "right", "bottom", "class", "id"})
_MEASURED = frozenset({"area_um2", "eccentricity", "max_axis_um", "min_axis_um"})
_STAINS = {"hematoxylin_mean": "hematoxylin", "eosin_mean": "eosin"}


@dataclass(frozen=True)
class Detections:
    """What a file holds of cells; either outlines or points.

    Attributes
    ----------
    outlines
        (k, 2) each, float64, as they stand in the file.
    points
        (n, 2) float64.
    classes
        Of each cell, or None.
    measures
        Name, as `measure_name` makes it, to (n,) values, NaN where a cell has none.
    problems
        What was left out.
    """

    outlines: list[npt.NDArray[np.float64]]
    points: npt.NDArray[np.float64]
    classes: list[str | None]
    measures: dict[str, npt.NDArray[np.float64]]
    problems: tuple[str, ...]


def measure_name(text: str) -> str:
    """A measurement's name as that of a column: ``Nucleus: Area µm^2`` becomes ``nucleus_area_um2``."""
    plain = text.replace("µ", "u").replace("μ", "u").replace("^", "").lower()
    name = re.sub(r"[^0-9a-z]+", "_", plain).strip("_")
    return _STAINS.get(name, name)


def read_detections(path: Path, *, nucleus: bool = False) -> Detections:
    """Read cells from a GeoJSON file of QuPath, old or new.

    Parameters
    ----------
    path
        A FeatureCollection, a list of features or one feature.
    nucleus
        Take the outline of the nucleus, where a cell has one.

    Raises
    ------
    CellError
        If the file cannot be read, is no GeoJSON, or has coordinates that are none; the number of the feature is named.
    """
    reader = _Reader()
    for number, feature in enumerate(iter_features(path), start=1):
        try:
            reader.take(feature, nucleus)
        except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
            what = f"has a feature {number} whose coordinates or properties are none."
            raise CellError(what, mend=_MEND, path=path) from error
    return reader.result()


class _Cells:
    """Cells of one kind, outlines or points, with what is known of each."""

    def __init__(self) -> None:
        self.places: list[npt.NDArray[np.float64]] = []
        self.classes: list[str | None] = []
        self.measures: dict[str, array[float]] = {}

    def add(self, places: npt.NDArray[np.float64], label: str | None, measures: dict[str, float]) -> None:
        for name, value in measures.items():
            values = self.measures.setdefault(name, array("d"))
            values.extend([math.nan] * (len(self.places) - len(values)))
            values.append(value)
        self.places.append(places)
        self.classes.append(label)

    def columns(self) -> dict[str, npt.NDArray[np.float64]]:
        count = len(self.places)
        return {
            name: np.concatenate([values, np.full(count - len(values), np.nan)])
            for name, values in sorted(self.measures.items())
        }


class _Reader:
    def __init__(self) -> None:
        self._outlined, self._points = _Cells(), _Cells()
        self._left: Counter[str] = Counter()

    def take(self, feature: dict[str, Any], nucleus: bool) -> None:
        properties = feature.get("properties") or {}
        if (other := _other_kind(feature, properties)) is not None:
            self._left[other] += 1
            return
        geometry = feature.get("geometry")
        if nucleus:
            geometry = feature.get("nucleusGeometry") or properties.get("nucleusGeometry") or geometry
        if not isinstance(geometry, dict):
            self._left["features without a geometry"] += 1
            return
        label, measures = _class(properties), _measures(properties)
        kind: str = geometry["type"]
        coordinates: Any = geometry.get("coordinates")
        if coordinates is None and kind != "GeometryCollection":
            raise ValueError("no coordinates")
        if kind in ("Polygon", "MultiPolygon"):
            ring = _ring(kind, coordinates)
            if ring is None:
                self._left["outlines of fewer than three places"] += 1
            else:
                self._outlined.add(ring, label, measures)
        elif kind in ("Point", "MultiPoint"):
            for place in [coordinates] if kind == "Point" else coordinates:
                self._points.add(_places([place])[0], label, measures)
        else:
            self._left[f"geometries of the type {kind}"] += 1

    def result(self) -> Detections:
        if self._outlined.places and self._points.places:
            self._left["points beside outlines"] += len(self._points.places)
        taken = self._outlined if self._outlined.places else self._points
        problems = tuple(f"{count} {what} are left out" for what, count in sorted(self._left.items()))
        points = np.array(self._points.places, np.float64).reshape(-1, 2)
        return Detections(self._outlined.places, points, taken.classes, taken.columns(), problems)


def _other_kind(feature: dict[str, Any], properties: dict[str, Any]) -> str | None:
    """What an object is that is no cell; None for cells, and for what does not say."""
    stated = properties.get("objectType") or properties.get("object_type")
    if stated is None and isinstance(feature.get("id"), str):
        # QuPath before 0.3 wrote PathCellObject, PathAnnotationObject.
        old = re.fullmatch(r"Path(\w+)Object", feature["id"])
        stated = None if old is None else old[1]
    return _NO_CELLS.get(str(stated).lower())


def _ring(kind: str, coordinates: Any) -> npt.NDArray[np.float64] | None:
    """The outer ring, of several polygons that of the largest area; None if there is none."""
    polygons = [coordinates] if kind == "Polygon" else coordinates
    rings = [_places(polygon[0]) for polygon in polygons if polygon]
    rings = [ring for ring in rings if len(np.unique(ring, axis=0)) >= 3]
    return max(rings, key=_doubled_area) if rings else None


def _doubled_area(ring: npt.NDArray[np.float64]) -> float:
    x, y = (ring - ring[0]).T
    return abs(float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))))


def _places(values: Any) -> npt.NDArray[np.float64]:
    # A third number, a height, is allowed by RFC 7946.
    places = np.array([(value[0], value[1]) for value in values], np.float64).reshape(-1, 2)
    if not np.isfinite(places).all():
        raise ValueError("no finite place")
    return places


def _class(properties: dict[str, Any]) -> str | None:
    stated = properties.get("classification")
    if isinstance(stated, dict):
        names = stated.get("names")
        joined = ": ".join(map(str, names)) if isinstance(names, list) else None
        stated = stated.get("name") or joined
    return stated if isinstance(stated, str) and stated else None


def _measures(properties: dict[str, Any]) -> dict[str, float]:
    stated = properties.get("measurements") or {}
    if isinstance(stated, list):
        # QuPath before 0.4.
        stated = {one["name"]: one.get("value") for one in stated}
    measures = {}
    for text, value in stated.items():
        name = measure_name(str(text))
        if name and name not in _OWN and name not in _MEASURED and isinstance(value, int | float):
            measures[name] = float(value)
    return measures
