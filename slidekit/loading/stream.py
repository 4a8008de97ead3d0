"""What batch comes when: the tiles of every batch of every epoch, and their records."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slidekit.errors import DatasetError
from slidekit.io.record_reader import RecordReader
from slidekit.io.record_table import RecordTable
from slidekit.loading.mismatch import is_same_name, say_misplaced, say_other_slide
from slidekit.loading.options import LoaderOptions
from slidekit.loading.order import Order
from slidekit.loading.tiles import Labels, RawTiles

__all__ = ["TileStream"]

_EPOCHS_KEPT = 2
"""Orders that are kept: of two iterations at a time, or of an epoch's last batches and the first of the next."""


class TileStream:
    """All batches of all epochs, each a function of its place; no position is held.

    Batches are made of an epoch's order, cut every `batch_size` tiles; the last of an epoch may be smaller. One
    stream may be used by many threads; a copy of it in another process gives the same.

    Parameters
    ----------
    table
        Where the tiles are.
    options
        What is asked for; `batch_size` None is cut into single tiles.
    labels
        Labels of the tiles of the table; those without one do not come.
    weights, clip
        As for `Order`.
    tile_px
        Edge of the tiles; None takes it from the first record.
    num_classes
        Width of one-hot labels; None takes it from the names of the classes, or from the largest index there is.
    further
        Further sizes of concentric tiles that are wanted, as features are named after them: ``512um``.

    Raises
    ------
    DatasetError
        If no tile is left, or one-hot labels are asked for where labels are not classes.
    """

    def __init__(
        self,
        table: RecordTable,
        options: LoaderOptions,
        *,
        labels: Labels | None = None,
        weights: ArrayLike | None = None,
        clip: ArrayLike | None = None,
        tile_px: int | None = None,
        num_classes: int | None = None,
        further: Sequence[str] = (),
    ) -> None:
        self.table = table
        self.options = options
        self.labels = labels
        self.tile_px = tile_px
        self.further = tuple(further)
        self.order = Order(
            table.starts,
            seed=options.seed,
            shuffle=options.shuffle,
            weights=None if weights is None else np.asarray(weights, np.float64),
            clip=None if clip is None else np.asarray(clip, np.int64),
            used=_used_tiles(labels, table),
            shard_index=options.shard_index,
            num_shards=options.num_shards,
            even_shards=options.even_shards,
        )
        self.reader = RecordReader(table, check_crc=options.check_crc)
        self.num_classes = _count_classes(labels, num_classes) if options.onehot else None
        # Replaced as a whole, which needs no lock.
        self._epochs: tuple[tuple[int, NDArray[np.int64]], ...] = ()
        if not self.num_batches():
            raise DatasetError(
                f"There is no batch: {self.order.total} tiles are left of {len(table)}.",
                mend="Check filters, labels and clip, which takes the first tiles of each file whether they have a "
                "label or not; or take a smaller batch_size or drop_last=False.",
            )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_epochs": ()}

    @property
    def batch_size(self) -> int:
        """Tiles of a whole batch."""
        return self.options.batch_size or 1

    @property
    def num_tiles(self) -> int:
        """Tiles of an epoch in this shard."""
        return len(self.order)

    def num_batches(self) -> int:
        """Batches of an epoch."""
        whole, rest = divmod(len(self.order), self.batch_size)
        return whole + (rest > 0 and not self.options.drop_last)

    def numbers(self, epoch: int, batch: int) -> NDArray[np.int64]:
        """Numbers in the table, (n,) int64, of the tiles of a batch."""
        first, last = self._cut(batch)
        kept = self._epochs
        order = next((order for number, order in kept if number == epoch), None)
        if order is None:
            order = self.order.epoch(epoch)
            self._epochs = ((epoch, order), *kept[: _EPOCHS_KEPT - 1])
        return order[first:last]

    def seeds(self, epoch: int, batch: int) -> NDArray[np.int64]:
        """One seed for each tile of a batch, (n,) int64, not negative.

        They depend on the loader's seed, the epoch and the place in the epoch's order of all shards.
        """
        return _mix(f"{self.options.seed}\0{epoch}\0augmentation", self.order.places(*self._cut(batch)))

    def tile_seeds(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """As `seeds`, for tiles outside of any epoch; they depend on the loader's seed and the tiles' numbers."""
        return _mix(f"{self.options.seed}\0augmentation of single tiles", numbers)

    def read(self, numbers: ArrayLike) -> RawTiles:
        """Read the records of some tiles.

        Parameters
        ----------
        numbers
            (n,): numbers in the table.

        Raises
        ------
        RecordError
            If one is damaged, no tile, has no image of a size that is wanted, lies elsewhere than the index says that
            gave it its label, or is of another slide than the one whose label it would get.
        """
        chosen = np.asarray(numbers, np.int64)
        records = self.reader.records(chosen)
        files = self.table.file_of(chosen)
        locations = np.array([(record.loc_x, record.loc_y) for record in records], np.int64).reshape(-1, 2)
        if self.labels_slides:
            for file, record in zip(files.tolist(), records, strict=True):
                if not is_same_name(record.slide, self.table.slides[file]):
                    raise say_other_slide(self.table.paths[file], record.slide)
        places = self.places_of_labels(chosen)
        if places is not None and (wrong := np.flatnonzero((places != locations).any(axis=1))).size:
            raise say_misplaced(self.table.paths[files[wrong[0]]], locations[wrong[0]], places[wrong[0]])
        return RawTiles(
            numbers=chosen,
            images=[record.image_raw for record in records],
            slides=[record.slide for record in records],
            locations=locations,
            labels=self._labels_of(chosen, files),
            paths=(paths := [self.table.paths[file] for file in files]),
            further=tuple(
                [record.image(name, path=path) for record, path in zip(records, paths, strict=True)]
                for name in self.further
            ),
            further_names=self.further,
        )

    @property
    def labels_slides(self) -> bool:
        """Whether labels are of slides, and go by the names of files."""
        return self.labels is not None and not self.labels.per_tile

    def places_of_labels(self, numbers: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Where tiles lie, (n, 2) int64, by the indexes that gave them labels of their own; None without such."""
        return self.table.locations[numbers] if self.labels is not None and self.labels.per_tile else None

    def settings(self) -> dict[str, int | bool | str]:
        """What a position in the stream depends on; equal settings give the same stream."""
        options, order = self.options, self.order
        digest = hashlib.sha256()
        for text in self.table.slides:
            digest.update(text.encode() + b"\0")
        arrays = (self.table.starts, self.table.sizes, order.weights, order.clip, order.used)
        for array in arrays:
            digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
        return {
            "seed": options.seed,
            "batch_size": self.batch_size,
            "shuffle": options.shuffle,
            "drop_last": options.drop_last,
            "shard_index": options.shard_index,
            "num_shards": options.num_shards,
            "even_shards": options.even_shards,
            "tiles": digest.hexdigest(),
        }

    def _cut(self, batch: int) -> tuple[int, int]:
        if not 0 <= batch < self.num_batches():
            raise IndexError(f"batch {batch} of {self.num_batches()}")
        return batch * self.batch_size, min((batch + 1) * self.batch_size, len(self.order))

    def _labels_of(self, numbers: NDArray[np.int64], files: NDArray[np.int64]) -> NDArray[Any] | None:
        if self.labels is None:
            return None
        values: NDArray[Any] = self.labels.values[numbers if self.labels.per_tile else files]
        if self.num_classes is None:
            return values
        vectors: NDArray[np.float32] = (values[:, None] == np.arange(self.num_classes)).astype(np.float32)
        return vectors


def _mix(text: str, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """A seed, not negative, for each number; mixed by the finaliser of SplitMix64 (Steele, Lea, Flood 2014, OOPSLA)."""
    digest = hashlib.sha256(text.encode()).digest()
    mixed = np.uint64(int.from_bytes(digest[:8], "little")) + numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(1)).astype(np.int64)


def _used_tiles(labels: Labels | None, table: RecordTable) -> NDArray[np.bool_] | None:
    if labels is None or labels.used is None:
        return None
    return labels.used if labels.per_tile else np.repeat(labels.used, table.counts)


def _count_classes(labels: Labels | None, given: int | None) -> int:
    if labels is None or labels.values.ndim != 1 or labels.values.dtype.kind not in "iu":
        raise DatasetError(
            "onehot=True needs labels that are classes of one outcome.",
            mend="Give such labels=; use_float=False makes classes of numbers.",
        )
    if given is not None:
        return given
    return len(labels.classes) if labels.classes is not None else int(labels.values.max(initial=-1)) + 1
