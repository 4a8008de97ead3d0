"""The annotations of a project: where they lie, and how they are made without replacing anything."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from slidekit.annotations import (
    Annotations,
    SlideAssociation,
    associate_slide_names,
    manifest_of_slides,
    read_table,
)
from slidekit.errors import AnnotationsError, ProjectError
from slidekit.io.atomic import atomic_write, atomic_write_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["associate_in_file", "settle_annotations", "write_manifest"]

logger = logging.getLogger(__name__)


def settle_annotations(root: Path, given: str | Path | pd.DataFrame | None, slides: Sequence[str]) -> Path:
    """Check the annotations of a new project, and write those that are not a file yet.

    Parameters
    ----------
    root
        Folder of the project.
    given
        What the caller gave: a file stays where it is; a data frame, or a manifest of `slides` for None, is
        written to ``annotations.csv`` unless that file exists.
    slides
        Names of the slides that were found.

    Returns
    -------
    Path
        The file of annotations; it does not exist if there is neither a table nor a slide.

    Raises
    ------
    AnnotationsError
        If they cannot be used. A table without the column ``slide`` is accepted, and the log says what to do.
    ProjectError
        If a data frame is given and ``annotations.csv`` exists.
    """
    default = root / "annotations.csv"
    if isinstance(given, str | Path):
        path = Path(given).expanduser().absolute()
        _check_file(path)
        return path
    if given is not None:
        if default.exists():
            raise ProjectError(
                "exists already and is not replaced.", mend="Give its path, or move it away.", path=default
            )
        Annotations.read(given)
        table = read_table(given)
        _write(default, table.header, (row.cells for row in table.rows))
    elif default.exists():
        _check_file(default)
    elif slides:
        write_manifest(default, slides)
    return default


def write_manifest(path: Path, slides: Sequence[str]) -> Annotations:
    """Write annotations in which each slide is its own patient, to a file that does not exist yet."""
    manifest = manifest_of_slides(slides)
    _write(path, manifest.columns, ((slide, slide) for slide in manifest.slides))
    return Annotations.read(path)


def associate_in_file(path: Path, slides: Sequence[str], root: Path) -> tuple[Path, SlideAssociation]:
    """Fill in the column ``slide`` by the patients' names.

    Rows that name a slide keep it. A patient who stands in several rows without a slide is left for a person.

    Parameters
    ----------
    path
        The annotations.
    slides
        Names of the slides.
    root
        Folder of the project, the only place that is written to.

    Returns
    -------
    Path
        The new file: `path` itself if it lies in `root`, with the original beside it as ``.backup``; else a
        new name in `root`.
    SlideAssociation
        What was matched.

    Raises
    ------
    AnnotationsError
        If the table cannot be read or has no column ``patient``.
    """
    table = read_table(path)
    if "patient" not in table.header:
        raise AnnotationsError(
            "has no column 'patient'.", mend=f"There are: {', '.join(table.header)}.", path=path, line=1
        )
    header = table.header if "slide" in table.header else (*table.header, "slide")
    place, patient = header.index("slide"), header.index("patient")
    rows = [list(row.cells) + [""] * (len(header) - len(row.cells)) for row in table.rows]
    taken = {row[place] for row in rows if row[place]}
    open_patients = [row[patient] for row in rows if not row[place] and row[patient]]
    association = associate_slide_names(
        [name for name in open_patients if open_patients.count(name) == 1],
        [slide for slide in slides if slide not in taken],
    )
    for row in rows:
        if not row[place]:
            row[place] = association.matched.get(row[patient], "")
    target = path
    if path.resolve().is_relative_to(root.resolve()):
        _back_up(path)
    else:
        target = _free(root / path.name)
    _write(target, header, rows)
    return target, association


def _check_file(path: Path) -> None:
    if "slide" in read_table(path).header:
        Annotations.read(path)
    else:
        logger.warning("%s has no column 'slide': call Project.associate_slide_names().", path)


def _back_up(path: Path) -> None:
    with atomic_write(_free(path.with_name(f"{path.name}.backup"))) as file:
        file.write(path.read_bytes())


def _free(path: Path) -> Path:
    """Add a number to a name until no file has it."""
    free, number = path, 2
    while free.exists():
        free, number = path.with_name(f"{path.stem}-{number}{path.suffix}"), number + 1
    return free


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_text(path, text.getvalue())
