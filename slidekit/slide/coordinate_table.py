"""Tables of coordinates: CSV, parquet, data frames and arrays, read as numbers with the row of every mistake."""

from __future__ import annotations

import unicodedata
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np
import numpy.typing as npt

from slidekit.errors import DatasetError, MissingExtraError
from slidekit.io.csv_table import iter_csv_table
from slidekit.pixels.discovery import has_slide_suffix, slide_name
from slidekit.slide.coordinates import FARTHEST, Coordinates
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.spec_values import Anchor, Unit, read_coordinates
from slidekit.wording import cell_text, some_of

if TYPE_CHECKING:
    import pandas as pd

    CoordinatesOf = Coordinates | str | Path | pd.DataFrame | npt.NDArray[Any] | Sequence[Sequence[float]]
else:
    CoordinatesOf = Any

__all__ = ["CoordinateTable", "CoordinatesOf", "coordinates_of", "plain_slide_name", "read_coordinate_table"]

_PAIRS: tuple[tuple[str, str, Unit | None], ...] = (("x", "y", None), ("x_um", "y_um", "um"), ("loc_x", "loc_y", "px"))
"""Names of columns that hold places, the first that is there, and their unit; None: what the caller says."""

_EMPTY_MEND = "Remove the row, or fill the cell in."


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
        ``x_um`` and ``y_um`` (microns), else ``loc_x`` and ``loc_y`` (level-0 pixels); ``slide`` and ``label`` if they
        are there. Others are ignored.
    unit, anchor
        What numbers in ``x`` and ``y`` mean.

    Raises
    ------
    DatasetError
        With file and line: a column is missing or there twice, a cell is empty or no number, there is no row.
    MissingExtraError
        If a parquet file is given and pyarrow is not installed.
    """
    if isinstance(source, str | Path):
        path = Path(source).expanduser()
        made = _read_parquet(path, unit) if path.suffix.lower() in (".parquet", ".pq") else _read_csv(path, unit)
    elif hasattr(source, "columns"):
        made = _read_frame(source, unit, None)
    else:
        kind = type(source).__name__
        raise DatasetError(f"coordinates cannot be a {kind}.", mend="Give a CSV or parquet file, or a DataFrame.")
    if not len(made):
        raise DatasetError("lists no coordinates.", mend="It needs one row a tile.", path=made.path)
    return replace(made, anchor=anchor, source=read_coordinates(source))


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
        raise DatasetError(
            f"has no coordinates of the slide {wanted}.",
            mend=f"It names {some_of(table.names, 5)}: correct the column slide, or leave it out.",
            path=table.path,
        )
    return table.pick(np.flatnonzero(np.isin(table.codes, codes)))


def plain_slide_name(text: str) -> str:
    """Name of a slide as a table states it, without folder, suffix and ``.ome``, accents composed (NFC)."""
    short = slide_name(text) if has_slide_suffix(text, images=True) else slide_name(f"{text}.tif")
    return _composed(short)


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


@dataclass(frozen=True)
class _Columns:
    """Which columns of a header are read, by their place in it."""

    x: int
    y: int
    unit: Unit
    slide: int | None
    label: int | None


def _find_columns(header: Sequence[str], unit: Unit, path: Path | None) -> _Columns:
    line = 1 if path is not None and path.suffix.lower() not in (".parquet", ".pq") else None
    places: dict[str, list[int]] = {}
    for place, name in enumerate(header):
        places.setdefault(name.strip().lower(), []).append(place)

    def find(name: str) -> int | None:
        found = places.get(name, [])
        if len(found) > 1:
            names = " and ".join(repr(header[place]) for place in found)
            raise DatasetError(f"has the columns {names}.", mend="Rename one of them.", path=path, line=line)
        return found[0] if found else None

    # Where microns are meant, a column that says so goes before one that does not.
    pairs = _PAIRS if unit == "px" else (_PAIRS[1], _PAIRS[0], _PAIRS[2])
    for x_name, y_name, stated in pairs:
        x, y = find(x_name), find(y_name)
        if x is not None and y is not None:
            return _Columns(x, y, stated or unit, find("slide"), find("label"))
    raise DatasetError(
        "has no columns x and y." if path is not None else "The table of coordinates has no columns x and y.",
        mend=f"x_um and y_um, or loc_x and loc_y, will do as well. There are: {some_of(list(header), 20)}.",
        path=path,
        line=line,
    )


def _read_csv(path: Path, unit: Unit) -> CoordinateTable:
    header, rows = iter_csv_table(path, error=DatasetError)
    columns = _find_columns(header, unit, path)
    xy, codes = array("d"), array("q")
    labels: list[str | None] = []
    names: dict[str, int] = {}
    for line, cells in rows:
        for place in (columns.x, columns.y):
            xy.append(_number(cells[place], header[place], path, line))
        if columns.slide is not None:
            if not (name := cells[columns.slide]):
                raise DatasetError("names no slide.", mend=_EMPTY_MEND, path=path, line=line)
            codes.append(names.setdefault(name, len(names)))
        labels.append((cells[columns.label] or None) if columns.label is not None else None)
    return CoordinateTable(
        tuple(names),
        np.array(codes, np.int64),
        np.array(xy, np.float64).reshape(-1, 2),
        np.array([*labels, None], object)[:-1],
        columns.unit,
        "center",
        "",
        path,
    )


def _number(text: str, column: str, path: Path, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not abs(value) <= FARTHEST:
        _refuse(text, column, path, line, "")
    return value


def _refuse(text: str, column: str, path: Path | None, line: int | None, where: str) -> NoReturn:
    what = f"{column} is empty." if not text else f"{column} {text!r} is no place on a slide."
    mend = _EMPTY_MEND if not text else "Give a number, with a point for decimals."
    raise DatasetError(where + what, mend=mend, path=path, line=line)


def _read_parquet(path: Path, unit: Unit) -> CoordinateTable:
    try:
        from pyarrow import parquet

        header = parquet.read_schema(path).names
        columns = _find_columns(header, unit, path)
        wanted = [columns.x, columns.y, *(place for place in (columns.slide, columns.label) if place is not None)]
        frame = parquet.read_table(path, columns=[header[place] for place in wanted]).to_pandas()
    except ImportError as error:
        raise MissingExtraError(
            "Parquet files are read by pyarrow, which is not installed.",
            mend='Run: pip install "slidekit[export]"; or save the coordinates as CSV.',
            path=path,
        ) from error
    except (OSError, ValueError) as error:
        # pyarrow's own errors are ValueErrors.
        raise DatasetError(f"cannot be read: {error}.", mend="Save it again as parquet or CSV.", path=path) from error
    return _read_frame(frame, unit, path)


def _read_frame(frame: pd.DataFrame, unit: Unit, path: Path | None) -> CoordinateTable:
    import pandas as pd

    if any(str(name).strip().lower() == "slide" for name in frame.index.names):
        frame = frame.reset_index()
    header = [str(name) for name in frame.columns]
    columns = _find_columns(header, unit, path)

    def where(row: int) -> str:
        return f"row {frame.index[row]!r}: "

    xy = np.empty((len(frame), 2), np.float64)
    for axis, place in enumerate((columns.x, columns.y)):
        values = pd.to_numeric(frame.iloc[:, place], errors="coerce").to_numpy(np.float64, na_value=np.nan)
        wrong = np.flatnonzero(~(np.abs(values) <= FARTHEST))
        if len(wrong):
            row = int(wrong[0])
            _refuse(cell_text(frame.iloc[row, place]), header[place], path, None, where(row))
        xy[:, axis] = values
    codes, names = np.empty(0, np.int64), ()
    if columns.slide is not None:
        written = [cell_text(value) for value in frame.iloc[:, columns.slide]]
        if "" in written:
            raise DatasetError(f"{where(written.index(''))}names no slide.", mend=_EMPTY_MEND, path=path)
        found, codes = np.unique(np.array(written, str), return_inverse=True)
        names = tuple(found.tolist())
    labels = np.full(len(frame), None, object)
    if columns.label is not None:
        labels[:] = [cell_text(value) or None for value in frame.iloc[:, columns.label]]
    return CoordinateTable(names, codes.astype(np.int64), xy, labels, columns.unit, "center", "", path)
