"""Cells that can be written for other programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from slidekit.cells.files import write_csv, write_geojson
from slidekit.cells.stored import StoredCells
from slidekit.cells.values import class_names
from slidekit.errors import CellError, SpecError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FiledCells"]


class FiledCells(StoredCells):
    """What `Segmentation` writes for others."""

    def to_geojson(
        self,
        path: str | Path,
        kind: Literal["outlines", "centroids"] = "outlines",
        classes: Iterable[str | int | None] | Callable[[pd.DataFrame], Iterable[str | int | None]] | None = None,
        *,
        bounds_origin: tuple[float, float] | None = None,
    ) -> Path:
        """Write detections that QuPath opens: drop the file on the slide, or *File › Import objects from file*.

        Parameters
        ----------
        path
            File to write; an existing one is replaced, in one step.
        kind
            ``outlines``: polygons; ``centroids``: points.
        classes
            Class of each cell, or a function of `table` that says it; by default the cells' own. Whole numbers, as of
            clusters, become text; None and NaN are none.
        bounds_origin
            ``openslide.bounds-x``, ``openslide.bounds-y`` of the slide, where QuPath's pixel (0, 0) lies; by default as
            the slide's file said.

        Raises
        ------
        SpecError
            If `kind` is unknown, a class is no name, or there are not as many as cells.
        CellError
            If outlines are asked for and only centroids are known, or the file cannot be written.
        """
        if kind not in ("outlines", "centroids"):
            raise SpecError(f"kind={kind!r} is unknown.", mend="Use outlines or centroids.")
        if kind == "outlines" and not self.facts.has_outlines:
            what = f"Of the cells of {self.slide} only the centroids are known."
            raise CellError(what, mend='Use kind="centroids".')
        given = self.classes if classes is None else classes(self.table) if callable(classes) else classes
        named = None if given is None else class_names(given, len(self))
        origin = self.facts.bounds_origin if bounds_origin is None else bounds_origin
        path = Path(path).expanduser()
        with _told(path):
            write_geojson(path, self.parts(), kind, named, origin)
        return path

    def to_csv(self, path: str | Path) -> Path:
        """Write `table` as CSV; an existing file is replaced, in one step.

        Raises
        ------
        CellError
            If the file cannot be written.
        """
        path = Path(path).expanduser()
        with _told(path):
            write_csv(path, self.parts(), self.facts.classes)
        return path


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Errors of the file system as such of slidekit's."""
    try:
        yield
    except OSError as error:
        what = f"cannot be written ({error.strerror or type(error).__name__})."
        raise CellError(what, mend="Give the name of a file in a folder that exists.", path=path) from error
