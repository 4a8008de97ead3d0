"""Masks as GeoJSON for QuPath: one locked annotation a mask, its class the mask's name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import shapely

from slidekit.slide.pixel_outlines import pixel_outlines
from slidekit.slide.qc.base import BoolMask
from slidekit.slide.qc.densities import remove_small
from slidekit.slide.qc.mask import QCMask

__all__ = ["outlines_json"]

_LONGEST_SIDE = 1500
_FINEST_UM = 4.0
"""Pixels of a mask that outlines are taken of: finer ones make files that QuPath takes minutes to open."""

_SMALLEST_PX = 6
"""Specks and holes of fewer of these pixels are left out, and counted."""


def outlines_json(
    masks: Sequence[QCMask],
    dimensions: tuple[int, int],
    mpp: tuple[float, float],
    bounds_origin: tuple[float, float] = (0.0, 0.0),
) -> str:
    """Simplified outlines of masks as GeoJSON (RFC 7946) with the properties that QuPath gives its annotations.

    Parameters
    ----------
    masks
        Of one slide.
    dimensions
        Width and height of level 0, pixels.
    mpp
        µm/px of level 0 along x and y.
    bounds_origin
        Where QuPath's pixel (0, 0) lies, level-0 pixels, for MIRAX.

    Returns
    -------
    str
        A FeatureCollection: level-0 pixels, less `bounds_origin`. Masks that discard nothing are not in it. The
        property ``specks_left_out`` of a mask is the number of areas too small to be drawn, if any.
    """
    longest = min(_LONGEST_SIDE, max(1.0, max(dimensions[0] * mpp[0], dimensions[1] * mpp[1]) / _FINEST_UM))
    features = [_feature(mask, longest, dimensions, bounds_origin) for mask in masks]
    collection = {
        "type": "FeatureCollection",
        # Foreign members are allowed (RFC 7946, 6.1): the script in `qupath/` reads where places are counted from.
        "slidekit": {"bounds_origin": list(bounds_origin)},
        "features": [one for one in features if one is not None],
    }
    return json.dumps(collection, ensure_ascii=False)


def _feature(
    mask: QCMask, longest: float, dimensions: tuple[int, int], origin: tuple[float, float]
) -> dict[str, Any] | None:
    small, left_out = _thinned(mask.mask, longest)
    polygons = [polygon for polygon in pixel_outlines(small) if not polygon.is_empty]
    if not polygons:
        return None
    rows, columns = small.shape
    scale = np.array([dimensions[0] / columns, dimensions[1] / rows])

    def ring(line: Any) -> list[list[float]]:
        places = shapely.get_coordinates(line) * scale - np.array(origin)
        return np.round(places, 1).tolist()  # type: ignore[no-any-return]

    # Half a pixel: stairs become slopes, and no border moves further.
    simple = [polygon.simplify(0.75, preserve_topology=True) for polygon in polygons]
    rings = [[ring(polygon.exterior), *(ring(hole) for hole in polygon.interiors)] for polygon in simple]
    return {
        "type": "Feature",
        "geometry": {"type": "MultiPolygon", "coordinates": rings},
        "properties": {
            "objectType": "annotation",
            "name": mask.name,
            "classification": {"name": mask.name},
            "isLocked": True,
            **({"specks_left_out": left_out} if left_out else {}),
        },
    }


def _thinned(mask: BoolMask, longest: float) -> tuple[BoolMask, int]:
    """The mask at no more than so many pixels, without specks and pinholes; and the number of those specks."""
    rows, columns = mask.shape
    touched = mask
    shrink = max(1.0, max(rows, columns) / longest)
    if shrink > 1:
        size = (max(1, round(columns / shrink)), max(1, round(rows / shrink)))
        gray = cv2.resize(mask.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA)
        mask, touched = np.asarray(gray > 127, dtype=np.bool_), np.asarray(gray > 0, dtype=np.bool_)
    # A mask of few pixels has no specks.
    smallest = _SMALLEST_PX if mask.size > 100 * _SMALLEST_PX else 1
    kept = remove_small(mask, smallest)
    # Lines that are thinner than half of these pixels are drawn as wide as one, rather than not at all.
    near = cv2.dilate(kept.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(np.bool_)
    kept |= remove_small(touched & ~near, smallest)
    if not kept.any():
        # Nothing but specks: all that there is to be seen.
        kept = touched
    count, labels = cv2.connectedComponents(touched.astype(np.uint8), connectivity=8)
    left_out = count - len(np.union1d(labels[kept & touched], [0]))
    return ~remove_small(~kept, smallest), left_out
