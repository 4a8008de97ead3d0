"""The image of a record is replaced, and all its other features stay as they are, byte by byte.

A payload is protobuf's wire format (https://protobuf.dev/programming-guides/encoding): ``Example`` holds ``Features``
as field 1, that holds the entries of a map as fields 1, and an entry its key as field 1. What slidekit does not know,
lists of floats and fields of later versions, is copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from slidekit.errors import RecordError
from slidekit.io.example import encode_example
from slidekit.io.tfrecord import image_feature

__all__ = ["replace_image"]

_LONGEST_VARINT = 10


class _Field(NamedTuple):
    """A field as it stands in a message; `value` is None if it is not of bytes."""

    number: int
    value: bytes | None
    raw: bytes


def replace_image(payload: bytes, image: bytes, *, size: str | None = None, path: Path | None = None) -> bytes:
    """Put another image into a record.

    Parameters
    ----------
    payload
        A serialised ``tf.train.Example``.
    image
        A complete JPEG or PNG.
    size
        Which image, of concentric tiles: ``512um``; None is the record's own.
    path
        The file, for messages.

    Returns
    -------
    bytes
        The Example with another ``image_raw``, or ``image_raw_512um``; its other features in their order, unchanged.

    Raises
    ------
    RecordError
        If the payload is not an Example, or has no such image.
    """
    name = image_feature(size)
    try:
        entries, others = _taken_apart(payload, name, _entry(name, image))
    except (ValueError, IndexError) as error:
        raise _no_tile(f"a record is not a tf.train.Example ({error}).", path) from error
    if entries is None:
        raise _no_tile(f"a record has no feature {name!r}: these are not tiles.", path)
    return b"".join((b"\x0a", _varint(len(entries)), entries, others))


def _no_tile(what: str, path: Path | None) -> RecordError:
    return RecordError(what, mend="Give TFRecords of tiles, Slideflow's or slidekit's.", path=path)


def _entry(name: str, image: bytes) -> bytes:
    """Bytes of the map's entry for an image, as protobuf itself writes them."""
    (example,) = _fields(encode_example({name: image}))
    assert example.value is not None
    return example.value


def _taken_apart(payload: bytes, name: str, entry: bytes) -> tuple[bytes | None, bytes]:
    """Entries of the map with that of the image replaced, and all else; None if there is no image."""
    kept: list[bytes] = []
    others: list[bytes] = []
    found = False
    for part in _fields(payload):
        if part.number != 1 or part.value is None:
            others.append(part.raw)
            continue
        for field in _fields(part.value):
            if field.number == 1 and field.value is not None and _key(field.value) == name.encode():
                # Of a key that stands twice the last one counts, so one replaces them all.
                kept += [] if found else [entry]
                found = True
            else:
                kept.append(field.raw)
    return (b"".join(kept) if found else None), b"".join(others)


def _key(entry: bytes) -> bytes:
    key = b""
    for field in _fields(entry):
        if field.number == 1 and field.value is not None:
            key = field.value
    return key


def _fields(message: bytes) -> Iterator[_Field]:
    place = 0
    while place < len(message):
        start = place
        tag, place = _read_varint(message, place)
        value: bytes | None = None
        match tag & 7:
            case 0:
                _, place = _read_varint(message, place)
            case 1:
                place += 8
            case 5:
                place += 4
            case 2:
                size, place = _read_varint(message, place)
                value = message[place : place + size]
                place += size
            case kind:
                raise ValueError(f"wire type {kind}")
        if place > len(message):
            raise ValueError("a field is cut off")
        yield _Field(tag >> 3, value, message[start:place])


def _read_varint(message: bytes, place: int) -> tuple[int, int]:
    value = 0
    for count in range(_LONGEST_VARINT):
        byte = message[place + count]
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return value, place + count + 1
    raise ValueError("a number of more than 64 bits")


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)
