"""The index beside a TFRecord file: where its records are, as Slideflow writes and reads it.

An ``.npz`` of ``arr_0`` (byte offset, bytes with framing) and ``locations`` (the tiles' centres). It is read by the
few lines here and not by `numpy.load`, which reserves what a damaged header claims, and which fails on damage in more
ways than can be foreseen. Layout of the arrays: NumPy's format description, versions 1.0 to 3.0.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from slidekit.errors import RecordError
from slidekit.io.atomic import atomic_write
from slidekit.io.user_file import read_bytes

__all__ = ["RecordIndex", "index_path", "read_index", "write_index"]

_EXTENTS, _LOCATIONS = "arr_0.npy", "locations.npy"

_LARGEST = 1 << 29
"""Bytes of an array beyond which it is damage: thirty million tiles of one slide."""

_BAD_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ValueError,
    LookupError,
    EOFError,
    OSError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
)
"""What `zipfile` raises on damaged files, which may look encrypted, or of a later version."""

_HEADER = re.compile(
    rb"\{'descr': '([<>|=]?[iu][1248])', 'fortran_order': (True|False), 'shape': \((\d{1,12}), 2\), \}\s*"
)

_MEND = "Remove the index: the records can be read without it; or extract the slide again."


@dataclass(frozen=True)
class RecordIndex:
    """Where the records of a file are.

    Attributes
    ----------
    extents
        (n, 2) int64: byte offset, and bytes with framing.
    locations
        (n, 2) int64: the tiles' centres in level-0 pixels; None in old Slideflow indexes.
    """

    extents: npt.NDArray[np.int64]
    locations: npt.NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.extents)


def index_path(tfrecord: Path) -> Path:
    """Path of the index that belongs to a TFRecord file."""
    return tfrecord.with_suffix(".index.npz")


def write_index(path: Path, index: RecordIndex, *, before: Callable[[], None] | None = None) -> None:
    """Write an index as Slideflow reads it: ``arr_0`` and ``locations`` in an ``.npz``; the same bytes each time.

    `before` as for `slidekit.io.atomic.atomic_write`.
    """
    arrays = {"arr_0": index.extents}
    if index.locations is not None:
        arrays["locations"] = index.locations
    with atomic_write(path, before=before) as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_index(path: Path) -> RecordIndex:
    """Read an index, ours or Slideflow's.

    Raises
    ------
    RecordError
        If the file is not an index.
    """
    data = read_bytes(path, error=RecordError, what="not an index of records: it", mend=_MEND)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            members = {name: _member(archive, name, path) for name in names if name in (_EXTENTS, _LOCATIONS)}
    except _BAD_ZIP as error:
        raise _damage(f"{error}", path) from error
    if _EXTENTS not in members or len(names) > len(members):
        raise _damage(f"it holds {', '.join(names)[:200] or 'nothing'}", path)
    extents = _pairs(members[_EXTENTS], path)
    locations = _pairs(members[_LOCATIONS], path) if _LOCATIONS in members else None
    if locations is not None and len(locations) != len(extents):
        raise _damage(f"{len(extents)} records and {len(locations)} locations", path)
    if len(extents) and extents.min() < 0:
        raise _damage("a record begins before the file", path)
    return RecordIndex(extents, locations)


def _damage(why: str, path: Path) -> RecordError:
    return RecordError(f"not an index of records ({why}).", mend=_MEND, path=path)


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    """Content of a member, whose size is looked at before it is unpacked."""
    info = archive.getinfo(name)
    if info.file_size > _LARGEST or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _damage(f"{name} claims {info.file_size} bytes", path)
    return archive.read(info)


def _pairs(content: bytes, path: Path) -> npt.NDArray[np.int64]:
    """An ``.npy`` of pairs of whole numbers."""
    wide = content[6:7] in (b"\x02", b"\x03")
    start = 12 if wide else 10
    if content[:6] != b"\x93NUMPY" or len(content) < start:
        raise _damage("no array", path)
    end = start + int.from_bytes(content[8:start], "little")
    header = _HEADER.fullmatch(content, start, min(end, len(content)))
    if header is None:
        raise _damage("not an array of pairs of whole numbers", path)
    kind, count = np.dtype(header[1].decode()), int(header[3])
    if len(content) - end != 2 * count * kind.itemsize:
        raise _damage("an array that is cut off, or too long", path)
    values: npt.NDArray[np.integer] = np.frombuffer(content, kind, offset=end)
    values = values.reshape(2, count).T if header[2] == b"True" else values.reshape(count, 2)
    if kind.kind == "u" and count and values.max() > np.iinfo(np.int64).max:
        raise _damage("numbers beyond any file", path)
    return np.array(values, np.int64, order="C")
