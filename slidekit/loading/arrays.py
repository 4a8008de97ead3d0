"""Batches as numpy arrays, which need no framework."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slidekit.augment.arrays import augment
from slidekit.loading.batch import pack
from slidekit.loading.decode import Decoder, image_size
from slidekit.loading.options import LoaderOptions
from slidekit.loading.position import Cursor, Track, iterate
from slidekit.loading.stream import TileStream

__all__ = ["ArrayLoader", "finish"]


class ArrayLoader:
    """Batches of tiles, as `slidekit.Dataset.numpy` describes them.

    Each iteration is the next epoch; one that was broken off is not gone on with, unless its `state_dict` is loaded.

    Parameters
    ----------
    stream
        The batches.
    num_threads
        Threads that decode; the batches are the same whatever their number. None takes what the machine has, up to
        four.
    """

    def __init__(self, stream: TileStream, *, num_threads: int | None = None) -> None:
        self.stream = stream
        self._decoder = Decoder(num_threads)
        self._size = image_size(stream)
        self._cursor = Cursor(stream)

    def __len__(self) -> int:
        """Batches of an epoch."""
        return self.stream.num_batches()

    @property
    def num_tiles(self) -> int:
        """Tiles of an epoch, in this shard."""
        return self.stream.num_tiles

    def __iter__(self) -> Iterator[Any]:
        # No generator itself: that would look at its first batch for what was set, maybe after it was made.
        return self._iterate(self._cursor.track)

    def _iterate(self, track: Track) -> Iterator[Any]:
        for position in iterate(self.stream, self._cursor.begin(track)):
            batch = self._make(*position)
            self._cursor.reach(track, position.after(1, len(self)))
            yield batch

    def set_epoch(self, epoch: int) -> None:
        """Let the next iteration be of an epoch, from its first batch on; SpecError if there is no such epoch."""
        self._cursor.set_epoch(epoch)

    def state_dict(self) -> dict[str, Any]:
        """Where the loader stands: numbers and text, which JSON and pickle take."""
        return self._cursor.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration go on where a loader of the same tiles and settings stood.

        Raises
        ------
        DatasetError
            If the state is of other tiles or settings.
        """
        self._cursor.load_state_dict(state)

    def _make(self, epoch: int, batch: int) -> Any:
        options = self.stream.options
        tiles, seeds = self.stream.read(self.stream.numbers(epoch, batch)), self.stream.seeds(epoch, batch)
        shape = (len(tiles), *self._size, 3)
        read = [self._decoder.decode(some, np.empty(shape, np.uint8)) for some in tiles.by_size()]
        images = [finish(some, seeds, options, like=read[0]) for some in read]
        return pack(images, tiles, options, single=options.batch_size is None)


def finish(
    images: NDArray[np.uint8],
    seeds: NDArray[np.int64],
    options: LoaderOptions,
    *,
    like: NDArray[np.uint8] | None = None,
) -> NDArray[Any]:
    """Normalise, augment and scale a batch.

    Parameters
    ----------
    images
        uint8 (n, h, w, 3), RGB.
    seeds
        (n,) int64: what the augmentation of each depends on.
    options
        What is asked for.
    like
        Of concentric tiles, the images of the first size, as they were read: what a normaliser draws for a tile, it
        draws for these.

    Returns
    -------
    ndarray (n, h, w, 3)
        uint8, or float32 if `options.standardize`.
    """
    if options.method is not None:
        images = options.method.transform(images, options.augments_stains, seed=int(seeds[0]), like=like)
    if options.image_letters:
        images = augment(images, options.image_letters, seeds)
    if not options.standardize:
        return images
    scaled = images.astype(np.float32)
    scaled /= 127.5
    scaled -= 1
    return scaled
