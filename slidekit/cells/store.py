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

from slidekit.cells.facts import FORMAT, SCHEMA, CellFacts
from slidekit.errors import CellError, DatasetError, MissingExtraError
from slidekit.wording import some_of

if TYPE_CHECKING:
    import zarr

__all__ = [
    "SUFFIX",
    "UNREADABLE",
    "check_dest",
    "make_folder",
    "new_group",
    "open_group",
    "ready_dest",
    "saved_group",
    "say_damaged",
    "store_path",
    "zarr_library",
]

SUFFIX = ".cells.zarr"
"""End of the name of a slide's cells."""

_BYTES_KEY = "bytes"
"""Size of all files of a store but the one that it is written into."""

_ATTRIBUTES = "zarr.json"

UNREADABLE = (OSError, KeyError, TypeError, ValueError, RuntimeError)
"""What zarr and its codecs raise on damaged files."""

_MEND = "Give a folder that slidekit has written, such as {slide}" + SUFFIX + "."


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
    dest = Path(dest).expanduser()
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


def make_folder(folder: Path) -> None:
    """Make a folder for cells, and what it lies in, where they are missing.

    Raises
    ------
    CellError
        If it cannot be made: a file stands in the way, or it must not be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"cannot be made a folder for cells ({error.strerror or type(error).__name__})."
        raise CellError(what, mend="Choose another dest: a folder, or a place in one.", path=folder) from error


def ready_dest(dest: Path, *, overwrite: bool) -> None:
    """As `check_dest`; the folder to write into is made where it is missing.

    Raises
    ------
    CellError
        If it cannot be made, or something stands at the place that may not be replaced.
    """
    make_folder(dest.parent)
    check_dest(dest, overwrite=overwrite)


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
            # A later overwrite knows by this list what is its own, and whoever opens it whether all is there.
            files = list_files(part)
            whole = {FILES_KEY: files, _BYTES_KEY: _size_of(part, files)}
            group.attrs.put({**group.attrs.asdict(), **whole})
    except DatasetError as error:
        raise CellError(error.message, mend=error.mend, path=error.path) from error


def open_group(path: str | Path) -> tuple[zarr.Group, CellFacts, int]:
    """Open a store: the group, what is known of it, and the number of cells.

    Raises
    ------
    CellError
        If there is none, it is no store of cells, of a later version, or files of it are missing or cut off.
    MissingExtraError
        If zarr is not installed.
    """
    library = zarr_library()
    path = Path(path).expanduser()
    if not path.is_dir():
        raise CellError("there are no cells.", mend=_MEND, path=path)
    if not (path / _ATTRIBUTES).is_file():
        raise CellError("is no store of cells.", mend=_MEND, path=path)
    try:
        group = library.open_group(path, mode="r", zarr_format=3)
        attributes = group.attrs.asdict()
        if attributes.get("format") != FORMAT:
            raise CellError("is no store of cells.", mend=_MEND, path=path)
        if attributes.get("schema") != SCHEMA:
            what = f"is a store of cells of version {attributes.get('schema')!r}; this slidekit reads {SCHEMA}."
            raise CellError(what, mend="Install the slidekit that wrote it, or a newer one.", path=path)
        facts, count = CellFacts.of(attributes), int(attributes["count"])
        _check_files(path, attributes)
        _check_shapes(path, group, facts, count)
        return group, facts, count
    except UNREADABLE as error:
        raise say_damaged(path, f"{type(error).__name__}: {error}") from error


def say_damaged(path: Path | None, why: str) -> CellError:
    """Make the error of a store that is not whole."""
    mend = "Remove the folder and find the cells again, or put back a copy of it."
    return CellError(f"is a damaged store of cells ({why}).", mend=mend, path=path)


def _size_of(folder: Path, files: list[str]) -> int:
    return sum((folder / name).stat().st_size for name in files if name != _ATTRIBUTES)


def _check_files(path: Path, attributes: dict[str, Any]) -> None:
    """Compare files with those that were written: zarr takes a missing one for zeros."""
    from slidekit.export.folder import FILES_KEY

    files = [str(name) for name in attributes.get(FILES_KEY, ())]
    missing = [name for name in files if not (path / name).is_file()]
    if missing:
        raise say_damaged(path, f"{len(missing)} of {len(files)} files are missing: {some_of(missing, 3)}")
    size = attributes.get(_BYTES_KEY)
    if size is not None and (there := _size_of(path, files)) != size:
        raise say_damaged(path, f"its files have {there} bytes, and {size} were written")


def _check_shapes(path: Path, group: zarr.Group, facts: CellFacts, count: int) -> None:
    arrays = {f"table/{name}": array for name, array in cast("zarr.Group", group["table"]).arrays()}
    shapes = dict.fromkeys(arrays, (count,))
    if facts.has_outlines:
        arrays["outlines/counts"] = cast("zarr.Array[Any]", group["outlines/counts"])
        shapes["outlines/counts"] = (count,)
    if facts.has_masks:
        arrays["masks"] = cast("zarr.Array[Any]", group["masks"])
        shapes["masks"] = (facts.size[1], facts.size[0])  # type: ignore[assignment]
    for name, array in arrays.items():
        if array.shape != shapes[name]:
            raise say_damaged(path, f"{name} has the shape {array.shape}, not {shapes[name]}")
    if not {"table/x", "table/y"} <= arrays.keys():
        raise say_damaged(path, "there are no centroids")
