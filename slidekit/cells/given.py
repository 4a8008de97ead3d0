"""Cells that another program has found, checked and measured."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from slidekit.cells.facts import CellFacts
from slidekit.cells.found import CellTable
from slidekit.cells.measure import SHAPE_COLUMNS, Columns, measure_polygons
from slidekit.cells.values import class_names
from slidekit.cells.windows import CellFrame
from slidekit.errors import CellError, SpecError

__all__ = [
    "both_mpp",
    "checked_measures",
    "given_centroids",
    "given_facts",
    "given_outlines",
    "numbered_classes",
]


def given_outlines(outlines: Sequence[npt.ArrayLike], slide_mpp: tuple[float, float]) -> CellTable:
    """Measure outlines; a first place that is repeated at the end is dropped.

    Raises
    ------
    CellError
        If one is not (k, 2) finite numbers with k of at least 3.
    """
    rings = []
    for number, outline in enumerate(outlines):
        try:
            ring = np.asarray(outline, np.float64)
        except (TypeError, ValueError):
            ring = np.empty(0)
        if ring.ndim == 2 and ring.shape[1] == 2 and len(ring) > 1 and np.array_equal(ring[0], ring[-1]):
            ring = ring[:-1]
        if ring.ndim != 2 or ring.shape[1] != 2 or len(ring) < 3 or not np.isfinite(ring).all():
            raise CellError(
                f"The outline of cell {number + 1} is none.", mend="Give three places (x, y) or more, finite numbers."
            )
        rings.append(ring)
    counts = np.array([len(ring) for ring in rings], np.int64)
    vertices = np.concatenate(rings) if rings else np.empty((0, 2))
    return CellTable(measure_polygons(vertices, counts, slide_mpp), vertices.astype(np.float32), counts)


def given_centroids(centroids: npt.ArrayLike) -> CellTable:
    """Take places as cells.

    Raises
    ------
    CellError
        If they are not (n, 2) finite numbers.
    """
    try:
        places = np.asarray(centroids, np.float64)
    except (TypeError, ValueError) as error:
        raise CellError("Centroids are no numbers.", mend="Give (n, 2): x, y in level-0 pixels.") from error
    if places.size == 0:
        places = places.reshape(0, 2)
    if places.ndim != 2 or places.shape[1] != 2 or not np.isfinite(places).all():
        raise CellError(
            f"Centroids of shape {places.shape} are not finite (x, y).", mend="Give (n, 2): x, y in level-0 pixels."
        )
    nothing = np.zeros(len(places), np.int64)
    return CellTable({"x": places[:, 0].copy(), "y": places[:, 1].copy()}, np.empty((0, 2), np.float32), nothing)


def checked_measures(measures: Mapping[str, npt.NDArray[np.float64]], count: int) -> Columns:
    """Take measures of another program.

    Raises
    ------
    SpecError
        If a name is no name of a column or is slidekit's own, or there are not as many values as cells.
    """
    taken: Columns = {}
    for name, given in measures.items():
        values = np.asarray(given, np.float64)
        if not re.fullmatch(r"[A-Za-z0-9_]+", name) or name in (*SHAPE_COLUMNS, "class", "id"):
            raise SpecError(f"{name!r} cannot be the name of a measure.", mend="Use other letters, digits and _.")
        if values.shape != (count,):
            raise SpecError(f"{name}: values of shape {values.shape} for {count} cells.", mend="Give one for each.")
        taken[name] = values
    return taken


def numbered_classes(classes: Sequence[str | None], count: int) -> tuple[npt.NDArray[np.float64], tuple[str, ...]]:
    """Number of each cell's class, −1 for none, and the classes, sorted.

    Raises
    ------
    SpecError
        If there are not as many as cells, or one is no name.
    """
    given = class_names(classes, count)
    names = tuple(sorted({name for name in given if name is not None}))
    places = {name: float(place) for place, name in enumerate(names)}
    return np.array([-1.0 if name is None else places[name] for name in given], np.float64), names


def both_mpp(mpp: float | Sequence[float]) -> tuple[float, float]:
    """Take µm/px of level 0, the same along x and y or not.

    Raises
    ------
    SpecError
        If it is no positive number, or not two of them.
    """
    both = tuple(mpp) if isinstance(mpp, Sequence | np.ndarray) and not isinstance(mpp, str) else (mpp, mpp)
    if len(both) != 2 or not all(_is_positive(one) for one in both):
        raise SpecError(f"slide_mpp={mpp!r} makes no sense.", mend="Give µm/px of level 0, such as 0.25.")
    return float(both[0]), float(both[1])


def given_facts(
    slide: str, dimensions: tuple[int, int], slide_mpp: float | Sequence[float], mpp: float, source: str
) -> CellFacts:
    """What is known of cells that came as outlines or places.

    Raises
    ------
    SpecError
        If a length or a size is no positive number.
    """
    both = both_mpp(slide_mpp)
    if not _is_positive(mpp) or len(dimensions) != 2 or min(dimensions) < 1:
        raise SpecError(f"mpp={mpp!r}, dimensions={dimensions!r} make no sense.", mend="Give positive numbers.")
    size = int(dimensions[0]), int(dimensions[1])
    frame = CellFrame.at(mpp, size, both)
    return CellFacts(slide, size, both, (frame.columns, frame.rows), method={"name": source}, has_masks=False)


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and bool(0 < value < np.inf)
