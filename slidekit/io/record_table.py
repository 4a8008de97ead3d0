"""Where all tiles of many TFRecord files are: every index of a dataset in four bytes a tile.

Records lie one after another, so that their lengths say where they begin. An index that NumPy wrote is read straight
from its bytes; whatever looks different is left to `read_any_index`; an index that contradicts its file is not
believed, and a file without one is looked through.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slidekit.errors import RecordError
from slidekit.io.growing import GrowingColumn
from slidekit.io.index_bulk import Run, index_text, read_runs
from slidekit.io.index_layout import IndexReader
from slidekit.io.legacy_index import read_any_index
from slidekit.io.record_scan import scan_locations
from slidekit.io.user_file import check_regular
from slidekit.wording import some_of

__all__ = ["RecordTable"]

logger = logging.getLogger(__name__)

_BLOCK = 64
"""Tiles between two whose offset is kept."""


class RecordTable:
    """Places of the tiles of TFRecord files; `open` makes one.

    A tile has a number: those of file k are ``starts[k]`` to ``starts[k + 1] - 1``, in the order of the file.

    Parameters
    ----------
    paths
        The files.
    sizes
        (files,), int64: bytes of each.
    runs
        Where their records are.
    locations
        (n, 2), int64: centres of the tiles; None reads them when they are asked for.

    Attributes
    ----------
    paths
        The files.
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
        runs: Iterable[Run],
        locations: NDArray[np.int64] | None = None,
    ) -> None:
        self.paths = tuple(paths)
        counts, lengths, offsets = [0], GrowingColumn(), [np.empty(0, np.int64)]
        for run in runs:
            counts += run.counts
            offsets.append(run.extents[-lengths.total % _BLOCK :: _BLOCK, 0].copy())
            lengths.add(run.extents[:, 1], left=len(run.extents) * (len(paths) - len(counts) + 1) / len(run.counts))
        self.sizes = sizes
        self.starts = np.cumsum(counts, dtype=np.int64)
        self.lengths = lengths.joined()
        # Of every so many tiles; those between are reached by the lengths of a few.
        self._block_offsets = np.concatenate(offsets)
        self._locations = locations
        # Files whose index is not as NumPy writes it, or not in the order of the file.
        self._slow: frozenset[int] = frozenset()

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
        files = [path if isinstance(path, Path) else Path(path) for path in paths]
        sizes = _sizes(files)
        unusual: list[tuple[int, Run]] = []
        table = cls(files, sizes, _noting(read_runs(files, sizes), unusual))
        table._slow = frozenset(file for file, run in unusual)
        _tell(
            [str(files[file]) for file, run in unusual if run.scanned],
            "have no index that fits, and were looked through",
        )
        return table

    def __len__(self) -> int:
        return len(self.lengths)

    def __repr__(self) -> str:
        return f"<RecordTable: {len(self):,} tiles in {len(self.paths):,} files>"

    @cached_property
    def slides(self) -> tuple[str, ...]:
        """Stems of the files, which are names of slides."""
        return tuple(path.stem for path in self.paths)

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
        blocks = numbers // _BLOCK
        # From the block's first tile on, or from the file's first if that one is of another file.
        begins = np.maximum(blocks * _BLOCK, self.starts[files])
        base = np.where(begins == blocks * _BLOCK, self._block_offsets[blocks], 0)
        others = begins[:, None] + np.arange(_BLOCK)
        before = np.where(others < numbers[:, None], self.lengths[np.minimum(others, len(self) - 1)], 0)
        return np.stack([files, base + before.sum(1, dtype=np.int64), self.lengths[numbers]], axis=1)

    def _read_locations(self) -> NDArray[np.int64]:
        locations = np.empty((len(self), 2), np.int64)
        reader, scanned = IndexReader(), list[str]()
        for number, path in enumerate(self.paths):
            place = locations[self.starts[number] : self.starts[number + 1]]
            if number in self._slow or not reader.read_locations(index_text(str(path)), place):
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


def _noting(runs: Iterable[Run], unusual: list[tuple[int, Run]]) -> Iterator[Run]:
    """Hand runs on, and note those that are slow, with the numbers of their files."""
    file = 0
    for run in runs:
        if run.slow:
            unusual.append((file, run))
        file += len(run.counts)
        yield run


def _sizes(files: Sequence[Path]) -> NDArray[np.int64]:
    try:
        found = [os.stat(path).st_size for path in files]  # noqa: PTH116 - a third of the time of Path.stat
    except (OSError, ValueError):
        found = [check_regular(path, error=RecordError) for path in files]
    return np.array(found, np.int64)


def _tell(paths: Sequence[str], what: str) -> None:
    if paths:
        logger.warning("%d TFRecord files %s: %s. rebuild_index() writes indexes.", len(paths), what, some_of(paths))
