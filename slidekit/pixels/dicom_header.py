"""The one attribute of a DICOM file that slide discovery needs, read without loading the file."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

__all__ = ["read_series_uid"]

_SERIES_INSTANCE_UID = (0x0020, 0x000E)
_TRANSFER_SYNTAX_UID = (0x0002, 0x0010)
_IMPLICIT_LITTLE = "1.2.840.10008.1.2"
_EXPLICIT_BIG = "1.2.840.10008.1.2.2"
_DEFLATED = "1.2.840.10008.1.2.1.99"
_UNDEFINED = 0xFFFFFFFF
# PS3.5 table 7.1-1: value representations with two reserved bytes and a length of four bytes.
_LONG_LENGTH = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
# Real headers hold some hundred attributes before the series; a hostile file must not keep us here.
_MAX_ELEMENTS = 20_000
_MAX_UID = 256


class _Syntax(NamedTuple):
    order: str
    explicit: bool


class _Element(NamedTuple):
    tag: tuple[int, int]
    kind: bytes
    length: int


def read_series_uid(path: str | Path) -> str | None:
    """Read the SeriesInstanceUID (0020,000E) of a DICOM file.

    Parameters
    ----------
    path
        A DICOM Part 10 file, explicit or implicit VR.

    Returns
    -------
    str or None
        None if the file cannot be read, is not DICOM, is deflated or does not name its series.

    Notes
    -----
    Encoding after DICOM PS3.5 chapter 7 and PS3.10 chapter 7. Values are skipped, not read; at most 20 000
    elements are looked at.
    """
    try:
        with Path(path).open("rb") as file:
            return _find_series(file)
    except (OSError, EOFError):
        return None


def _find_series(file: BinaryIO) -> str | None:
    if _read(file, 132)[128:] != b"DICM":
        return None
    syntax, depth = _Syntax("<", explicit=True), 0
    in_meta, transfer_syntax = True, ""
    for _ in range(_MAX_ELEMENTS):
        if in_meta:
            group = struct.unpack("<H", _read(file, 2))[0]
            file.seek(-2, 1)
            if group != 0x0002:
                in_meta = False
                if transfer_syntax == _DEFLATED:
                    return None
                syntax = _syntax(transfer_syntax)
        element = _next_element(file, syntax)
        if depth == 0 and element.tag > _SERIES_INSTANCE_UID:
            return None
        if element.length == _UNDEFINED:
            # Sequences and items of unknown length end with a delimiter; what lies between is walked flat.
            if element.kind == b"UN":
                return None
            depth += 1
        elif element.tag in {(0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)}:
            depth -= 1
        elif depth == 0 and element.tag in {_SERIES_INSTANCE_UID, _TRANSFER_SYNTAX_UID}:
            text = _read(file, min(element.length, _MAX_UID)).decode("ascii", "replace").strip(" \0")
            if element.tag == _SERIES_INSTANCE_UID:
                return text or None
            transfer_syntax = text
        else:
            file.seek(element.length, 1)
    return None


def _syntax(transfer_syntax: str) -> _Syntax:
    order = ">" if transfer_syntax == _EXPLICIT_BIG else "<"
    return _Syntax(order, explicit=transfer_syntax != _IMPLICIT_LITTLE)


def _next_element(file: BinaryIO, syntax: _Syntax) -> _Element:
    order = syntax.order
    group, number = struct.unpack(f"{order}HH", _read(file, 4))
    kind = b""
    if group == 0xFFFE or not syntax.explicit:
        (length,) = struct.unpack(f"{order}I", _read(file, 4))
    else:
        kind = _read(file, 2)
        if kind in _LONG_LENGTH:
            (length,) = struct.unpack(f"{order}I", _read(file, 6)[2:])
        else:
            (length,) = struct.unpack(f"{order}H", _read(file, 2))
    return _Element((group, number), kind, length)


def _read(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise EOFError
    return data
