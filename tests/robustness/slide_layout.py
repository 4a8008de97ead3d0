"""Where things stand in a sound TIFF, so that they can be damaged: entries, links, tables and tiles."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import tifffile

__all__ = ["Entry", "Layout", "read_layout"]

_FORMATS = {1: "B", 2: "B", 3: "H", 4: "I", 5: "II", 7: "B", 9: "i", 11: "f", 16: "Q"}


@dataclass(frozen=True)
class Entry:
    """One entry of a directory: its page, its own place in the file, and that of its values."""

    page: int
    code: int
    kind: int
    count: int
    at: int
    values: int


@dataclass(frozen=True)
class Layout:
    """A TIFF; `tiles` are the (offset, count) of level 0."""

    order: str
    big: bool
    entries: tuple[Entry, ...]
    directories: tuple[int, ...]
    tiles: tuple[tuple[int, int], ...]

    def find(self, code: int, page: int = 0) -> Entry | None:
        """The entry of a code in a page."""
        return next((entry for entry in self.entries if (entry.page, entry.code) == (page, code)), None)

    def store(self, data: bytearray, entry: Entry, value: int, index: int = 0) -> None:
        """Write a whole number as an entry's value, cut to the size of its type."""
        form = self.order + _FORMATS[entry.kind][0]
        size = struct.calcsize(form)
        raw = (value % (1 << 8 * size)).to_bytes(size, "little" if self.order == "<" else "big")
        place = entry.values + index * struct.calcsize(self.order + _FORMATS[entry.kind])
        data[place : place + size] = raw

    def link(self, data: bytes, directory: int) -> tuple[int, str]:
        """Place and format of the offset of the next directory."""
        count, entry, form = ("Q", 20, "Q") if self.big else ("H", 12, "I")
        (entries,) = struct.unpack_from(self.order + count, data, directory)
        return directory + struct.calcsize(self.order + count) + entries * entry, self.order + form


def read_layout(path: Path) -> Layout | None:
    """Layout of a TIFF; None for other files."""
    try:
        with tifffile.TiffFile(path) as tiff:
            pages = [page for page in tiff.pages if isinstance(page, tifffile.TiffPage)]
            entries = tuple(
                Entry(number, tag.code, int(tag.dtype), int(tag.count), tag.offset, tag.valueoffset)
                for number, page in enumerate(pages)
                for tag in page.tags
                if int(tag.dtype) in _FORMATS
            )
            first = pages[0]
            tiles = tuple(zip(map(int, first.dataoffsets), map(int, first.databytecounts), strict=True))
            return Layout(tiff.byteorder, tiff.is_bigtiff, entries, tuple(page.offset for page in pages), tiles)
    except tifffile.TiffFileError:
        return None
