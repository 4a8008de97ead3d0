"""Cells of a slide on disk: a zarr group (version 3) of masks, measures and outlines.

Arrays: ``masks`` (rows, columns) uint32, the overview grid of the slide, 0 is background and k the k-th cell · one
float64 array (n,) a measure, under ``table/``; of these ``table/class``, where cells have classes, holds places in the
attribute ``classes``, -1 for none · ``outlines/vertices`` (m, 2) float32, level-0 pixels, and ``outlines/counts`` (n,)
int64.
What else is known stands in the group's attributes: see `CellFacts`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from slidekit.cells.canvas import CHUNK_PX
from slidekit.cells.facts import FORMAT, SCHEMA, CellFacts
from slidekit.cells.found import CellTable
from slidekit.cells.windows import PixelBox
from slidekit.errors import CellError, DatasetError, MissingExtraError

if TYPE_CHECKING:
    import zarr

__all__ = [
    "SUFFIX",
    "StoreWriter",
    "check_dest",
    "new_group",
    "open_group",
    "saved_group",
    "store_path",
    "zarr_library",
]

SUFFIX = ".cells.zarr"
"""End of the name of a slide's cells."""

_ROWS_A_CHUNK = 1 << 14
_VERTICES_A_CHUNK = 1 << 16

_MEND = "Give a folder that slidekit has written, such as {slide}" + SUFFIX + "."


class StoreWriter:
    """Writes a store piece by piece; memory does not grow with the number of cells.

    Parameters
    ----------
    group
        An empty group.
    facts
        What is known before; `finish` takes the final word.
    """

    def __init__(self, group: zarr.Group, facts: CellFacts) -> None:
        self.count = 0
        self._group = group
        self._facts = facts
        self._held: dict[str, list[npt.NDArray[Any]]] = {}
        self._written: dict[str, int] = {}
        self._masks: zarr.Array[Any] | None = None
        if facts.has_masks:
            columns, rows = facts.size
            self._masks = group.create_array(
                "masks",
                shape=(rows, columns),
                chunks=(min(CHUNK_PX, rows), min(CHUNK_PX, columns)),
                dtype="uint32",
                fill_value=0,
                compressors=_codec(),
                dimension_names=("row", "column"),
            )

    def write_part(self, box: PixelBox, labels: npt.NDArray[np.uint32]) -> None:
        """Write a whole chunk of the masks."""
        assert self._masks is not None
        self._masks[box.top : box.bottom, box.left : box.right] = labels

    def add(self, cells: CellTable) -> None:
        """Append cells."""
        self.count += len(cells)
        for name, values in cells.columns.items():
            self._hold(f"table/{name}", values, _ROWS_A_CHUNK)
        if self._facts.has_outlines:
            self._hold("outlines/vertices", cells.vertices, _VERTICES_A_CHUNK)
            self._hold("outlines/counts", cells.counts, _ROWS_A_CHUNK)

    def finish(self, facts: CellFacts) -> None:
        """Write what is held, and the attributes."""
        for name in self._held:
            self._flush(name, 1)
        self._group.attrs.put({**facts.attributes(), "count": self.count})

    def _hold(self, name: str, values: npt.NDArray[Any], most: int) -> None:
        if name not in self._held:
            self._held[name], self._written[name] = [], 0
            self._group.create_array(
                name,
                shape=(0, *values.shape[1:]),
                chunks=(most, *values.shape[1:]),
                dtype=values.dtype,
                compressors=_codec(),
            )
        held = self._held[name]
        held.append(values)
        if sum(map(len, held)) >= most:
            self._flush(name, most)

    def _flush(self, name: str, most: int) -> None:
        """Write what is held in whole lots of `most`, so that no chunk is written twice."""
        values = np.concatenate(self._held[name])
        end = len(values) - len(values) % most
        array = self._group[name]
        start = self._written[name]
        array.resize((start + end, *values.shape[1:]))  # type: ignore[union-attr]
        array[start : start + end] = values[:end]  # type: ignore[index]
        self._written[name] = start + end
        self._held[name] = [values[end:]]


def _codec() -> Any:
    from zarr.codecs import BloscCodec

    return BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle")


def zarr_library() -> Any:
    """The package zarr.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        import zarr
    except ImportError as error:
        raise MissingExtraError(
            "Cells are kept as zarr, which is not installed.", mend='pip install "slidekit[cells]"'
        ) from error
    return zarr


def store_path(dest: str | Path, slide: str) -> Path:
    """Where a slide's cells go: `dest` itself where it ends in ``.zarr``, else ``{slide}.cells.zarr`` in it."""
    dest = Path(dest)
    return dest if dest.suffix == ".zarr" else dest / f"{slide}{SUFFIX}"


def new_group() -> zarr.Group:
    """An empty group in memory.

    Raises
    ------
    MissingExtraError
        If zarr is not installed.
    """
    library = zarr_library()
    return cast("zarr.Group", library.create_group(library.storage.MemoryStore(), zarr_format=3))


def check_dest(dest: Path, *, overwrite: bool) -> None:
    """Make sure that cells may be written to a place.

    Raises
    ------
    CellError
        If something stands there that may not be replaced, or there is no folder to write into.
    """
    from slidekit.export.folder import check_free

    try:
        check_free(dest, overwrite=overwrite)
    except DatasetError as error:
        raise CellError(error.message, mend=error.mend, path=error.path) from error


@contextmanager
def saved_group(dest: Path, *, overwrite: bool = False) -> Iterator[zarr.Group]:
    """Make a group on disk that takes its name only when the block ends without an error.

    Parameters
    ----------
    dest
        Its folder.
    overwrite
        Replace cells that slidekit has written there.

    Raises
    ------
    CellError
        As `check_dest` does.
    MissingExtraError
        If zarr is not installed.
    """
    from slidekit.export.folder import FILES_KEY, list_files, whole_folder

    library = zarr_library()
    check_dest(dest, overwrite=overwrite)
    try:
        with whole_folder(dest, overwrite=overwrite) as part:
            group = library.create_group(part, zarr_format=3)
            yield group
            # A later overwrite knows by this list what is its own.
            group.attrs.put({**group.attrs.asdict(), FILES_KEY: list_files(part)})
    except DatasetError as error:
        raise CellError(error.message, mend=error.mend, path=error.path) from error


def open_group(path: str | Path) -> tuple[zarr.Group, CellFacts, int]:
    """Open a store: the group, what is known of it, and the number of cells.

    Raises
    ------
    CellError
        If there is none, it is no store of cells, or of a later version.
    MissingExtraError
        If zarr is not installed.
    """
    library = zarr_library()
    path = Path(path)
    if not path.is_dir():
        raise CellError("there are no cells.", mend=_MEND, path=path)
    try:
        group = library.open_group(path, mode="r", zarr_format=3)
        attributes = group.attrs.asdict()
        if attributes.get("format") != FORMAT:
            raise CellError("is no store of cells.", mend=_MEND, path=path)
        if attributes.get("schema") != SCHEMA:
            what = f"is a store of cells of version {attributes.get('schema')!r}; this slidekit reads {SCHEMA}."
            raise CellError(what, mend="Install the slidekit that wrote it, or a newer one.", path=path)
        return group, CellFacts.of(attributes), int(attributes["count"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        what = f"is a damaged store of cells ({type(error).__name__}: {error})."
        raise CellError(what, mend="Segment the slide again.", path=path) from error
