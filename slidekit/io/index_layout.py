"""Reading the arrays of an index straight into place, where the file is as NumPy's `savez` lays it out.

A ZIP file of stored members: each a local header, a name, 20 bytes of sizes in 64 bits, and an ``.npy`` of version 1.0
with a header of 128 bytes (ZIP: APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.5.3; NPY: NumPy's format description). All of
these are of one size whatever they hold, so that the size of the file tells how many records it lists.

Thousands of files are opened one after another here: what looks laboured is what takes half the time.
"""

from __future__ import annotations

import os
import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["IndexReader"]

_EXTENTS, _LOCATIONS = b"arr_0.npy", b"locations.npy"
_LOCAL, _CENTRAL, _END = 30, 46, 22
_SIZES, _NPY = 20, 128
_PAIR = 16
"""Bytes of two int64."""

_CRC = slice(14, 18)
"""Where the CRC-32 stands in a local header."""


def _before(name: bytes) -> int:
    """Bytes of a member in front of its numbers."""
    return _LOCAL + len(name) + _SIZES + _NPY


def _around(name: bytes) -> int:
    """Bytes that a member costs beside its numbers, here and in the table of contents."""
    return _before(name) + _CENTRAL + len(name)


_BEFORE = {name: _before(name) for name in (_EXTENTS, _LOCATIONS)}
_NAMED = {name: bytes((len(name), 0, _SIZES, 0)) + name for name in (_EXTENTS, _LOCATIONS)}
"""Lengths of a member's name and extra field, and the name, as they stand in its local header."""

_WITHOUT_LOCATIONS = _around(_EXTENTS) + _END
_WITH_LOCATIONS = _WITHOUT_LOCATIONS + _around(_LOCATIONS)


class IndexReader:
    """Reads indexes, one after another; it remembers which array came first in the last, as it will in the next."""

    def __init__(self) -> None:
        self._extents_first = True

    def read_extents(self, path: str, scratch: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Read offsets and sizes of records.

        They are taken as they are: whoever asks compares them with the file, which says more than a checksum.

        Parameters
        ----------
        path
            The index.
        scratch
            (m, 2), int64, C-contiguous: memory to read into, if it is enough.

        Returns
        -------
        ndarray (n, 2), int64, or None
            Byte offset, and bytes with framing: a part of `scratch`, or an array of its own. None if the file is not
            laid out as expected, or cannot be read.
        """
        return self._read(path, _EXTENTS, _LOCATIONS, scratch)

    def read_locations(self, path: str, place: NDArray[np.int64]) -> bool:
        """Read locations of tiles into place, and compare their CRC-32.

        Parameters
        ----------
        path
            The index.
        place
            (n, 2), int64, C-contiguous.

        Returns
        -------
        bool
            False if the file is not laid out as expected, has another number of them, or none; what is in `place` is
            then worthless.
        """
        found = self._read(path, _LOCATIONS, _EXTENTS, place)
        return found is not None and len(found) == len(place)

    def _read(self, path: str, name: bytes, other: bytes, scratch: NDArray[np.int64]) -> NDArray[np.int64] | None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            size = os.fstat(descriptor).st_size
            count, rest = divmod(size - _WITH_LOCATIONS, 2 * _PAIR)
            after = _BEFORE[other] + _PAIR * count
            if rest:
                count, rest = divmod(size - _WITHOUT_LOCATIONS, _PAIR)
                after = 0
            if rest or count < 0:
                return None
            place = scratch[:count] if count <= len(scratch) else np.empty((count, 2), np.int64)
            head = bytearray(_BEFORE[name])
            for extents_first in (self._extents_first, not self._extents_first):
                begin = 0 if extents_first == (name == _EXTENTS) else after
                read = os.preadv(descriptor, [head, place.data], begin)
                if read == len(head) + _PAIR * count and _is_head(head, name, count):
                    self._extents_first = extents_first
                    return place if name == _EXTENTS or _is_whole(head, place) else None
        except OSError:
            return None
        finally:
            os.close(descriptor)
        return None


def _is_head(head: bytearray, name: bytes, count: int) -> bool:
    # Signature; no flags, and stored; lengths of name and extra field, and the name; the array's header.
    return (
        head[:4] == b"PK\x03\x04"
        and head[6:10] == b"\0\0\0\0"
        and head[26 : _LOCAL + len(name)] == _NAMED[name]
        and head[-_NPY:] == _npy_header(count)
    )


def _is_whole(head: bytearray, place: NDArray[np.int64]) -> bool:
    return zlib.crc32(place.data, zlib.crc32(head[-_NPY:])) == int.from_bytes(head[_CRC], "little")


@lru_cache(maxsize=64)
def _npy_header(count: int) -> bytes:
    header = b"{'descr': '<i8', 'fortran_order': False, 'shape': (%d, 2), }" % count
    return b"\x93NUMPY\x01\x00\x76\x00" + header.ljust(_NPY - 11) + b"\n"
