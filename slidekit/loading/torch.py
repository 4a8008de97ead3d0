"""Batches as torch tensors, made in the worker processes of a `torch.utils.data.DataLoader`."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import torch  # type: ignore[import-not-found, unused-ignore]
from torch.utils import data  # type: ignore[import-not-found, unused-ignore]

from slidekit.errors import SpecError
from slidekit.loading.batches.torch import TensorBatches, Transform
from slidekit.loading.options import LoaderOptions
from slidekit.loading.position import Cursor, Position, Positions, Track, iterate
from slidekit.loading.stream import TileStream

__all__ = ["TileIterable", "TileLoader", "TileMap"]

_LOADING = (
    "collate_fn",
    "generator",
    "multiprocessing_context",
    "persistent_workers",
    "pin_memory",
    "pin_memory_device",
    "prefetch_factor",
    "timeout",
    "worker_init_fn",
)
"""What DataLoader can be told, besides num_workers, without another order or other batches."""


class TileIterable(data.IterableDataset[Any]):  # type: ignore[misc, unused-ignore]
    """The batches of a stream from a position on; of W workers, worker w makes every W-th.

    Its length are the tiles of an epoch, in this shard.

    Parameters
    ----------
    batches
        Makes them.
    outlives
        Whether workers outlive an iteration, and have to look where the next one begins.
    """

    def __init__(self, batches: TensorBatches, *, outlives: bool = False) -> None:
        self._batches = batches
        # What is shared holds one position. A worker that starts with each iteration takes its own copy along, which
        # no later iteration changes.
        self._shared = torch.zeros(2, dtype=torch.int64).share_memory_() if outlives else None  # type: ignore[no-untyped-call, unused-ignore]
        self._start = Position(0, 0)

    def __len__(self) -> int:
        return self._batches.stream.num_tiles

    def begin_at(self, position: Position) -> None:
        """Let the next iteration begin at a position."""
        self._start = position
        if self._shared is not None:
            self._shared.copy_(torch.tensor(position))

    def __iter__(self) -> Iterator[Any]:
        # Read now and not at the first batch, when the next iteration may have been prepared.
        start = self._start if self._shared is None else Position(*self._shared.tolist())
        worker = data.get_worker_info()
        share = (0, 1) if worker is None else (worker.id, worker.num_workers)
        return map(self._batches.make, iterate(self._batches.stream, start, *share))


class TileMap(data.Dataset[Any]):  # type: ignore[misc, unused-ignore]
    """Single tiles by number; or whole batches by their position, which is how the loader asks.

    Tile i is the i-th, file after file, of those that the loader uses: with a label, and within `clip`; of all
    shards. It comes as the loader gives it, but without the first axis whatever the batch size, and augmented
    alike each time, by the loader's seed.

    Parameters
    ----------
    batches
        Makes them.
    """

    def __init__(self, batches: TensorBatches) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return self._batches.stream.order.total

    def __getitem__(self, key: int | Position) -> Any:
        if isinstance(key, Position):
            return self._batches.make(key)
        try:
            number = operator.index(key)
        except TypeError as error:
            raise SpecError(
                f"A tile cannot be found by {key!r}.",
                mend="Give its number; torch.utils.data.Subset(dataset, range(…)) has several.",
            ) from error
        if not -len(self) <= number < len(self):
            raise IndexError(f"tile {number} of {len(self)}")
        return self._batches.make_one(int(self._batches.stream.order.numbers[number]))


class TileLoader(data.DataLoader[Any]):  # type: ignore[misc, unused-ignore]
    """A DataLoader of tiles, as `slidekit.Dataset.torch` describes it.

    Each iteration is the next epoch; one that was broken off is not gone on with, unless its `state_dict` is loaded.
    Several may go on at a time, but for `persistent_workers`, which serve one.

    Parameters
    ----------
    stream
        The batches.
    map_style
        Take a dataset with an index, and a sampler; else an iterable dataset. The batches are the same.
    transform
        Called with each image, uint8 (3, h, w), after the augmentation.
    num_workers
        Processes that make batches; 0 makes them in this one.
    num_threads
        Threads that decode where there are no workers; None takes what the machine has, up to four.
    **loading
        Of DataLoader: `prefetch_factor`, `pin_memory`, `persistent_workers`, `multiprocessing_context`, `timeout`
        and others that change no order.

    Raises
    ------
    SpecError
        If there is no such option, or one would change the order; and by an iteration, if a later one has taken its
        persistent workers.
    """

    def __init__(
        self,
        stream: TileStream,
        *,
        map_style: bool = False,
        transform: Transform | None = None,
        num_workers: int = 0,
        num_threads: int | None = None,
        **loading: Any,
    ) -> None:
        _check(loading)
        batches = TensorBatches(stream, transform, num_threads)
        self.stream = stream
        self._cursor = Cursor(stream)
        self._source: TileIterable | Positions
        self._iteration = 0
        self._serves_one = num_workers > 0 and bool(loading.get("persistent_workers"))
        # The loader draws a seed for its workers: from a generator of its own, not from the user's.
        generator = torch.Generator().manual_seed(stream.options.seed % 2**63)
        common: dict[str, Any] = {
            "batch_size": None,
            "collate_fn": _as_made,
            "generator": generator,
            "num_workers": num_workers,
        }
        common |= loading
        if map_style:
            self._source = Positions(stream)
            super().__init__(TileMap(batches), sampler=self._source, **common)
        else:
            self._source = TileIterable(batches, outlives=self._serves_one)
            super().__init__(self._source, **common)

    def __len__(self) -> int:
        """Batches of an epoch."""
        return self.stream.num_batches()

    @property
    def num_tiles(self) -> int:
        """Tiles of an epoch, in this shard."""
        return self.stream.num_tiles

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override, unused-ignore]
        # No generator itself: that would look at its first batch for what was set, maybe after it was made.
        return self._iterate(self._cursor.track)

    def _iterate(self, track: Track) -> Iterator[Any]:
        position = self._cursor.begin(track)
        self._source.begin_at(position)
        self._iteration += 1
        iteration, batches = self._iteration, super().__iter__()
        while True:
            if self._serves_one and iteration != self._iteration:
                raise SpecError(
                    "Another iteration has begun, and has taken the workers of this one.",
                    mend="With persistent_workers, finish one iteration before the next, or make two loaders.",
                )
            try:
                batch = next(batches)
            except StopIteration:
                return
            position = position.after(1, len(self))
            self._cursor.reach(track, position)
            yield batch

    def set_epoch(self, epoch: int) -> None:
        """Let the next iteration be of an epoch, from its first batch on; SpecError if there is no such epoch."""
        self._cursor.set_epoch(epoch)

    def state_dict(self) -> dict[str, Any]:
        """Where the loader stands, counting the batches that were taken from it: numbers and text."""
        return self._cursor.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration go on where a loader of the same tiles and settings stood.

        The number of workers, the style, the normaliser and the augmentation may be others.

        Raises
        ------
        DatasetError
            If the state is of other tiles or settings.
        """
        self._cursor.load_state_dict(state)


def _as_made(batch: Any) -> Any:
    """What torch would do instead makes lists of tuples, which Keras takes for one input."""
    return batch


def _check(loading: Mapping[str, Any]) -> None:
    """Refuse what DataLoader does not have, or what would change the order."""
    if not loading.get("in_order", True):
        raise SpecError("in_order=False gives batches in an order of chance.", mend="Leave it out.")
    if unknown := [name for name in loading if name not in (*_LOADING, "in_order")]:
        own = [field.name for field in fields(LoaderOptions)]
        raise SpecError(
            f"There is no option {', '.join(map(repr, unknown))} of a loader that makes its own batches.",
            mend=f"There are: {', '.join((*own, 'transform', 'map_style', 'num_workers', 'num_threads', *_LOADING))}.",
        )
