"""What tile of the slides comes when, and its pixels: the stream of TFRecords' tiles, without TFRecords."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slidekit.errors import DatasetError, SpecError
from slidekit.io.record_table import RecordTable
from slidekit.loading.options import LoaderOptions
from slidekit.loading.position import Position, read_state, write_state
from slidekit.loading.stream import TileStream
from slidekit.loading.tiles import Labels, RawTiles
from slidekit.sampling.feeding.source import SamplerView
from slidekit.sampling.plan import Plan
from slidekit.sampling.tiles.even import even_batches
from slidekit.sampling.tiles.table import CellTable

if TYPE_CHECKING:
    from slidekit.sampling.sampler import PatchSampler

__all__ = ["CellBatch", "CellStream", "Place"]


@dataclass(frozen=True)
class Place:
    """The tile that comes next: number `tile` of this shard's order of an epoch."""

    epoch: int
    tile: int


@dataclass(frozen=True)
class CellBatch:
    """Tiles that were read.

    Attributes
    ----------
    images
        (n, tile_px, tile_px, 3), uint8, RGB.
    tiles
        What is known of them; their `images` are left out.
    seeds
        (n,) int64: what the augmentation of each depends on.
    after
        The place behind the last of them.
    """

    images: NDArray[np.uint8]
    tiles: RawTiles
    seeds: NDArray[np.int64]
    after: Place


class CellStream(TileStream):
    """All tiles of all epochs, as `TileStream` has them; they are read from the slides, in processes of a feed.

    A tile that cannot be read is left out, and the next takes its place in the batch; the feed's report counts it. With
    `even_shards` that would leave a replica with fewer batches than the others: there the next tile of the replica's
    share that can be read stands in for it as well, so that it comes twice.

    Parameters
    ----------
    sampler
        Slides, size of the tiles, and which cells: mode ``"grid"``, not shuffled.
    table
        The tiles of it.
    options
        What is asked for.
    labels, weights, clip, num_classes
        As for `TileStream`.
    **feeding
        How slides are read, as for `slidekit.sampling.feeding.feed.Feed`.
    """

    def __init__(
        self,
        sampler: PatchSampler,
        table: CellTable,
        options: LoaderOptions,
        *,
        labels: Labels | None = None,
        weights: ArrayLike | None = None,
        clip: ArrayLike | None = None,
        num_classes: int | None = None,
        **feeding: Any,
    ) -> None:
        self.sampler = sampler
        self.cells = table
        self.feeding = feeding
        self.report: Any = None
        # The stream asks a table for what this one has as well; its records are never asked for.
        super().__init__(
            cast("RecordTable", table),
            options,
            labels=labels,
            weights=weights,
            clip=clip,
            tile_px=sampler.spec.tile_px,
            num_classes=num_classes,
        )

    def read(self, numbers: ArrayLike) -> RawTiles:
        """Refuse: tiles of slides come in the order of the stream."""
        raise SpecError("Single tiles are not read from slides.", mend="Take WSI[i, j], or sampler[step].")

    def settings(self) -> dict[str, int | bool | str]:
        """What a position in the stream depends on, the places of the tiles included."""
        settings = super().settings()
        digest = hashlib.sha256(str(settings["tiles"]).encode())
        digest.update(self.sampler.spec.digest().encode())
        digest.update(np.ascontiguousarray(self.cells.locations).tobytes())
        return settings | {"tiles": digest.hexdigest()}

    def of_epoch(self, place: Place) -> Generator[CellBatch, None, None]:
        """Read the batches of an epoch from a place on."""
        from slidekit.sampling.feeding.feed import Feed

        size = self.batch_size
        numbers = self.order.epoch(place.epoch)
        count = self.num_batches() * size if self.options.drop_last else len(numbers)
        planner = cast("PatchSampler", _EpochPlanner(self.sampler, self.cells.steps[numbers[:count]]))
        with Feed(planner, size, start=place.tile, steps=count - place.tile, **self.feeding) as feed:
            self.report = feed.report
            if self.options.even_shards and self.options.num_shards > 1:
                again = partial(Feed, planner, 1, start=0, steps=count, workers=0)
                for places, sources, images in even_batches(feed, again, size, place.tile, count):
                    yield self._batch(images, places, numbers[sources], place.epoch)
                return
            for batch in feed:
                self.report = feed.report
                if len(batch.steps) == size or not self.options.drop_last:
                    images = cast("NDArray[np.uint8]", batch.images)
                    yield self._batch(images, batch.steps, numbers[batch.steps], place.epoch)

    def _batch(
        self, images: NDArray[np.uint8], places: NDArray[np.int64], chosen: NDArray[np.int64], epoch: int
    ) -> CellBatch:
        files = self.cells.file_of(chosen)
        tiles = RawTiles(
            numbers=chosen,
            images=[],
            slides=[self.cells.names[file] for file in files],
            locations=self.cells.locations[chosen],
            labels=self._labels_of(chosen, files),
            paths=[self.cells.paths[file] for file in files],
        )
        return CellBatch(images, tiles, self._seeds_of(epoch, places), Place(epoch, int(places[-1]) + 1))

    def _seeds_of(self, epoch: int, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Seeds of tiles by their places in this shard's order, which are those of the batches they would be in."""
        seeds = np.empty(len(places), np.int64)
        batches, within = np.divmod(places, self.batch_size)
        for batch in np.unique(batches).tolist():
            rows = batches == batch
            seeds[rows] = self.seeds(epoch, batch)[within[rows]]
        return seeds

    # --- where it stands ---------------------------------------------------------------------------------------

    def write(self, place: Place) -> dict[str, Any]:
        """Write a place down: numbers and text."""
        batch = -(-place.tile // self.batch_size)
        position = Position(place.epoch, 0).after(batch, self.num_batches())
        return {**write_state(self, position), "tile": place.tile if position.epoch == place.epoch else 0}

    def find(self, state: Mapping[str, Any]) -> Place:
        """Read a place that was written.

        Raises
        ------
        DatasetError
            If it is none, or of other tiles or settings.
        """
        position = read_state(self, state)
        tile = state.get("tile", position.batch * self.batch_size)
        if not isinstance(tile, int) or not 0 <= tile <= len(self.order):
            raise DatasetError(
                "This is not the state of a loader.", mend="Give what state_dict() of a loader returned."
            )
        return Place(position.epoch, tile)


class _EpochPlanner(SamplerView):
    """A sampler whose step k is tile k of an epoch's order."""

    def __init__(self, sampler: PatchSampler, steps: NDArray[np.int64]) -> None:
        super().__init__(sampler)
        self._steps = steps

    def __len__(self) -> int:
        return len(self._steps)

    def plan_counted(
        self, steps: ArrayLike, attempts: ArrayLike | None = None
    ) -> tuple[Plan, dict[str, dict[str, int]]]:
        """Plan the tiles of some steps; the plan has the steps as they are given."""
        wanted = np.atleast_1d(np.asarray(steps, np.int64))
        plan, counted = self.sampler.plan_counted(self._steps[wanted], attempts)
        return replace(plan, steps=wanted), counted

    def missing(self, steps: ArrayLike) -> list[int]:
        """Slides whose masks have to be made before some steps can be planned."""
        return self.sampler.missing(self._steps[np.atleast_1d(np.asarray(steps, np.int64))])
