"""Tables of coordinates: CSV, parquet, data frames and arrays, read as numbers with the row of every mistake."""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from slidekit.errors import DatasetError, MissingExtraError
from slidekit.io.csv_table import iter_csv_table
from slidekit.io.user_file import check_regular
from slidekit.pixels.discovery import has_slide_suffix, slide_name
from slidekit.slide.coordinate_columns import EMPTY_MEND, Where, find_columns, numbers_of, read_number
from slidekit.slide.coordinates import Coordinates
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.spec_values import Anchor, Unit, read_coordinates
from slidekit.wording import cell_text, some_of

if TYPE_CHECKING:
    import pandas as pd

    CoordinatesOf = Coordinates | str | Path | pd.DataFrame | npt.NDArray[Any] | Sequence[Sequence[float]]
else:
    CoordinatesOf = Any

__all__ = ["CoordinateTable", "CoordinatesOf", "coordinates_of", "plain_slide_name", "read_coordinate_table"]


@dataclass(frozen=True, eq=False)
class CoordinateTable:
    """Places on slides.

    Attributes
    ----------
    names
        Slides as they are written, each once; empty where the table has no column ``slide``.
    codes
        (n,) int64: each row's slide, a place in `names`.
    xy
        (n, 2) float64.
    labels
        (n,) of str or None.
    unit, anchor, source
        As of `Coordinates`.
    path
        The file; None for what was in memory.
    """

    names: tuple[str, ...]
    codes: npt.NDArray[np.int64]
    xy: npt.NDArray[np.float64]
    labels: npt.NDArray[np.object_]
    unit: Unit
    anchor: Anchor
    source: str
    path: Path | None = None

    def __len__(self) -> int:
        return len(self.xy)

    def pick(self, rows: npt.NDArray[np.int64]) -> Coordinates:
        """The places in some rows, numbers from 0, as those of one slide."""
        return Coordinates.of(
            self.xy[rows],
            self.labels[rows],
            rows,
            unit=self.unit,
            anchor=self.anchor,
            source=self.source,
            total=len(self),
        )


def read_coordinate_table(
    source: str | Path | pd.DataFrame, *, unit: Unit = "px", anchor: Anchor = "center"
) -> CoordinateTable:
    """Read a table of coordinates.

    Parameters
    ----------
    source
        A CSV file, a ``.parquet`` file, or a data frame. Columns, in whatever case: ``x`` and ``y`` in `unit`, else
        ``x_um`` and ``y_um`` (microns), else ``loc_x`` and ``loc_y`` (level-0 pixels, always of the centre); ``slide``
        and ``label`` if they are there. Others are ignored. Named levels of a data frame's index are columns, too.
    unit, anchor
        What numbers in ``x`` and ``y`` mean; `anchor` those in ``x_um`` and ``y_um`` as well.

    Raises
    ------
    DatasetError
        With file and line: a column is missing or there twice, a cell is empty or no number, there is no row.
    MissingExtraError
        If a parquet file is given and pyarrow is not installed.
    """
    if isinstance(source, str | Path):
        path = Path(source).expanduser()
        read = _read_parquet if path.suffix.lower() in (".parquet", ".pq") else _read_csv
        made = read(path, unit, anchor)
    elif hasattr(source, "columns") and hasattr(source, "iloc"):
        made = _read_frame(source, unit, anchor, Where(None))
    else:
        mend = "Give a CSV or parquet file, or a DataFrame of pandas."
        raise DatasetError(f"Coordinates cannot be a {type(source).__name__}.", mend=mend)
    if not len(made):
        raise Where(made.path).error("lists no coordinates.", "It needs one row a tile.")
    return replace(made, source=read_coordinates(source))


def coordinates_of(given: CoordinatesOf, path: Path, spec: ExtractionSpec) -> Coordinates:
    """Coordinates of one slide, from whatever they were given as.

    Parameters
    ----------
    given
        As `WSI` takes them; `Coordinates` stay what they are.
    path
        File of the slide, whose name is looked up in the column ``slide`` where there is one.
    spec
        What numbers mean where they do not say so themselves.

    Raises
    ------
    DatasetError
        If the table cannot be used, or has no row of this slide.
    SpecError
        If an array holds something else than x and y.
    """
    if isinstance(given, Coordinates):
        return given
    unit, anchor = spec.coordinates_unit, spec.coordinates_anchor
    if not isinstance(given, str | Path) and not hasattr(given, "columns"):
        return Coordinates.of(given, unit=unit, anchor=anchor)
    table = read_coordinate_table(cast("str | Path | pd.DataFrame", given), unit=unit, anchor=anchor)
    if not table.names:
        return table.pick(np.arange(len(table)))
    wanted = _composed(slide_name(path))
    codes = [place for place, name in enumerate(table.names) if wanted in (_composed(name), plain_slide_name(name))]
    if not codes:
        mend = f"It names {some_of(table.names, 5)}: correct the column slide, or leave it out."
        raise Where(table.path).error(f"has no coordinates of the slide {wanted}.", mend)
    return table.pick(np.flatnonzero(np.isin(table.codes, codes)))


def plain_slide_name(text: str) -> str:
    """Name of a slide as a table states it, without folder, suffix and ``.ome``, accents composed (NFC).

    Folders may be those of Windows.
    """
    text = re.split(r"[/\\]", text)[-1]
    short = slide_name(text) if has_slide_suffix(text, images=True) else slide_name(f"{text}.tif")
    return _composed(short)


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _read_csv(path: Path, unit: Unit, anchor: Anchor) -> CoordinateTable:
    where = Where(path)
    header, rows = iter_csv_table(path, error=DatasetError)
    columns = find_columns(header, unit, anchor, where, line=1)
    xy, codes = array("d"), array("q")
    labels: list[str | None] = []
    names: dict[str, int] = {}
    for line, cells in rows:
        for place in (columns.x, columns.y):
            xy.append(read_number(cells[place], header[place], where, line))
        if columns.slide is not None:
            if not (name := cells[columns.slide]):
                raise where.error("names no slide.", EMPTY_MEND, line=line)
            codes.append(names.setdefault(name, len(names)))
        labels.append((cells[columns.label] or None) if columns.label is not None else None)
    return CoordinateTable(
        tuple(names),
        np.array(codes, np.int64),
        np.array(xy, np.float64).reshape(-1, 2),
        np.array([*labels, None], object)[:-1],
        columns.unit,
        columns.anchor,
        "",
        path,
    )


def _read_parquet(path: Path, unit: Unit, anchor: Anchor) -> CoordinateTable:
    where = Where(path)
    check_regular(path, error=DatasetError)
    try:
        from pyarrow import parquet

        header = parquet.read_schema(path).names
        columns = find_columns(header, unit, anchor, where)
        wanted = [columns.x, columns.y, *(place for place in (columns.slide, columns.label) if place is not None)]
        frame = parquet.read_table(path, columns=[header[place] for place in wanted]).to_pandas()
    except ImportError as error:
        raise MissingExtraError(
            "Parquet files are read by pyarrow, which is not installed.",
            mend='Run: pip install "slidekit[export]"; or save the coordinates as CSV.',
            path=path,
        ) from error
    except (OSError, ValueError, NotImplementedError) as error:
        # What pyarrow raises of a file that is damaged, no parquet, or packed in another way.
        why = str(error).rstrip(".")
        raise where.error(f"cannot be read: {why}.", "Save it again as parquet or CSV.") from error
    return _read_frame(frame, unit, anchor, where)


def _read_frame(frame: pd.DataFrame, unit: Unit, anchor: Anchor, where: Where) -> CoordinateTable:
    header = [str(name) for name in frame.columns]
    taken = {name.strip().lower() for name in header}
    # What stands in the index as well is read from the column.
    further = [str(name).strip().lower() not in taken and name is not None for name in frame.index.names]
    levels = np.flatnonzero(further).tolist()
    header += [str(frame.index.names[place]) for place in levels]
    columns = find_columns(header, unit, anchor, where)

    def series(place: int) -> pd.Series[Any] | pd.Index[Any]:
        first = len(header) - len(levels)
        return frame.iloc[:, place] if place < first else frame.index.get_level_values(levels[place - first])

    pair = [numbers_of(series(place), header[place], frame.index, where) for place in (columns.x, columns.y)]
    codes, names = np.empty(0, np.int64), ()
    if columns.slide is not None:
        written = [cell_text(value) for value in series(columns.slide)]
        if "" in written:
            raise where.row_error(frame.index[written.index("")], "names no slide.", EMPTY_MEND)
        found, codes = np.unique(np.array(written, str), return_inverse=True)
        names = tuple(found.tolist())
    labels = np.full(len(frame), None, object)
    if columns.label is not None:
        labels[:] = [cell_text(value) or None for value in series(columns.label)]
    return CoordinateTable(
        names, codes.astype(np.int64), np.stack(pair, axis=1), labels, columns.unit, columns.anchor, "", where.path
    )
