"""Reading the indexes of many TFRecord files: each in one read, and checked together with its neighbours."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from slidekit.io.index_layout import IndexReader
from slidekit.io.legacy_index import read_any_index
from slidekit.io.record_scan import are_all_records, scan_extents
from slidekit.io.tfrecord import FRAMING

__all__ = ["Run", "index_text", "read_runs"]

_SUFFIX = ".tfrecords"

_SCRATCH = 1 << 16
"""Records for which memory is used again and again: what a processor keeps near it."""


class Run(NamedTuple):
    """Records of some files that follow one another.

    Attributes
    ----------
    counts
        Number of records of each file.
    extents
        (n, 2), int64: byte offset in the file, and bytes with framing; memory that the next run may take.
    slow
        Whether it is one file whose index is not as NumPy writes it, or not in the order of the file.
    scanned
        Whether it is one file that was looked through, for there is no index that fits.
    """

    counts: list[int]
    extents: NDArray[np.int64]
    slow: bool = False
    scanned: bool = False


def index_text(path: str) -> str:
    """As `slidekit.io.record_index.index_path`, of text, which takes a tenth of the time."""
    stem = path[: -len(_SUFFIX)] if path.endswith(_SUFFIX) else os.path.splitext(path)[0]  # noqa: PTH122 - as it says
    return stem + ".index.npz"


def read_runs(files: Sequence[Path], sizes: NDArray[np.int64]) -> Iterator[Run]:
    """Read the indexes of files, in their order.

    Parameters
    ----------
    files
        TFRecord files.
    sizes
        (files,): their bytes.

    Yields
    ------
    Run
        All files, one run after another.

    Raises
    ------
    RecordError
        If a file has no index that fits, and cannot be read or is damaged.
    """
    reader, scratch = IndexReader(), np.empty((_SCRATCH, 2), np.int64)
    counts: list[int] = []
    fill = first = 0
    for number, path in enumerate(files):
        extents = reader.read_extents(index_text(str(path)), scratch[fill:])
        if extents is not None and len(extents) <= _SCRATCH - fill:
            counts.append(len(extents))
            fill += len(extents)
        else:
            yield from _check(files, sizes, first, counts, scratch)
            yield _check_one(path, int(sizes[number]), extents)
            counts, fill, first = [], 0, number + 1
        if fill > _SCRATCH // 2:
            yield from _check(files, sizes, first, counts, scratch)
            counts, fill, first = [], 0, number + 1
    yield from _check(files, sizes, first, counts, scratch)


def _check(
    files: Sequence[Path], sizes: NDArray[np.int64], first: int, counts: list[int], scratch: NDArray[np.int64]
) -> Iterator[Run]:
    """Check the files from `first` on, whose records are in `scratch`: together, or one by one if one is wrong."""
    if not counts:
        return
    starts = np.cumsum([0, *counts])
    extents = scratch[: starts[-1]]
    if _fit(extents, starts, sizes[first : first + len(counts)]):
        yield Run(counts, extents)
        return
    for place in range(len(counts)):
        part = extents[starts[place] : starts[place + 1]]
        yield _check_one(files[first + place], int(sizes[first + place]), part)


def _fit(extents: NDArray[np.int64], starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> bool:
    """As `are_all_records`, of several files at once; lengths that no record has are left to whoever reads it."""
    counts = np.diff(starts)
    if not (sizes[counts == 0] == 0).all() or not len(extents):
        return not len(extents) and not sizes.any()
    firsts, lasts = starts[:-1][counts > 0], starts[1:][counts > 0] - 1
    offsets, lengths = extents[:, 0], extents[:, 1]
    ends = offsets + lengths
    follows = ends[:-1] == offsets[1:]
    follows[lasts[:-1]] = True
    return bool(
        follows.all()
        and lengths.min() >= FRAMING
        and not offsets[firsts].any()
        and (ends[lasts] == sizes[counts > 0]).all()
    )


def _check_one(path: Path, size: int, extents: NDArray[np.int64] | None) -> Run:
    if extents is not None and are_all_records(extents, size):
        return Run([len(extents)], extents)
    index = read_any_index(path, size)
    found = scan_extents(path) if index is None else index.extents
    return Run([len(found)], found, slow=True, scanned=index is None)
