"""Which given coordinates are of which slide of a dataset."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from slidekit.association import associate_slide_names
from slidekit.collection.names import settle_text
from slidekit.slide.coordinate_columns import Where
from slidekit.slide.coordinate_table import CoordinateTable, plain_slide_name, read_coordinate_table
from slidekit.slide.coordinates import Coordinates
from slidekit.slide.spec import ExtractionSpec
from slidekit.wording import some_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["slide_coordinates"]

logger = logging.getLogger(__name__)


def slide_coordinates(
    source: str | Path | pd.DataFrame, spec: ExtractionSpec, *, slides: Collection[str], known: Iterable[str]
) -> dict[str, Coordinates]:
    """Read a table of coordinates and give each slide its own.

    A slide is named as in annotations: by its file with or without suffix and ``.ome``, or by the patient of a TCGA
    barcode that has one slide.

    Parameters
    ----------
    source
        As `read_coordinate_table` takes it; the column ``slide`` may be missing where there is one slide.
    spec
        What the numbers mean.
    slides
        Names of the slides that are wanted.
    known
        Names of all slides that there are: rows of those that are not wanted are left out without a word.

    Returns
    -------
    dict
        Each of `slides` to its coordinates, of which there may be none. The log names what belongs to no slide.

    Raises
    ------
    DatasetError
        If the table cannot be used, names none of `slides`, or a patient that has several.
    MissingExtraError
        If a parquet file is given and pyarrow is not installed.
    """
    table = read_coordinate_table(source, unit=spec.coordinates_unit, anchor=spec.coordinates_anchor)
    if not table.names:
        if len(slides) != 1:
            mend = f"Say in it which of the {len(slides)} slides each row is of."
            raise Where(table.path).error("has no column slide.", mend)
        return {name: table.pick(np.arange(len(table))) for name in slides}
    owners = _owners(table, known)
    wanted = {name: place for place, name in enumerate(slides)}
    place_of = np.array([wanted.get(owners.get(name, ""), -1) for name in table.names], np.int64)[table.codes]
    order = np.argsort(place_of, kind="stable")
    ends = np.searchsorted(place_of[order], np.arange(-1, len(wanted)), side="right")
    found = dict(zip(wanted, np.split(order, ends)[1:-1], strict=True))
    if not any(map(len, found.values())):
        mend = f"It names {some_of(table.names, 3)}; slides are {some_of(sorted(slides), 3)}."
        raise Where(table.path).error(f"names none of the {len(slides)} slides.", mend)
    return {name: table.pick(rows) for name, rows in found.items()}


def _owners(table: CoordinateTable, known: Iterable[str]) -> Mapping[str, str]:
    """Name as it is written to that of the slide; the log says which names are no slide's."""
    spelt = {settle_text(name): name for name in known}
    owners: dict[str, str] = {}
    left = []
    for written in table.names:
        settled = settle_text(written)
        name = spelt.get(settled) or spelt.get(settle_text(plain_slide_name(settled)))
        if name is None:
            left.append(written)
        else:
            owners[written] = name
    if not left:
        return owners
    # Only what is nobody's name may be a patient's.
    association = associate_slide_names(left, spelt.values())
    if association.ambiguous:
        patient, several = next(iter(association.ambiguous.items()))
        what = f"names the patient {patient}, who has several slides: {some_of(several, 5)}."
        raise Where(table.path).error(what, "Write the name of the slide.")
    owners.update(association.matched)
    if lost := [name for name in left if name not in owners]:
        counts = np.bincount(table.codes, minlength=len(table.names))
        rows = sum(int(counts[place]) for place, name in enumerate(table.names) if name not in owners)
        logger.warning(
            "%s: slides that are not in the dataset are left out, with their rows (%d): %s.",
            table.path or "The table of coordinates",
            rows,
            some_of(lost, 20),
        )
    return owners
