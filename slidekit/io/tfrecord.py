"""TFRecord files without TensorFlow: records and their CRCs; the index beside a file is in `record_index`.

The framing is TensorFlow's: length (uint64, little-endian), its masked CRC-32C, the payload, its masked CRC-32C. The
payload is a ``tf.train.Example``; its features are Slideflow's (``image_raw``, ``slide``, ``loc_x``, ``loc_y``) and
ours beside them, which Slideflow ignores.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import google_crc32c

from slidekit.errors import RecordError
from slidekit.io.record_index import RecordIndex, index_path, read_index, write_index
from slidekit.io.tile_record import FurtherImage, TileRecord, image_feature, loose_name, promised_sizes
from slidekit.io.user_file import check_regular

__all__ = [
    "FRAMING",
    "FurtherImage",
    "RecordIndex",
    "TileRecord",
    "frame",
    "image_feature",
    "index_path",
    "iter_records",
    "loose_name",
    "promised_sizes",
    "read_index",
    "read_record_at",
    "write_index",
]

_LENGTH = struct.Struct("<Q")
_CRC = struct.Struct("<I")
FRAMING = 16
"""Bytes that framing adds to a payload."""

_LARGEST = 1 << 31
"""A length beyond this is damage: protobuf messages end at 2 GiB."""

_WORTH_A_LOOK = 1 << 24
"""Length from which the size of the file is asked for: no tile is that large."""


def _masked_crc(data: bytes) -> int:
    crc = int(google_crc32c.value(data))
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def frame(payload: bytes) -> bytes:
    """A payload with TFRecord framing around it."""
    length = _LENGTH.pack(len(payload))
    return b"".join((length, _CRC.pack(_masked_crc(length)), payload, _CRC.pack(_masked_crc(payload))))


def iter_records(path: str | Path) -> Iterator[tuple[int, bytes]]:
    """Read a TFRecord file from end to end, checking every CRC.

    Yields
    ------
    (int, bytes)
        Byte offset of the record, and its payload.

    Raises
    ------
    RecordError
        At the first record that is damaged or cut off, naming its offset; or if the file cannot be read.
    """
    path = Path(path)
    with _opened(path) as file:
        offset = 0
        while (payload := _read_frame(file, path, offset)) is not None:
            yield offset, payload
            offset += len(payload) + FRAMING


def read_record_at(path: str | Path, offset: int) -> TileRecord:
    """Read the one record that begins at a byte offset.

    Raises
    ------
    RecordError
        If there is no whole, undamaged record at that place.
    """
    path = Path(path)
    with _opened(path) as file:
        file.seek(offset)
        payload = _read_frame(file, path, offset)
    if payload is None:
        raise _damage(f"there is no record at byte {offset}.", path)
    return TileRecord.decode(payload, path=path)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    check_regular(path, error=RecordError)
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        why = error.strerror or error
        raise RecordError(f"cannot be read: {why}.", mend="Check the path and the permissions.", path=path) from error


def _damage(what: str, path: Path) -> RecordError:
    return RecordError(what, mend="Extract the slide again.", path=path)


def _read_frame(file: BinaryIO, path: Path, offset: int) -> bytes | None:
    head = file.read(12)
    if not head:
        return None
    if len(head) < 12 or _masked_crc(head[:8]) != _CRC.unpack(head[8:])[0]:
        raise _damage(f"the record at byte {offset} is damaged or cut off.", path)
    (length,) = _LENGTH.unpack(head[:8])
    # Python reserves all that it is asked to read: a false length must not cost memory.
    if length > _LARGEST or (length > _WORTH_A_LOOK and length > os.fstat(file.fileno()).st_size - offset):
        raise _damage(f"the record at byte {offset} claims {length} bytes.", path)
    payload, crc = file.read(length), file.read(4)
    if len(payload) < length or len(crc) < 4 or _masked_crc(payload) != _CRC.unpack(crc)[0]:
        raise _damage(f"the record at byte {offset} is damaged or cut off.", path)
    return payload
