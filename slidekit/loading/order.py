"""Which tiles come in an epoch, and in which order: a function of the seed and the number of the epoch alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import DatasetError, SpecError

__all__ = ["Order"]


@dataclass(frozen=True)
class Order:
    """The orders of all epochs; the same for numpy, torch and TensorFlow, whatever the number of workers.

    Without weights, an epoch has each tile once. With weights, an epoch is as many draws as there are tiles: a file is
    drawn by its weight, and gives the next of its tiles, which come in an order of their own and from the beginning
    again when all have come; so no tile comes twice in an epoch before every tile of its file has come.

    Attributes
    ----------
    starts
        (files + 1,), int64, as of `slidekit.io.record_table.RecordTable`.
    seed
        Seed of everything that is drawn.
    shuffle
        Mix the tiles of all files; else they come in the order of the table, or, with weights, of their files.
    weights
        (files,), float64: how often each is drawn, in any unit; None for each tile once.
    clip
        (files,), int64: only so many tiles of each file are used, the first, which are a random choice in TFRecords
        that were shuffled when they were written; None for all.
    used
        (tiles,), bool: False for what is left out, such as tiles without a label; None for all.
    shard_index, num_shards
        This shard has every `num_shards`-th tile of the order of all, from `shard_index` on.
    even_shards
        Leave out the last tiles of an epoch, so that all shards have the same number.
    """

    starts: NDArray[np.int64]
    seed: int = 0
    shuffle: bool = True
    weights: NDArray[np.float64] | None = None
    clip: NDArray[np.int64] | None = None
    used: NDArray[np.bool_] | None = None
    shard_index: int = 0
    num_shards: int = 1
    even_shards: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.shard_index < self.num_shards:
            raise SpecError(
                f"shard_index={self.shard_index} is none of {self.num_shards} shards.",
                mend="Shards count from 0 to num_shards - 1.",
            )
        numbers = self._choose()
        files = np.searchsorted(self.starts, numbers, side="right") - 1
        counts = np.bincount(files, minlength=len(self.starts) - 1)
        if self.weights is not None and len(numbers) and not np.where(counts, self.weights, 0).sum() > 0:
            raise DatasetError(
                "No file that has tiles weighs anything.", mend="Balance by other headers, or not at all."
            )
        # Frozen for whoever uses it; what is worked out once is kept beside the fields.
        object.__setattr__(self, "_numbers", numbers)
        object.__setattr__(self, "_first", np.concatenate([[0], np.cumsum(counts)]))

    @property
    def total(self) -> int:
        """Tiles of an epoch, all shards together."""
        return len(self.numbers)

    def __len__(self) -> int:
        """Tiles of an epoch in this shard."""
        if self.even_shards:
            return self.total // self.num_shards
        return max(0, -(-(self.total - self.shard_index) // self.num_shards))

    def epoch(self, number: int) -> NDArray[np.int64]:
        """Find the tiles of an epoch.

        Parameters
        ----------
        number
            The epoch, from 0.

        Returns
        -------
        ndarray (len(self),), int64
            Numbers of tiles in the table, in the order in which this shard gives them.
        """
        order = self._all_shards(number)
        return order[self.shard_index :: self.num_shards][: len(self)]

    def places(self, first: int, last: int) -> NDArray[np.int64]:
        """Places in the order of all shards of this shard's tiles `first` to `last` (excluded): int64."""
        return np.arange(first, last, dtype=np.int64) * self.num_shards + self.shard_index

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Numbers in the table, (total,) int64, of the tiles that are used, in the order of the table."""
        numbers: NDArray[np.int64] = self.__dict__["_numbers"]
        return numbers

    def _choose(self) -> NDArray[np.int64]:
        """Numbers of all tiles that are used, in the order of the table."""
        counts = np.diff(self.starts)
        chosen = np.ones(int(self.starts[-1]), np.bool_)
        if self.clip is not None:
            places = np.arange(len(chosen)) - np.repeat(self.starts[:-1], counts)
            chosen &= places < np.repeat(self.clip, counts)
        if self.used is not None:
            chosen &= self.used
        return np.flatnonzero(chosen)

    def _all_shards(self, epoch: int) -> NDArray[np.int64]:
        numbers = self.numbers
        generator = _generator(self.seed, epoch)
        if self.weights is not None and len(numbers):
            return self._weighted(self.weights, generator)
        return generator.permutation(numbers) if self.shuffle else numbers

    def _weighted(self, weights: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.int64]:
        numbers, first = self.numbers, self.__dict__["_first"]
        counts = np.diff(first)
        shares = np.where(counts, weights, 0).astype(np.float64)
        drawn = generator.choice(len(shares), len(numbers), p=shares / shares.sum())
        order = np.empty(len(numbers), np.int64)
        # All draws of a file stand together here; its tiles are dealt to them round after round.
        by_file = np.argsort(drawn, kind="stable")
        ends = np.cumsum(np.bincount(drawn, minlength=len(shares)))
        for file in np.flatnonzero(np.diff(ends, prepend=0)):
            places = by_file[ends[file - 1] if file else 0 : ends[file]]
            tiles = numbers[first[file] : first[file + 1]]
            rounds = range(-(-len(places) // len(tiles)))
            dealt = [generator.permutation(tiles) if self.shuffle else tiles for _ in rounds]
            order[places] = np.concatenate(dealt)[: len(places)]
        return order


def _generator(seed: int, epoch: int) -> np.random.Generator:
    digest = hashlib.sha256(f"{seed}\0{epoch}\0order of tiles".encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))
