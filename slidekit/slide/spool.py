"""Records of one slide on their way to the final file: spooled in raster order, then copied in a shuffled one."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from slidekit.io.atomic import PART, atomic_write, remove_part
from slidekit.io.tfrecord import RecordIndex, TileRecord, frame, index_path, loose_name, write_index
from slidekit.slide.report_model import RecordFile

__all__ = ["RecordSpool"]


class RecordSpool:
    """A temporary file of framed records; only their places are kept in memory.

    Parameters
    ----------
    folder
        Where the temporary file stands while it is needed; it is removed in the end, come what may.
    name
        Name of the slide.
    """

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{name}.spool{PART}"
        self._file = self._path.open("w+b")
        self._made = self._path.stat()
        self._extents: list[tuple[int, int]] = []
        self._locations: list[tuple[int, int]] = []
        self._end = 0

    def __len__(self) -> int:
        return len(self._extents)

    def add(self, record: TileRecord) -> None:
        """Append a record."""
        framed = frame(record.encode())
        self._file.write(framed)
        self._extents.append((self._end, len(framed)))
        self._locations.append((record.loc_x, record.loc_y))
        self._end += len(framed)

    def _read(self, number: int) -> bytes:
        offset, size = self._extents[number]
        self._file.flush()
        return os.pread(self._file.fileno(), size, offset)

    def record(self, number: int) -> TileRecord:
        """Read a record back."""
        return TileRecord.decode(self._read(number)[12:-4], path=self._path)

    def write_tfrecord(
        self, path: Path, order: Sequence[int], *, before: Callable[[], None] | None = None
    ) -> RecordFile:
        """Write the final file and its index.

        Parameters
        ----------
        path
            Final name of the TFRecord file.
        order
            Numbers of the records, in the order in which they are to stand.
        before
            As for `slidekit.io.atomic.atomic_write`.
        """
        digest = hashlib.sha256()
        extents, offset = [], 0
        with atomic_write(path, before=before) as file:
            for number in order:
                framed = self._read(number)
                file.write(framed)
                digest.update(framed)
                extents.append((offset, len(framed)))
                offset += len(framed)
        locations = np.array([self._locations[number] for number in order], np.int64).reshape(-1, 2)
        index = RecordIndex(np.array(extents, np.int64).reshape(-1, 2), locations)
        write_index(index_path(path), index, before=before)
        return RecordFile(name=path.name, records=len(order), size=offset, sha256=digest.hexdigest())

    def write_tiles(
        self,
        folder: Path,
        order: Sequence[int],
        file_name: Callable[[TileRecord], str],
        *,
        before: Callable[[], None] = lambda: None,
    ) -> list[Path]:
        """Write loose tiles, which take their places only when all of them are written.

        Parameters
        ----------
        folder
            Where they go; a new folder appears complete, files of other names in one that exists stay.
        order
            Numbers of the records.
        file_name
            Name of a tile's file; those of further sizes have theirs in it, as `slidekit.io.tfrecord.loose_name` says.
        before
            Called just before they take their places; what it raises keeps that from happening.

        Returns
        -------
        list of Path
            The files.
        """
        part = folder.with_name(folder.name + PART)
        if part.exists():
            shutil.rmtree(part)  # of a run that was cut off: the suffix is ours
        part.mkdir(parents=True)
        try:
            for number in order:
                record = self.record(number)
                name = file_name(record)
                (part / name).write_bytes(record.image_raw)
                for image in record.further:
                    (part / loose_name(name, image.name)).write_bytes(image.image_raw)
            names = [path.name for path in part.iterdir()]
            before()
            if folder.exists():
                for name in names:
                    (part / name).replace(folder / name)
                part.rmdir()
            else:
                part.rename(folder)
            return [folder / name for name in names]
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            remove_part(self._path, self._made)
        finally:
            # On a full disk closing fails: what is still buffered cannot be written.
            self._file.close()
