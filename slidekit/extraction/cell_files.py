"""Cells of many slides from files of other programs, and as files for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from slidekit.cells.importing import import_cells
from slidekit.cells.segmentation import Segmentation
from slidekit.cells.store import make_folder
from slidekit.errors import CellError, SlidekitError
from slidekit.extraction.cell_notes import cells_path, write_cells_table
from slidekit.extraction.cells import imported_report
from slidekit.extraction.outcome import failed_report
from slidekit.pixels.discovery import slide_name
from slidekit.slide.coordinates import Unit
from slidekit.slide.image import SlideImage
from slidekit.slide.job import SlideJob
from slidekit.slide.report_model import SlideReport

__all__ = ["export_cells", "import_slides"]

_TABLES = (".csv", ".parquet")
_SUFFIXES = (".geojson", ".cells.geojson", ".json", *_TABLES, "-masks.zip")


def import_slides(
    slides: Sequence[Path],
    source: Path,
    dest: Path,
    *,
    geometry: Literal["cell", "nucleus"] = "cell",
    unit: Unit = "px",
    mpp: float | None = None,
    overwrite: bool = False,
    on_slide: Callable[[SlideReport], None] | None = None,
) -> dict[Path, SlideReport]:
    """Take the cells of slides from files, and write ``{slide}.cells.zarr`` for each.

    Parameters
    ----------
    slides
        Files of slides.
    source
        A folder with ``{slide}.geojson``, ``{slide}.cells.geojson``, ``.json``, ``.csv``, ``.parquet`` or
        ``{slide}-masks.zip``, or one file: of the only slide, or a table with a column ``slide``.
    dest
        Folder for the cells.
    geometry, unit
        As for `slidekit.cells.import_cells`.
    mpp
        µm/px of level 0, over what files say.
    overwrite
        Replace cells that are there.
    on_slide
        Called with the report of each slide.

    Returns
    -------
    dict
        As of `slidekit.extraction.cells.run_cells`; ``skipped`` are slides of which there is no file, and
        those with cells in `dest`, unless `overwrite`.

    Raises
    ------
    CellError
        If the folder cannot be made, or a file of one slide's cells is given for several slides.
    """
    if len(slides) > 1 and source.is_file() and source.suffix.lower() not in _TABLES:
        raise CellError(
            f"holds the cells of one slide, and {len(slides)} slides are given.",
            mend="Name that slide, or give a folder of files that are called after their slides.",
            path=source,
        )
    dest = dest.expanduser().absolute()
    make_folder(dest)
    reports: dict[Path, SlideReport] = {}
    for path in slides:
        job, started = SlideJob(name=slide_name(path), path=path), time.monotonic()
        try:
            file = _file_of(source, job.name)
            if file is None:
                what = f"There is no file of its cells in {source.name}."
                report = SlideReport(slide=job.name, path=str(path), status="skipped", reason=what)
            elif cells_path(dest, job.name).exists() and not overwrite:
                what = "Its cells are there already; overwrite=True (--overwrite) replaces them."
                report = SlideReport(slide=job.name, path=str(path), status="skipped", reason=what)
            else:
                with SlideImage(path, mpp=mpp) as slide:
                    found = import_cells(file, slide, geometry=geometry, unit=unit)
                    found.save(dest, overwrite=overwrite)
                    report = imported_report(job, slide, found, dest)
        except (SlidekitError, OSError) as error:
            report = failed_report(job, str(error))
        reports[path] = report.model_copy(update={"seconds": time.monotonic() - started})
        if on_slide is not None:
            on_slide(reports[path])
    write_cells_table(dest, list(reports.values()))
    return reports


def _file_of(source: Path, slide: str) -> Path | None:
    if not source.is_dir():
        return source
    return next((path for end in _SUFFIXES if (path := source / f"{slide}{end}").is_file()), None)


def export_cells(
    folder: Path, slides: Sequence[str], *, kind: Literal["outlines", "centroids"] | None = None, csv: bool = False
) -> list[Path]:
    """Write the cells of slides for other programs, beside them: ``{slide}.cells.geojson``, ``{slide}.cells.csv``.

    Parameters
    ----------
    folder
        Folder of cells.
    slides
        Names; those that have no cells there are left out.
    kind
        What QuPath is to show; None writes no GeoJSON. Cells without outlines become centroids.
    csv
        Whether to write the table of measures.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    CellError
        If cells cannot be read.
    OSError
        If a file cannot be written.
    """
    written = []
    for name in slides:
        path = cells_path(folder, name)
        if not path.is_dir():
            continue
        cells = Segmentation.open(path)
        if kind is not None:
            has_them = kind == "centroids" or cells.facts.has_outlines
            target = folder / f"{name}.cells.geojson"
            written.append(cells.to_geojson(target, kind if has_them else "centroids"))
        if csv:
            written.append(cells.to_csv(folder / f"{name}.cells.csv"))
    return written
