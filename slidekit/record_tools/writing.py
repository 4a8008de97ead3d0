"""A TFRecord file with its index, which appear whole or not at all."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np

from slidekit.io.atomic import private_part, publish
from slidekit.io.tfrecord import RecordIndex, frame, index_path, write_index
from slidekit.record_tools.batch import check_stop
from slidekit.record_tools.destination import check_destination

__all__ = ["RecordWriter", "publish_together"]


class RecordWriter:
    """Writes records one after the other; file and index take their names when the block ends without an error.

    Both are complete, under names of their own, before either takes its name: until then all that was there stays.
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
        self._file: BinaryIO | None = None
        self._part, self._index_part = private_part(path), private_part(index_path(path))
        self._ready = False
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
        check_stop()
        with _named(self.path):
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                # "x": what stands under that name, a link as well, is not ours.
                self._file = self._part.open("xb")
            framed = frame(payload)
            self._file.write(framed)
        self._lengths.append(len(framed))
        self._locations.extend(location)

    def index(self) -> RecordIndex:
        """The index of what was written so far."""
        lengths = np.array(self._lengths, np.int64)
        extents = np.stack([np.cumsum(lengths) - lengths, lengths], axis=1)
        return RecordIndex(extents, np.array(self._locations, np.int64).reshape(-1, 2))

    def complete(self) -> None:
        """Bring records and index to the disk, under the names that only this writer knows."""
        if self._file is not None and not self._ready:
            with _named(self.path):
                self._file.flush()
                os.fsync(self._file.fileno())
                self._file.close()
                write_index(self._index_part, self.index())
        self._ready = True

    def publish(self) -> None:
        """Give records and index their names, after `complete`."""
        with _named(self.path):
            if self._file is not None:
                # The index of the file that is being replaced would point into the middle of records.
                index_path(self.path).unlink(missing_ok=True)
                publish(self._part, self.path)
                publish(self._index_part, index_path(self.path))
            elif self._by_nothing:
                index_path(self.path).unlink(missing_ok=True)
                self.path.unlink(missing_ok=True)
        self._file, self._by_nothing = None, False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.complete()
                self.publish()
        finally:
            self._discard()

    def _discard(self) -> None:
        """Remove what has not taken its name."""
        if self._file is not None:
            for part in (self._part, self._index_part):
                part.unlink(missing_ok=True)
            try:
                self._file.close()
            except OSError:
                return  # the disk is full, and what was to be written is no longer wanted


def publish_together(writers: Sequence[RecordWriter]) -> None:
    """Finish several files: none takes its name before all are complete."""
    for writer in writers:
        writer.complete()
    for writer in writers:
        writer.publish()


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Name a file in the system's errors that name none, as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise
