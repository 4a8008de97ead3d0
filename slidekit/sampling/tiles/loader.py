"""Batches of tiles that are read from the slides, of whatever framework makes them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

from slidekit.loading.arrays import finish
from slidekit.loading.batch import pack
from slidekit.loading.options import whole_number
from slidekit.sampling.tiles.stream import CellBatch, CellStream, Place

__all__ = ["CellLoader", "make_arrays"]


class CellLoader:
    """Batches of tiles from slides, as `slidekit.Dataset.numpy` and `torch` describe them.

    Each iteration is the next epoch; one that was broken off is not gone on with, unless its `state_dict` is loaded.

    Parameters
    ----------
    stream
        The tiles.
    make
        Makes a batch of what was read.
    """

    def __init__(self, stream: CellStream, make: Callable[[CellStream, CellBatch], Any]) -> None:
        self.stream = stream
        self._make = make
        self._next = self._place = Place(0, 0)
        self._set = 0

    def __len__(self) -> int:
        """Batches of an epoch, if each tile can be read."""
        return self.stream.num_batches()

    @property
    def num_tiles(self) -> int:
        """Tiles of an epoch, in this shard."""
        return self.stream.num_tiles

    @property
    def report(self) -> Any:
        """What the last epoch was read with, and what of it could not be read: a `FeedReport`; None before."""
        return self.stream.report

    def __iter__(self) -> Generator[Any, None, None]:
        # Not at the first batch, when another epoch may have been set.
        start, self._next = self._next, Place(self._next.epoch + 1, 0)
        self._place = start
        return self._iterate(start, self._set)

    def _iterate(self, place: Place, setting: int) -> Generator[Any, None, None]:
        while True:
            for batch in self.stream.of_epoch(place):
                # Iterators from before a position was set say nothing about where the next begins.
                if setting == self._set:
                    self._place = batch.after
                yield self._make(self.stream, batch)
            place = Place(place.epoch + 1, 0)
            if setting == self._set:
                self._place = place
                self._next = max(self._next, place, key=lambda one: one.epoch)
            if not self.stream.options.infinite:
                return

    def set_epoch(self, epoch: int) -> None:
        """Let the next iteration begin with the first batch of an epoch; SpecError if there is no such epoch."""
        self._go_to(Place(whole_number("epoch", epoch), 0))

    def state_dict(self) -> dict[str, Any]:
        """Where the loader stands, counting the batches that were taken from it: numbers and text."""
        return self.stream.write(self._place)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration go on where a loader of the same tiles and settings stood.

        Raises
        ------
        DatasetError
            If the state is of other tiles or settings.
        """
        self._go_to(self.stream.find(state))

    def _go_to(self, place: Place) -> None:
        self._next = self._place = place
        self._set += 1


def make_arrays(stream: CellStream, batch: CellBatch) -> Any:
    """Make a batch of numpy arrays, as `slidekit.loading.arrays.ArrayLoader` does."""
    images = finish(batch.images, batch.seeds, stream.options)
    return pack([images], batch.tiles, stream.options, single=stream.options.batch_size is None)
