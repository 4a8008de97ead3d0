"""TFRecord files without TensorFlow: records and their CRCs; the index beside a file is in `record_index`.

The framing is TensorFlow's: length (uint64, little-endian), its masked CRC-32C, the payload, its masked CRC-32C. The
payload is a ``tf.train.Example``; its features are Slideflow's (``image_raw``, ``slide``, ``loc_x``, ``loc_y``) and
ours beside them, which Slideflow ignores.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import google_crc32c

from slidekit.errors import RecordError
from slidekit.io.example import decode_example, encode_example
from slidekit.io.record_index import RecordIndex, index_path, read_index, write_index
from slidekit.io.user_file import check_regular

__all__ = [
    "FRAMING",
    "RecordIndex",
    "TileRecord",
    "frame",
    "index_path",
    "iter_records",
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

_NO_TILES = "Give TFRecords of tiles, Slideflow's or slidekit's; or extract the slide again."


@dataclass(frozen=True)
class TileRecord:
    """One tile as it stands in a TFRecord.

    Attributes
    ----------
    slide
        Name of the slide.
    image_raw
        A complete JPEG or PNG.
    loc_x, loc_y
        The tile's centre, level-0 pixels.
    grid_x, grid_y
        Its cell in the grid; None in files that Slideflow wrote.
    roi_name, label
        Its region of interest and that region's class, if any.
    edge
        Whether it reaches over the slide's edge and is padded white there.
    """

    slide: str
    image_raw: bytes
    loc_x: int
    loc_y: int
    grid_x: int | None = None
    grid_y: int | None = None
    roi_name: str | None = None
    label: str | None = None
    edge: bool = False

    def encode(self) -> bytes:
        """Serialise as a ``tf.train.Example``, the same bytes for the same record."""
        features: dict[str, bytes | int] = {
            "image_raw": self.image_raw,
            "slide": self.slide.encode(),
            "loc_x": self.loc_x,
            "loc_y": self.loc_y,
        }
        if self.grid_x is not None and self.grid_y is not None:
            features |= {"grid_x": self.grid_x, "grid_y": self.grid_y}
        if self.roi_name is not None:
            features["roi_name"] = self.roi_name.encode()
        if self.label is not None:
            features["label"] = self.label.encode()
        if self.edge:
            features["edge"] = 1
        return encode_example(features)

    @classmethod
    def decode(cls, payload: bytes, *, path: Path | None = None) -> TileRecord:
        """Read a payload, ours or Slideflow's.

        Raises
        ------
        RecordError
            If it is not an Example, or has no ``image_raw`` or ``slide``.
        """
        features = decode_example(payload, path=path)
        return cls(
            slide=_bytes(features, "slide", path).decode("utf-8", "replace"),
            image_raw=_bytes(features, "image_raw", path),
            loc_x=_integer(features, "loc_x") or 0,
            loc_y=_integer(features, "loc_y") or 0,
            grid_x=_integer(features, "grid_x"),
            grid_y=_integer(features, "grid_y"),
            roi_name=_text(features, "roi_name"),
            label=_text(features, "label"),
            edge=bool(_integer(features, "edge")),
        )


def _bytes(features: Mapping[str, bytes | int], name: str, path: Path | None) -> bytes:
    value = features.get(name)
    if not isinstance(value, bytes):
        raise RecordError(f"a record has no feature {name!r}: these are not tiles.", mend=_NO_TILES, path=path)
    return value


def _integer(features: Mapping[str, bytes | int], name: str) -> int | None:
    value = features.get(name)
    return value if isinstance(value, int) else None


def _text(features: Mapping[str, bytes | int], name: str) -> str | None:
    value = features.get(name)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else None


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
