"""Reading single records of many TFRecord files, from any thread or process, with few of the files open.

Records are read by `os.pread` and not through a memory map: a file that is cut off while it is read then gives fewer
bytes, which is an error that can be reported, where a map would kill the process (SIGBUS). To copy a record costs
about 20 µs, to decode its image of 256 px some 500.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from slidekit.errors import RecordError
from slidekit.io.record_table import RecordTable
from slidekit.io.tfrecord import FRAMING, TileRecord, frame

__all__ = ["RecordReader"]

_MOST_OPEN = 128
"""Files that are kept open: of the 1024 that a process may have, users' own code needs some."""

_HEAD = 12
"""Bytes in front of a payload: its length and that one's CRC."""


class RecordReader:
    """Records by the numbers that a `RecordTable` gives them.

    It holds no position and no lock: threads may share it, and a process that is forked while others read goes on
    reading. Pickled, it takes the table with it and opens the files anew.

    Parameters
    ----------
    table
        Where the records are.
    check_crc
        Compare the checksums of a record when it is read.
    """

    def __init__(self, table: RecordTable, *, check_crc: bool = True) -> None:
        self.table = table
        self._check_crc = check_crc
        # File k is kept in place k modulo the number of places: one assignment changes an entry, which needs no lock.
        self._open: list[_OpenFile | None] = [None] * min(_MOST_OPEN, len(table.paths))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": [None] * len(self._open)}

    def close(self) -> None:
        """Close the files; those that are asked for later are opened again."""
        self._open = [None] * len(self._open)

    def payloads(self, numbers: Any) -> list[bytes]:
        """Read the payloads of some records.

        Parameters
        ----------
        numbers
            (k,): numbers of tiles in the table.

        Returns
        -------
        list of bytes
            Serialised Examples, in the order of `numbers`.

        Raises
        ------
        RecordError
            If one is damaged, or its file has been changed since it was looked through; names file and byte.
        """
        return [self._payload(*extent) for extent in self.table.extents_of(numbers).tolist()]

    def records(self, numbers: Any) -> list[TileRecord]:
        """Read some records as tiles.

        Parameters, order and errors as of `payloads`; what is no tile is a RecordError, too.
        """
        extents = self.table.extents_of(numbers).tolist()
        paths = self.table.paths
        return [TileRecord.decode(self._payload(*extent), path=paths[extent[0]]) for extent in extents]

    def _payload(self, file: int, offset: int, length: int) -> bytes:
        opened = self._opened(file)
        try:
            framed = os.pread(opened.descriptor, length, offset)
        except OSError as error:
            raise _unreadable(self.table.paths[file], error) from error
        payload = framed[_HEAD : _HEAD - FRAMING]
        is_whole = len(framed) == length and int.from_bytes(framed[:8], "little") == len(payload)
        # A record is what framing its payload gives, checksums included.
        if not is_whole or (self._check_crc and frame(payload) != framed):
            raise RecordError(
                f"the record at byte {offset} is damaged or cut off.",
                mend="Extract the slide again.",
                path=self.table.paths[file],
            )
        return payload

    def _opened(self, file: int) -> _OpenFile:
        place = file % len(self._open)
        opened = self._open[place]
        if opened is None or opened.file != file:
            opened = _OpenFile(file, self.table.paths[file], int(self.table.sizes[file]))
            self._open[place] = opened
        return opened


class _OpenFile:
    """A descriptor that is closed when nobody holds it any more, which may be after another has taken its place."""

    def __init__(self, file: int, path: Path, size: int, *, close: Callable[[int], None] = os.close) -> None:
        self.file = file
        self._close = close
        self.descriptor = -1
        try:
            self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            found = os.fstat(self.descriptor).st_size
        except OSError as error:
            raise _unreadable(path, error) from error
        if found != size:
            what = f"has {found} bytes, and had {size} when it was looked through."
            raise RecordError(what, mend="Open the dataset again; slidekit verify names what is damaged.", path=path)

    def __del__(self) -> None:
        if self.descriptor >= 0:
            self._close(self.descriptor)


def _unreadable(path: Path, error: OSError) -> RecordError:
    why = error.strerror or error
    return RecordError(f"cannot be read: {why}.", mend="Check the path and the permissions.", path=path)
