"""Cells that other programs have found: QuPath's detections, tables of centroids, Slideflow's masks."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from slidekit.cells.detections import Detections, read_detections
from slidekit.cells.opening import opened_slide
from slidekit.cells.segmentation import Segmentation
from slidekit.cells.slideflow import load_slideflow
from slidekit.errors import CellError, SpecError
from slidekit.slide.coordinate_table import coordinates_of
from slidekit.slide.coordinates import Unit
from slidekit.slide.image import SlideImage
from slidekit.slide.spec import ExtractionSpec

__all__ = ["import_cells"]

_log = logging.getLogger("slidekit")

_JSON, _TABLES = (".geojson", ".json"), (".csv", ".parquet", ".pq")
_MEND = "Give detections as GeoJSON (.geojson), centroids as .csv or .parquet, or Slideflow's {slide}-masks.zip."


def import_cells(
    path: str | Path,
    slide: SlideImage | str | Path,
    *,
    geometry: Literal["cell", "nucleus"] = "cell",
    unit: Unit = "px",
    mpp: float = 0.5,
    bounds_origin: tuple[float, float] | None = None,
    slide_mpp: float | None = None,
) -> Segmentation:
    """Take cells from a file of another program.

    Parameters
    ----------
    path
        ``.geojson`` or ``.json``: what QuPath exports. Cells and detections are taken, annotations are not; polygons
        are outlines, points are centroids; classes and measurements come along. ``.csv`` or ``.parquet``: centroids, by
        the columns that `slidekit.slide.coordinate_table.read_coordinate_table` knows, with the class in ``label`` or
        ``class``. ``.zip``: what Slideflow saved.
    slide
        The slide, or its file.
    geometry
        Of QuPath's cells, which have two outlines: that of the cell, or that of the nucleus.
    unit
        What ``x`` and ``y`` of a table count: level-0 pixels, or microns.
    mpp
        µm/px at which the cells are seen as an image.
    bounds_origin
        Where QuPath's pixel (0, 0) lies, level-0 pixels; by default as the slide's file says (MIRAX).
    slide_mpp
        µm/px of level 0, over what the file of `slide` says.

    Returns
    -------
    Segmentation
        Without masks; save it as ``{slide}.cells.zarr`` to extract its cells. `problems` tells what was left out.

    Raises
    ------
    CellError
        If the file is none of these, holds no cells, or all of them lie outside of the slide.
    DatasetError
        If a table cannot be used; with its line.
    SpecError
        If `geometry` is unknown.
    SlideOpenError, MissingMPPError
        If the file of the slide is none, or its µm/px is unknown.
    """
    path = Path(path).expanduser()
    if geometry not in ("cell", "nucleus"):
        raise SpecError(f"geometry={geometry!r} is unknown.", mend="Use cell or nucleus.")
    suffix = path.suffix.lower()
    with opened_slide(slide, slide_mpp) as opened:
        where = opened.bounds_origin if bounds_origin is None else bounds_origin
        if suffix in _JSON:
            found = _of_detections(read_detections(path, nucleus=geometry == "nucleus"), where, opened, mpp, path)
        elif suffix in _TABLES:
            found = _of_table(path, unit, opened, mpp)
        elif suffix == ".zip":
            both = (opened.mpp_x, opened.mpp_y)
            found = load_slideflow(path, dimensions=opened.dimensions, slide_mpp=both, slide=opened.name)
        else:
            raise CellError("holds no cells that slidekit reads.", mend=_MEND, path=path)
    problems = (*found.facts.problems, *_outside(found, path))
    found.facts = replace(found.facts, problems=problems, bounds_origin=where)
    for problem in found.problems:
        _log.warning("%s: %s", path.name, problem)
    return found


def _of_detections(
    found: Detections, origin: tuple[float, float], slide: SlideImage, mpp: float, path: Path
) -> Segmentation:
    facts: dict[str, Any] = {
        "dimensions": slide.dimensions,
        "slide_mpp": (slide.mpp_x, slide.mpp_y),
        "mpp": mpp,
        "classes": found.classes if any(name is not None for name in found.classes) else None,
        "measures": found.measures,
        "source": "QuPath",
    }
    shift = np.array(origin)
    if found.outlines:
        made = Segmentation.from_outlines(slide.name, [ring + shift for ring in found.outlines], **facts)
    elif len(found.points):
        made = Segmentation.from_centroids(slide.name, found.points + shift, **facts)
    else:
        left = f" ({'; '.join(found.problems)})" if found.problems else ""
        raise CellError(f"holds no cells{left}.", mend="Export detections, not annotations.", path=path)
    made.facts = replace(made.facts, problems=found.problems)
    return made


def _of_table(path: Path, unit: Unit, slide: SlideImage, mpp: float) -> Segmentation:
    spec = ExtractionSpec.create(tile_px=256, tile_um=128, coordinates=path, coordinates_unit=unit)
    places = coordinates_of(_with_labels(path), slide.path, spec)
    both = (slide.mpp_x, slide.mpp_y)
    # In the order of the table: cell k is its k-th row of this slide.
    order = np.argsort(places.rows)
    labels = places.labels[order].tolist()
    return Segmentation.from_centroids(
        slide.name,
        places.centres(both, (0.0, 0.0))[order],
        dimensions=slide.dimensions,
        slide_mpp=both,
        mpp=mpp,
        classes=labels if any(label is not None for label in labels) else None,
        source=f"table {path.name}",
    )


def _with_labels(path: Path) -> Any:
    """The table, with the column ``class`` as ``label``, as `Segmentation.to_csv` writes it."""
    if path.suffix.lower() != ".csv":
        return path
    try:
        with path.open(encoding="utf-8-sig") as file:
            names = [name.strip().strip('"').lower() for name in file.readline().split(",")]
    except (OSError, UnicodeDecodeError):
        return path  # whoever reads it says what is wrong
    if "class" not in names or "label" in names:
        return path
    import pandas as pd

    table = pd.read_csv(path, encoding="utf-8-sig", skipinitialspace=True, keep_default_na=False)
    return table.rename(columns={table.columns[names.index("class")]: "label"})


def _outside(found: Segmentation, path: Path) -> list[str]:
    places: npt.NDArray[np.float64] = found.centroids()
    lost = int(((places < 0) | (places >= found.dimensions)).any(axis=1).sum())
    if lost and lost == len(found):
        width, height = found.dimensions
        raise CellError(
            f"All {lost} cells lie outside of the slide {found.slide} of {width} × {height} px.",
            mend="Give the slide that they were found on; of a table, say in which unit it is.",
            path=path,
        )
    return [f"{lost} cells lie outside of the slide."] if lost else []
