"""What is looked at in a TIFF before tifffile follows it: damage can lead it in circles, or make it fill the memory."""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

from defusedxml import ElementTree

from slidekit.errors import SlideOpenError

__all__ = ["check_directories", "check_ome", "ends_early"]

_MOST_DIRECTORIES = 4096
_MOST_PLANES = 65_536
"""Slides have a few dozen of either; tifffile makes an object for each that is claimed."""


class _Layout(NamedTuple):
    """Where the first directory's offset stands; format of the number of entries, their size, format of the link."""

    first: int
    number: str
    entry: int
    link: str


_CLASSIC, _NDPI, _BIG = _Layout(4, "H", 12, "I"), _Layout(4, "H", 12, "Q"), _Layout(8, "Q", 20, "Q")


def check_directories(path: Path, *, ndpi: bool = False) -> None:
    """Walk the chain of directories of a TIFF (TIFF 6.0, section 2; BigTIFF); a file that is none passes.

    Parameters
    ----------
    path
        The file.
    ndpi
        Whether it is Hamamatsu's kind of TIFF, whose offsets of directories have 8 bytes.

    Raises
    ------
    SlideOpenError
        If the chain runs in a circle, or is longer than that of any slide.
    OSError
        If the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(16)
        order = {b"II": "<", b"MM": ">"}.get(head[:2])
        if order is None or len(head) < 16:
            return
        version = struct.unpack_from(f"{order}H", head, 2)[0]
        layout = _BIG if version == 43 else _NDPI if ndpi else _CLASSIC
        (offset,) = struct.unpack_from(order + layout.link, head, layout.first)
        seen: set[int] = set()
        while offset:
            if offset in seen:
                raise SlideOpenError("its TIFF directories run in a circle.", mend="Copy it again.", path=path)
            seen.add(offset)
            if len(seen) > _MOST_DIRECTORIES:
                raise SlideOpenError(
                    f"it has more than {_MOST_DIRECTORIES} TIFF directories, which no slide has.",
                    mend="Look at the file.",
                    path=path,
                )
            offset = _next(file, order, layout, offset)


def ends_early(path: Path) -> bool:
    """Whether a file begins as a TIFF whose first directory lies beyond its end: a copy that was cut off.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(16)
        order = {b"II": "<", b"MM": ">"}.get(head[:2])
        if order is None or len(head) < 16 or struct.unpack_from(f"{order}H", head, 2)[0] not in (42, 43):
            return False
        layout = _BIG if struct.unpack_from(f"{order}H", head, 2)[0] == 43 else _CLASSIC
        return bool(struct.unpack_from(order + layout.link, head, layout.first)[0] >= os.fstat(file.fileno()).st_size)


def _next(file: BinaryIO, order: str, layout: _Layout, offset: int) -> int:
    """Offset of the directory behind the one at `offset`; 0 where the chain ends, or leads out of the file."""
    size = os.fstat(file.fileno()).st_size
    count_size, link_size = struct.calcsize(order + layout.number), struct.calcsize(order + layout.link)
    if offset + count_size > size:
        return 0
    file.seek(offset)
    (entries,) = struct.unpack(order + layout.number, file.read(count_size))
    link = offset + count_size + entries * layout.entry
    if link + link_size > size:
        return 0
    file.seek(link)
    (following,) = struct.unpack(order + layout.link, file.read(link_size))
    return int(following)


def check_ome(path: Path, xml: str) -> None:
    """Look at the planes that an OME-XML claims; XML that cannot be parsed passes, tifffile then goes without it.

    Parameters
    ----------
    path
        The file.
    xml
        Its OME-XML.

    Raises
    ------
    SlideOpenError
        If it claims more planes than any slide has.
    """
    try:
        # With its entities, as tifffile will read it; expat itself bounds what they unfold to.
        root = ElementTree.fromstring(xml, forbid_entities=False)
    except (ElementTree.ParseError, ValueError):
        return
    for node in root.iter():
        sizes = [_whole_number(node.get(name)) for name in ("SizeZ", "SizeT", "SizeC") if name in node.attrib]
        places = [
            _whole_number(value)
            for name, value in node.attrib.items()
            if name in ("IFD", "NumPlanes", "PlaneCount") or name.startswith("First")
        ]
        planes = max([math.prod(sizes), *places])
        if planes > _MOST_PLANES:
            raise SlideOpenError(
                f"its OME-XML claims {planes} planes, which no slide has.", mend="Look at the file.", path=path
            )


def _whole_number(text: str | None) -> int:
    try:
        return abs(int(text or 0))
    except ValueError:  # tifffile reports it
        return 0
