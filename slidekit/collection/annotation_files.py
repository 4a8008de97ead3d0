"""The annotations of a project: where they lie, and how they are made without replacing anything."""

from __future__ import annotations

import csv
import hashlib
import io
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from slidekit.annotations import (
    Annotations,
    SlideAssociation,
    associate_slide_names,
    manifest_of_slides,
)
from slidekit.collection.annotation_rows import read_table
from slidekit.errors import AnnotationsError, ProjectError
from slidekit.io.atomic import atomic_write, atomic_write_text
from slidekit.io.csv_table import CSVTable, Row
from slidekit.wording import some_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "associate_in_file",
    "file_digest",
    "grow_manifest",
    "read_annotations",
    "settle_annotations",
    "write_manifest",
]

logger = logging.getLogger(__name__)

_MANIFEST = ("patient", "slide")


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
        If they cannot be used, which is found out before anything is written.
    ProjectError
        If a data frame is given and ``annotations.csv`` exists.
    """
    default = root / "annotations.csv"
    if isinstance(given, str | Path):
        path = Path(given).expanduser().absolute()
        read_annotations(path, slides)
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
        read_annotations(default, slides)
    elif slides:
        write_manifest(default, slides)
    return default


def read_annotations(path: Path, slides: Sequence[str]) -> Annotations:
    """Read the annotations of a project; a column ``slide`` that is missing is filled from the patients' names.

    The file is not changed, and the log says what was matched.

    Parameters
    ----------
    path
        The file.
    slides
        Names of the slides that were found.

    Raises
    ------
    AnnotationsError
        If the table cannot be used: `Annotations.read` says why; or it has no column ``slide``, and no patient
        is called like one of `slides`.
    """
    table = read_table(path)
    if "slide" in table.header or "patient" not in table.header:
        return Annotations.read(path)
    header, rows, association = _associate(table, slides)
    # Where there are no slides yet, nothing can be said against the table.
    if slides and not association.matched:
        patients = [row[header.index("patient")] for row in rows]
        raise AnnotationsError(
            f"has no column 'slide', and no patient bears the name of one slide: slides are named "
            f"{some_of(slides, 3)}, patients {some_of(patients, 3)}.",
            mend="Add the column slide with the file names without suffix, one row a slide.",
            path=path,
            line=1,
        )
    logger.warning(
        "%s has no column 'slide', which is filled from the patients' names: %d of %d rows have a slide. "
        "Project.associate_slide_names() lists and saves them.",
        path,
        len(association.matched),
        len(rows),
    )
    filled = tuple(Row(row.line, tuple(cells), row.where) for row, cells in zip(table.rows, rows, strict=True))
    return Annotations.read(CSVTable(header, tuple(row for row in filled if row.cells[-1]), path))


def grow_manifest(path: Path, slides: Sequence[str]) -> Annotations:
    """Add the slides that have no row to a manifest that slidekit made, each its own patient; the log names them.

    Parameters
    ----------
    path
        A file as `write_manifest` makes it.
    slides
        Names of the slides that were found. Rows of others stay.
    """
    # Names as they stand in the file: reading would take a suffix within a name for that of the file.
    there = {cell for row in read_table(path).rows for cell in row.cells}
    new = sorted(set(slides) - there)
    if not new:
        return Annotations.read(path)
    pairs = [(name, name) for name in sorted({*there, *new})]
    try:
        _write(path, _MANIFEST, pairs)
    except OSError as problem:
        logger.warning(
            "%d new slides, each its own patient, are used, but %s cannot be written: %s.",
            len(new),
            path,
            problem.strerror,
        )
    else:
        logger.warning("%d new slides were added to %s, each its own patient: %s.", len(new), path, some_of(new, 20))
    rows = tuple(Row(number, pair) for number, pair in enumerate(pairs, start=2))
    return Annotations.read(CSVTable(_MANIFEST, rows, path))


def file_digest(path: Path) -> str:
    """SHA-256 of a file, by which a manifest that nobody has edited is known."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


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
    header, rows, association = _associate(table, slides)
    target = path
    if path.resolve().is_relative_to(root.resolve()):
        _back_up(path)
    else:
        target = _free(root / path.name)
    _write(target, header, rows)
    return target, association


def _associate(table: CSVTable, slides: Sequence[str]) -> tuple[tuple[str, ...], list[list[str]], SlideAssociation]:
    """Fill the empty cells of the column ``slide``, which is added at the end if there is none."""
    header = table.header if "slide" in table.header else (*table.header, "slide")
    place, patient = header.index("slide"), header.index("patient")
    rows = [list(row.cells) + [""] * (len(header) - len(row.cells)) for row in table.rows]
    taken = {row[place] for row in rows if row[place]}
    times = Counter(row[patient] for row in rows if not row[place] and row[patient])
    association = associate_slide_names(
        [name for name, number in times.items() if number == 1],
        [slide for slide in slides if slide not in taken],
    )
    for row in rows:
        if not row[place]:
            row[place] = association.matched.get(row[patient], "")
    return header, rows, association


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
