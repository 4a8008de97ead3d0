"""A TFRecord file with its index, which appear whole or not at all."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np

from slidekit.errors import RecordError
from slidekit.io.atomic import atomic_write
from slidekit.io.tfrecord import RecordIndex, frame, index_path, write_index

__all__ = ["RecordWriter", "check_destination"]

_EXTRACTED = "extraction.json"
"""Stands in folders that `slidekit extract` wrote: what else is in them would have no report of its own."""


class RecordWriter:
    """Writes records one after the other; file and index take their names when the block ends without an error.

    Nothing grows in memory but the places of the records, and no file is made where there is no record.

    Parameters
    ----------
    path
        Final name, ``….tfrecords``; folders above it are made.
    overwrite
        Whether a file of that name is replaced.
    by_nothing
        Whether it is replaced even where there is no record: then it is removed.

    Raises
    ------
    RecordError
        If the file exists and is not to be replaced.
    """

    def __init__(self, path: Path, *, overwrite: bool = False, by_nothing: bool = False) -> None:
        check_destination([path], overwrite=overwrite)
        self.path = path
        self._by_nothing = overwrite and by_nothing
        self._stack = ExitStack()
        self._file: BinaryIO | None = None
        self._lengths, self._locations = array("q"), array("q")

    def __len__(self) -> int:
        return len(self._lengths)

    def append(self, payload: bytes, location: tuple[int, int]) -> None:
        """Write a record.

        Parameters
        ----------
        payload
            A serialised Example.
        location
            The tile's centre as the record says it, level-0 pixels.
        """
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._stack.enter_context(atomic_write(self.path, before=self._remove_old_index))
        framed = frame(payload)
        self._file.write(framed)
        self._lengths.append(len(framed))
        self._locations.extend(location)

    def _remove_old_index(self) -> None:
        # That of the file that is being replaced would point into the middle of records.
        index_path(self.path).unlink(missing_ok=True)

    def index(self) -> RecordIndex:
        """The index of what was written so far."""
        lengths = np.array(self._lengths, np.int64)
        extents = np.stack([np.cumsum(lengths) - lengths, lengths], axis=1)
        return RecordIndex(extents, np.array(self._locations, np.int64).reshape(-1, 2))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)
        if error is not None:
            return
        if self._file is None and self._by_nothing:
            self._remove_old_index()
            self.path.unlink(missing_ok=True)
        if self._file is not None:
            try:
                write_index(index_path(self.path), self.index())
            except BaseException:
                self.path.unlink(missing_ok=True)
                raise


def check_destination(paths: Iterable[Path], *, overwrite: bool) -> None:
    """Make sure, before any work, that files may be written.

    Parameters
    ----------
    paths
        TFRecord files that are about to be written.
    overwrite
        Whether existing ones are replaced.

    Raises
    ------
    RecordError
        If one exists and is not to be replaced; or stands in a folder of an extraction, whose reports would not
        know of it.
    """
    for path in paths:
        if (path.parent / _EXTRACTED).exists():
            raise RecordError(
                "is a folder of slidekit extract: what other tools write there would have no report.",
                mend="Give another folder as the destination.",
                path=path.parent,
            )
        if not overwrite and (path.exists() or index_path(path).exists()):
            raise RecordError(
                "exists already.", mend="Give another destination, or overwrite=True to replace it.", path=path
            )
