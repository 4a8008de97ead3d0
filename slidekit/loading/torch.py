"""Batches as torch tensors, made in the worker processes of a `torch.utils.data.DataLoader`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found, unused-ignore]
from numpy.typing import NDArray
from torch import Tensor  # type: ignore[import-not-found, unused-ignore]
from torch.utils import data  # type: ignore[import-not-found, unused-ignore]

from slidekit.augment.torch import augment
from slidekit.errors import SpecError
from slidekit.loading.batch import pack
from slidekit.loading.decode import Decoder, decode_tiles, image_size
from slidekit.loading.position import Cursor, Position
from slidekit.loading.stream import TileStream
from slidekit.loading.tiles import RawTiles

__all__ = ["TileIterable", "TileLoader", "TileMap"]

Transform = Callable[[Tensor], Tensor]


class _Batches:
    """Makes the batches of a stream, in whatever process.

    Parameters
    ----------
    stream
        The batches.
    transform
        Called with each image, uint8 (3, h, w), after the augmentation.
    num_threads
        Threads that decode where this is no worker process; None takes what the machine has, up to four.
    """

    def __init__(self, stream: TileStream, transform: Transform | None, num_threads: int | None = None) -> None:
        self.stream = stream
        self._transform = transform
        self._size = image_size(stream)
        self._decoder = Decoder(num_threads)

    def make(self, position: Position) -> Any:
        """The batch at a position."""
        stream = self.stream
        tiles = stream.read(stream.numbers(*position))
        return self._pack(tiles, stream.seeds(*position))

    def make_one(self, number: int) -> Any:
        """One tile by its number in the table, as a batch; its augmentation depends on that number alone."""
        return self._pack(self.stream.read([number]), np.array([number], np.int64))

    def _pack(self, tiles: RawTiles, seeds: NDArray[np.int64]) -> Any:
        options = self.stream.options
        images = _empty((len(tiles), *self._size, 3), torch.uint8)
        if data.get_worker_info() is None:
            self._decoder.decode(tiles, images.numpy())
        else:
            # Workers are as many as there are cores to use.
            decode_tiles(tiles, images.numpy())
        # A view: the memory stays as it is, which torch calls channels_last.
        finished = self._finish(images.permute(0, 3, 1, 2), seeds)
        return pack(finished, tiles, options, torch.from_numpy)

    def _finish(self, images: Tensor, seeds: NDArray[np.int64]) -> Tensor:
        options = self.stream.options
        if options.method is not None:
            images = options.method.transform(images, options.augments_stains, seed=int(seeds[0]))
        if options.image_letters:
            images = augment(images, options.image_letters, seeds)
        if self._transform is not None:
            images = _transform_each(images, self._transform, seeds)
        if not options.standardize:
            return images
        count, channels, rows, columns = images.shape
        scaled = _empty((count, rows, columns, channels), torch.float32).permute(0, 3, 1, 2)
        return torch.div(images, 127.5, out=scaled).sub_(1)


def _transform_each(images: Tensor, transform: Transform, seeds: NDArray[np.int64]) -> Tensor:
    """Transform image after image; what is drawn from torch's global generator depends on the image's seed alone."""
    results = []
    with torch.random.fork_rng(devices=[]):
        for image, seed in zip(images, seeds.tolist(), strict=True):
            torch.manual_seed(seed)
            results.append(transform(image))
    return torch.stack(results)


def _empty(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Memory for a batch; in a worker it is shared with the process that takes it, and need not be copied."""
    if data.get_worker_info() is None:
        return torch.empty(shape, dtype=dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    storage = torch.UntypedStorage._new_shared(size, device="cpu")  # type: ignore[no-untyped-call, unused-ignore]
    return torch.empty(0, dtype=dtype).set_(storage).view(shape)  # type: ignore[call-overload, unused-ignore]


class TileIterable(data.IterableDataset[Any]):  # type: ignore[misc, unused-ignore]
    """The batches of a stream from a position on; of W workers, worker w makes every W-th.

    Parameters
    ----------
    batches
        Makes them.
    """

    def __init__(self, batches: _Batches) -> None:
        self._batches = batches
        # Shared: workers that outlive an epoch have a copy of this object, and read here where the next begins.
        self._start = torch.zeros(2, dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call, unused-ignore]

    def begin_at(self, position: Position) -> None:
        """Let the next iteration begin at a position."""
        self._start.copy_(torch.tensor(position))

    def __iter__(self) -> Iterator[Any]:
        # Read now and not at the first batch, when the next iteration may have been prepared.
        return self._iterate(Position(*self._start.tolist()))

    def _iterate(self, start: Position) -> Iterator[Any]:
        stream, worker = self._batches.stream, data.get_worker_info()
        first, step = (0, 1) if worker is None else (worker.id, worker.num_workers)
        position = start.after(first, stream.num_batches())
        while stream.options.infinite or position.epoch == start.epoch:
            yield self._batches.make(position)
            position = position.after(step, stream.num_batches())


class TileMap(data.Dataset[Any]):  # type: ignore[misc, unused-ignore]
    """Tiles by their number in the table; or whole batches by their position, which is how the loader asks.

    Parameters
    ----------
    batches
        Makes them.
    """

    def __init__(self, batches: _Batches) -> None:
        self._batches = batches

    def __len__(self) -> int:
        """Tiles of the table."""
        return len(self._batches.stream.table)

    def __getitem__(self, key: int | Position) -> Any:
        if isinstance(key, tuple):
            return self._batches.make(Position(*key))
        if not -len(self) <= key < len(self):
            raise IndexError(f"tile {key} of {len(self)}")
        return self._batches.make_one(key % len(self))


class _Positions(data.Sampler[Position]):  # type: ignore[misc, unused-ignore]
    """Positions of the batches, one after another."""

    def __init__(self, stream: TileStream) -> None:
        self._stream = stream
        self._start = Position(0, 0)

    def begin_at(self, position: Position) -> None:
        self._start = position

    def __iter__(self) -> Iterator[Position]:
        start = position = self._start
        while self._stream.options.infinite or position.epoch == start.epoch:
            yield position
            position = position.after(1, self._stream.num_batches())


class TileLoader(data.DataLoader[Any]):  # type: ignore[misc, unused-ignore]
    """A DataLoader of tiles, as `slidekit.Dataset.torch` describes it.

    Each iteration is the next epoch; one that was broken off is not gone on with, unless its `state_dict` is loaded.

    Parameters
    ----------
    stream
        The batches.
    map_style
        Take a dataset with an index, and a sampler; else an iterable dataset. The batches are the same.
    transform
        Called with each image, uint8 (3, h, w), after the augmentation.
    num_threads
        Threads that decode where there are no workers; None takes what the machine has, up to four.
    **loading
        Of DataLoader: `num_workers`, `prefetch_factor`, `pin_memory`, `persistent_workers`,
        `multiprocessing_context`, `timeout`.
    """

    def __init__(
        self,
        stream: TileStream,
        *,
        map_style: bool = False,
        transform: Transform | None = None,
        num_threads: int | None = None,
        **loading: Any,
    ) -> None:
        if not loading.get("in_order", True):
            raise SpecError("in_order=False gives batches in an order of chance.", mend="Leave it out.")
        batches = _Batches(stream, transform, num_threads)
        self.stream = stream
        self._cursor = Cursor(stream)
        self._source: TileIterable | _Positions
        # The loader draws a seed for its workers: from a generator of its own, not from the user's.
        common = {"batch_size": None, "generator": torch.Generator().manual_seed(stream.options.seed), **loading}
        if map_style:
            self._source = _Positions(stream)
            super().__init__(TileMap(batches), sampler=self._source, **common)
        else:
            self._source = TileIterable(batches)
            super().__init__(self._source, **common)

    def __len__(self) -> int:
        """Batches of an epoch."""
        return self.stream.num_batches()

    @property
    def num_tiles(self) -> int:
        """Tiles of an epoch, in this shard."""
        return self.stream.num_tiles

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override, unused-ignore]
        position = self._cursor.begin()
        self._source.begin_at(position)
        return self._count(super().__iter__(), position)

    def _count(self, batches: Iterator[Any], position: Position) -> Iterator[Any]:
        for batch in batches:
            position = position.after(1, len(self))
            self._cursor.reach(position)
            yield batch

    def set_epoch(self, epoch: int) -> None:
        """Let the next iteration be of an epoch, from its first batch on."""
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
