"""Finding the records of a TFRecord file without its index: where they begin, and where their tiles lie."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import RecordError
from slidekit.io.tfrecord import FRAMING, TileRecord, frame, iter_records
from slidekit.io.user_file import check_regular

__all__ = ["LARGEST_RECORD", "are_all_records", "scan_extents", "scan_locations"]

LARGEST_RECORD = 1 << 31
"""Bytes from which a record is damage: protobuf messages end at 2 GiB."""

_LEAST = np.uint64(FRAMING)
_HEAD = 12
"""Bytes of the length of a record and its CRC."""


def scan_extents(path: Path) -> NDArray[np.int64]:
    """Find the records of a file by the lengths in front of them; what is in the records is not read.

    Parameters
    ----------
    path
        A TFRecord file.

    Returns
    -------
    ndarray (n, 2), int64
        Byte offset, and bytes with framing, in the order of the file.

    Raises
    ------
    RecordError
        If the file cannot be read, or from some byte on holds no records.
    """
    size = check_regular(path, error=RecordError)
    extents: list[tuple[int, int]] = []
    offset = 0
    try:
        with path.open("rb") as file:
            while offset < size:
                head = os.pread(file.fileno(), _HEAD, offset)
                length = int.from_bytes(head[:8], "little") + FRAMING
                if not _is_head(head) or length > min(size - offset, LARGEST_RECORD):
                    raise RecordError(
                        f"the record at byte {offset} is damaged or cut off.",
                        mend="Extract the slide again.",
                        path=path,
                    )
                extents.append((offset, length))
                offset += length
    except OSError as error:
        why = error.strerror or error
        raise RecordError(f"cannot be read: {why}.", mend="Check the path and the permissions.", path=path) from error
    return np.array(extents, np.int64).reshape(-1, 2)


def _is_head(head: bytes) -> bool:
    # The CRC of a length is that of an eight-byte payload: framing the length says what it must be.
    return len(head) == _HEAD and frame(head[:8])[-4:] == head[8:]


def scan_locations(path: Path) -> NDArray[np.int64]:
    """Read the centres of a file's tiles out of its records, from end to end.

    Parameters
    ----------
    path
        A TFRecord file.

    Returns
    -------
    ndarray (n, 2), int64
        Level-0 pixels, (x, y), in the order of the file; zeros where a record has none.

    Raises
    ------
    RecordError
        At the first record that is damaged.
    """
    records = (TileRecord.decode(payload, path=path) for _, payload in iter_records(path))
    return np.array([(record.loc_x, record.loc_y) for record in records], np.int64).reshape(-1, 2)


def are_all_records(extents: NDArray[np.int64], size: int) -> bool:
    """Whether records lie one after another from the first byte of a file to the last, in this order.

    Parameters
    ----------
    extents
        (n, 2), int64: byte offset, and bytes with framing.
    size
        Bytes of the file.
    """
    if not len(extents):
        return size == 0
    offsets, lengths = extents[:, 0], extents[:, 1]
    # As unsigned numbers, those below the least length are the largest of all. Lengths that are positive, and add up
    # from 0 to the size, leave no offset out of range.
    return bool(
        offsets[0] == 0
        and offsets[-1] + lengths[-1] == size
        and (lengths.view(np.uint64) - _LEAST).max() <= LARGEST_RECORD
        and (offsets[1:] - offsets[:-1] == lengths[:-1]).all()
    )
