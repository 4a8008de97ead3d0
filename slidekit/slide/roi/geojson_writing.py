"""Regions as GeoJSON, for QuPath to open."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from slidekit.errors import ROIError
from slidekit.io.atomic import atomic_write_text
from slidekit.slide.roi.region import ROI

__all__ = ["write_roi_geojson"]


def write_roi_geojson(
    path: str | Path, rois: Sequence[ROI], *, bounds_origin: tuple[float, float] = (0.0, 0.0)
) -> None:
    """Write regions as GeoJSON (RFC 7946) with the properties that QuPath gives its annotations.

    In QuPath: *File › Import objects from file*, or drop the file on the slide. `load_rois` reads it back.

    Parameters
    ----------
    path
        File to write; an existing one is replaced, in one step.
    rois
        Regions, level-0 pixels; a label is QuPath's class.
    bounds_origin
        ``openslide.bounds-x``, ``openslide.bounds-y`` of the slide, where QuPath's pixel (0, 0) lies; for MIRAX.

    Raises
    ------
    ROIError
        If a place is not a finite number; nothing is written then.
    OSError
        If the file cannot be written.
    """
    for roi in rois:
        if not np.isfinite(shapely.get_coordinates(roi.polygon)).all():
            raise ROIError(f"Region {roi.name!r} has a place that is no number.", mend="Leave it out.", path=path)
    features = [_feature(roi, bounds_origin) for roi in rois]
    text = json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False)
    atomic_write_text(Path(path), text)


def _feature(roi: ROI, origin: tuple[float, float]) -> dict[str, Any]:
    properties: dict[str, Any] = {"objectType": "annotation", "name": roi.name}
    if roi.label is not None:
        properties["classification"] = {"name": roi.label}
    rings = [roi.polygon.exterior, *roi.polygon.interiors]
    coordinates = [[[x - origin[0], y - origin[1]] for x, y, *_ in ring.coords] for ring in rings]
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": coordinates},
        "properties": properties,
    }
