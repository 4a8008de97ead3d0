"""Where all tiles of many TFRecord files are: every index of a dataset in four bytes a tile.

Records lie one after another, so that their lengths say where they begin. An index that NumPy wrote is read straight
from its bytes; whatever looks different is left to `read_any_index`; an index that contradicts its file is not
believed, and a file without one is looked through.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slidekit.errors import RecordError
from slidekit.io.index_layout import read_extents, read_locations
from slidekit.io.legacy_index import read_any_index
from slidekit.io.record_scan import are_all_records, scan_extents, scan_locations
from slidekit.io.user_file import check_regular
from slidekit.wording import some_of

__all__ = ["RecordTable"]

logger = logging.getLogger(__name__)

_BLOCK = 64
"""Tiles of a file between two whose offset is kept."""

_SCRATCH = 1 << 16
"""Records of an index for which memory is used again and again."""


class RecordTable:
    """Places of the tiles of TFRecord files; `open` makes one.

    A tile has a number: those of file k are ``starts[k]`` to ``starts[k + 1] - 1``, in the order of the file.

    Parameters
    ----------
    paths
        The files.
    sizes
        (files,), int64: bytes of each.
    extents
        Of each file, where its records are; see `slidekit.io.record_index.RecordIndex`.
    slow
        Numbers of the files whose index is not as NumPy writes it, or not in the order of the file.
    locations
        (n, 2), int64: centres of the tiles; None reads them when they are asked for.

    Attributes
    ----------
    paths
        The files.
    slides
        Their stems, which are names of slides.
    starts
        (files + 1,), int64: number of the first tile of each file, and the number of all tiles.
    sizes
        (files,), int64: bytes of each file.
    lengths
        (n,), uint32: bytes of each record, with framing.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        sizes: NDArray[np.int64],
        extents: Iterable[NDArray[np.int64]],
        slow: Collection[int] = frozenset(),
        locations: NDArray[np.int64] | None = None,
    ) -> None:
        self.paths = tuple(paths)
        self.slides = tuple(path.stem for path in self.paths)
        lengths, blocks = [np.empty(0, np.uint32)], [np.empty(0, np.int64)]
        for one in extents:
            lengths.append(one[:, 1].astype(np.uint32))
            blocks.append(one[::_BLOCK, 0].copy())
        self.sizes = sizes
        self.starts = np.cumsum([len(part) for part in lengths], dtype=np.int64)
        self.lengths = np.concatenate(lengths)
        # Where a file's first block of tiles stands among all, and the offset of each block's first tile.
        self._first_block = np.cumsum([len(part) for part in blocks], dtype=np.int64)
        self._block_offsets = np.concatenate(blocks)
        self._slow = slow
        self._locations = locations

    @classmethod
    def open(cls, paths: Sequence[str | Path]) -> Self:
        """Find the tiles of files, by the index beside each where there is one that fits.

        Parameters
        ----------
        paths
            TFRecord files, slidekit's or Slideflow's.

        Returns
        -------
        RecordTable

        Raises
        ------
        RecordError
            If a file cannot be read; or if it has to be looked through, and is damaged or cut off.
        """
        files = [Path(path) for path in paths]
        sizes = np.array([_size(str(path)) for path in files], np.int64)
        slow: set[int] = set()
        scanned: list[str] = []
        table = cls(files, sizes, _read_all(files, sizes, slow, scanned), slow)
        _tell(scanned, "have no index that fits, and were looked through")
        return table

    def __len__(self) -> int:
        return len(self.lengths)

    def __repr__(self) -> str:
        return f"<RecordTable: {len(self):,} tiles in {len(self.paths):,} files>"

    @property
    def counts(self) -> NDArray[np.int64]:
        """(files,), int64: number of tiles of each file."""
        return np.diff(self.starts)

    @property
    def offsets(self) -> NDArray[np.int64]:
        """(n,), int64: byte offset of each record in its file; made anew each time."""
        before = np.cumsum(self.lengths, dtype=np.int64)
        before -= self.lengths
        counts = self.counts
        return before - np.repeat(before[self.starts[:-1][counts > 0]], counts[counts > 0])

    @property
    def locations(self) -> NDArray[np.int64]:
        """(n, 2), int64: centres of the tiles, level-0 pixels, (x, y); zeros where they are unknown.

        They are read when they are first asked for: training does without them.

        Raises
        ------
        RecordError
            If they stand in no index, and a file is damaged.
        """
        if self._locations is None:
            self._locations = self._read_locations()
        return self._locations

    def file_of(self, numbers: ArrayLike) -> NDArray[np.int64]:
        """Find the files that tiles are in.

        Parameters
        ----------
        numbers
            Numbers of tiles, of any shape.

        Returns
        -------
        ndarray, int64
            Positions in `paths`, of the same shape.
        """
        return np.searchsorted(self.starts, np.asarray(numbers), side="right") - 1

    def extents_of(self, numbers: ArrayLike) -> NDArray[np.int64]:
        """Find the bytes of some tiles.

        Parameters
        ----------
        numbers
            (k,): numbers of tiles.

        Returns
        -------
        ndarray (k, 3), int64
            Number of the file, byte offset in it, and bytes with framing.
        """
        numbers = np.asarray(numbers, np.int64)
        files = self.file_of(numbers)
        blocks, places = np.divmod(numbers - self.starts[files], _BLOCK)
        steps = np.arange(_BLOCK)
        # The lengths of the tiles in front of each in its block; what is behind it counts nothing.
        others = np.where(steps < places[:, None], (numbers - places)[:, None] + steps, numbers[:, None])
        before = (self.lengths[others] * (steps < places[:, None])).sum(1, dtype=np.int64)
        offsets = self._block_offsets[self._first_block[files] + blocks] + before
        return np.stack([files, offsets, self.lengths[numbers]], axis=1)

    def _read_locations(self) -> NDArray[np.int64]:
        locations = np.empty((len(self), 2), np.int64)
        scanned: list[str] = []
        for number, path in enumerate(self.paths):
            place = locations[self.starts[number] : self.starts[number + 1]]
            if number in self._slow or not read_locations(_index_path(str(path)), place):
                index = read_any_index(path, int(self.sizes[number]))
                if index is not None and index.locations is not None and len(index) == len(place):
                    place[:] = index.locations
                else:
                    place[:] = self._scan_locations(number)
                    scanned.append(str(path))
        _tell(scanned, "have no locations in an index, which were read from the records")
        return locations

    def _scan_locations(self, number: int) -> NDArray[np.int64]:
        path, expected = self.paths[number], int(self.counts[number])
        found = scan_locations(path)
        if len(found) != expected:
            what = f"holds {len(found)} records, and held {expected} when it was opened."
            raise RecordError(what, mend="Open the dataset again.", path=path)
        return found


def _read_all(
    files: Sequence[Path], sizes: NDArray[np.int64], slow: set[int], scanned: list[str]
) -> Iterator[NDArray[np.int64]]:
    """Places of the records of each file, each in memory that the next may take; `slow` and `scanned` are filled."""
    scratch = np.empty((_SCRATCH, 2), np.int64)
    for number, path in enumerate(files):
        extents = read_extents(_index_path(str(path)), scratch)
        if extents is None or not are_all_records(extents, int(sizes[number])):
            slow.add(number)
            index = read_any_index(path, int(sizes[number]))
            extents = scan_extents(path) if index is None else index.extents
            scanned += [str(path)] if index is None else []
        yield extents


def _size(path: str) -> int:
    try:
        found = os.stat(path)  # noqa: PTH116 - a third of the time of Path.stat
    except (OSError, ValueError):
        return check_regular(Path(path), error=RecordError)
    return found.st_size if stat.S_ISREG(found.st_mode) else check_regular(Path(path), error=RecordError)


def _index_path(path: str) -> str:
    """As `record_index.index_path`, of text."""
    return os.path.splitext(path)[0] + ".index.npz"  # noqa: PTH122 - as above


def _tell(paths: Sequence[str], what: str) -> None:
    if paths:
        logger.warning("%d TFRecord files %s: %s. rebuild_index() writes indexes.", len(paths), what, some_of(paths))
