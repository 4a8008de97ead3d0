"""Cells as files for other programs: GeoJSON for QuPath, CSV for all."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from slidekit.cells.found import CellTable
from slidekit.cells.measure import COLOUR_COLUMNS, SHAPE_COLUMNS
from slidekit.io.atomic import atomic_write

__all__ = ["write_csv", "write_geojson"]

_MEASURES = {
    "area_um2": "Area µm^2",
    "eccentricity": "Eccentricity",
    "major_um": "Max axis µm",
    "minor_um": "Min axis µm",
    "hematoxylin": "Hematoxylin: Mean",
    "eosin": "Eosin: Mean",
}
"""Columns to names of measurements, as QuPath shows them."""


def write_geojson(
    path: Path,
    parts: Iterable[CellTable],
    kind: str,
    classes: Sequence[str | None] | None,
    origin: tuple[float, float],
) -> None:
    """Write cells as GeoJSON (RFC 7946) with the properties of QuPath's detections, a cell a line.

    Parameters
    ----------
    path
        File to write.
    parts
        The cells.
    kind
        ``outlines`` or ``centroids``.
    classes
        Class of each cell.
    origin
        Taken off all places, level-0 pixels.
    """
    front = b'{"type": "FeatureCollection", "features": [\n'
    done = 0
    with atomic_write(path, private=True) as file:
        for part in parts:
            named = None if classes is None else classes[done : done + len(part)]
            for text in _features(part, kind, named, origin):
                file.write(front + text.encode())
                front = b",\n"
            done += len(part)
        file.write((front if not done else b"") + b"\n]}\n")


def _features(
    part: CellTable, kind: str, classes: Sequence[str | None] | None, origin: tuple[float, float]
) -> Iterator[str]:
    # Numbers as text once for all cells: a hundredth of a pixel is more than an outline knows.
    measures = {name: part.columns[column].tolist() for column, name in _MEASURES.items() if column in part.columns}
    others = sorted(part.columns.keys() - _MEASURES.keys() - {*SHAPE_COLUMNS, *COLOUR_COLUMNS, "class"})
    measures |= {column: part.columns[column].tolist() for column in others}
    heads = [(json.dumps(name, ensure_ascii=False), values) for name, values in measures.items()]
    if kind == "outlines":
        places = np.round(part.vertices.astype(np.float64) - origin, 2).tolist()
    else:
        places = np.round(np.stack([part.columns["x"], part.columns["y"]], axis=1) - origin, 2).tolist()
    first = 0
    for number, count in enumerate(part.counts.tolist()):
        if kind == "outlines":
            ring = places[first : first + count]
            geometry = f'{{"type": "Polygon", "coordinates": [{[*ring, ring[0]]}]}}'
            first += count
        else:
            geometry = f'{{"type": "Point", "coordinates": {places[number]}}}'
        label = None if classes is None else classes[number]
        text = "" if label is None else f', "classification": {{"name": {json.dumps(label, ensure_ascii=False)}}}'
        if heads:
            # What other programs have measured may be missing.
            values = ", ".join(
                f"{head}: {values[number]:.6g}" for head, values in heads if math.isfinite(values[number])
            )
            text += f', "measurements": {{{values}}}'
        yield (f'{{"type": "Feature", "geometry": {geometry}, "properties": {{"objectType": "detection"{text}}}}}')


def write_csv(path: Path, parts: Iterable[CellTable], classes: Sequence[str]) -> None:
    """Write measures as CSV (UTF-8), a row a cell; a class by its name, empty for none.

    Parameters
    ----------
    path
        File to write.
    parts
        The cells.
    classes
        Names of the classes.
    """
    import pandas as pd

    done = 0
    names = (*classes, None)
    with atomic_write(path, private=True) as file:
        for part in parts:
            table = pd.DataFrame({name: values for name, values in part.columns.items() if name != "class"})
            table.insert(0, "id", np.arange(done + 1, done + len(part) + 1))
            if "class" in part.columns:
                table["class"] = [names[int(code)] for code in part.columns["class"].tolist()]
            text = io.StringIO()
            table.to_csv(text, index=False, header=done == 0, lineterminator="\n")
            file.write(text.getvalue().encode())
            done += len(part)
