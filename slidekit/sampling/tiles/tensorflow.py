"""Tiles that are read from slides, as a `tf.data.Dataset`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import count
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf  # type: ignore[import-untyped, import-not-found, unused-ignore]

from slidekit.augment import draw
from slidekit.augment.parameters import WIDTH
from slidekit.loading.batches.tensorflow import finish, finish_one
from slidekit.loading.options import whole_number
from slidekit.sampling.tiles.stream import CellBatch, CellStream, Place

__all__ = ["cell_dataset"]

_Parts: TypeAlias = dict[str, Any]

_as_it_stands = tf.autograph.experimental.do_not_convert


def cell_dataset(stream: CellStream, *, state: Mapping[str, Any] | None = None) -> tf.data.Dataset:
    """Make the dataset that `slidekit.Dataset.tensorflow` describes for tiles from slides.

    Parameters
    ----------
    stream
        The tiles.
    state
        Where to begin: what ``state_dict`` of a loader of the same stream returned.

    Returns
    -------
    tf.data.Dataset
        It has `num_tiles`, and ``state_dict(steps)``, as its own attributes. Its length is not known to TensorFlow,
        because tiles that cannot be read are left out.

    Raises
    ------
    DatasetError
        If `state` is of other tiles or settings.
    """
    options = stream.options
    start = Place(0, 0) if state is None else stream.find(state)
    if options.method is not None and options.augments_stains:
        # A method that knows no deviations says so more readably here than in the pipeline.
        options.method.transform(np.zeros((1, 2, 2, 3), np.uint8), True, seed=0)
    dataset = tf.data.Dataset.from_generator(_Epochs(stream, start), output_signature=_signature(stream))
    one = finish_one if options.batch_size is None else finish
    if options.batch_size is None:
        dataset = dataset.unbatch()
    dataset = dataset.map(_as_it_stands(partial(one, options, stream.num_classes)), tf.data.AUTOTUNE)
    dataset = dataset.prefetch(tf.data.AUTOTUNE)
    dataset.num_tiles = stream.num_tiles
    dataset.state_dict = partial(_state_after, stream, start)
    return dataset


class _Epochs:
    """Reads the slides. Each iteration is of the next epoch; the first begins at `start`."""

    def __init__(self, stream: CellStream, start: Place) -> None:
        self._stream = stream
        self._start = start
        self._iterations = count()

    def __call__(self) -> Iterator[_Parts]:
        iteration = next(self._iterations)
        place = self._start if iteration == 0 else Place(self._start.epoch + iteration, 0)
        while True:
            for batch in self._stream.of_epoch(place):
                yield _parts(self._stream, batch)
            if not self._stream.options.infinite:
                return
            place = Place(place.epoch + 1, 0)


def _signature(stream: CellStream) -> _Parts:
    """Types of what is read for n tiles; n is known where each batch is full."""
    options = stream.options
    always = options.batch_size is None or options.drop_last
    number = stream.batch_size if always else None
    assert stream.tile_px is not None
    spec: _Parts = {"image": (tf.TensorSpec((number, stream.tile_px, stream.tile_px, 3), tf.uint8),)}
    if stream.labels is not None:
        values = stream.labels.values
        spec["label"] = tf.TensorSpec((number, *values.shape[1:]), values.dtype)
    if options.incl_slidenames:
        spec["slide"] = tf.TensorSpec((number,), tf.string)
    if options.incl_loc:
        spec |= {name: tf.TensorSpec((number,), tf.int64) for name in ("loc_x", "loc_y")}
    if options.image_letters:
        spec["parameters"] = tf.TensorSpec((number, WIDTH), tf.int32)
    if options.augments_stains:
        spec["seed"] = tf.TensorSpec((number,), tf.int64)
    return spec


def _parts(stream: CellStream, batch: CellBatch) -> _Parts:
    options, tiles = stream.options, batch.tiles
    parts: _Parts = {"image": (batch.images,)}
    if stream.labels is not None:
        rows = tiles.numbers if stream.labels.per_tile else stream.cells.file_of(tiles.numbers)
        parts["label"] = stream.labels.values[rows]
    if options.incl_slidenames:
        parts["slide"] = np.array([name.encode() for name in tiles.slides], object)
    if options.incl_loc:
        parts |= {"loc_x": tiles.locations[:, 0], "loc_y": tiles.locations[:, 1]}
    if options.image_letters:
        parts["parameters"] = draw(options.image_letters, batch.seeds)
    if options.augments_stains:
        # As for numpy and torch, the first seed of a batch is that of its normalisation.
        parts["seed"] = np.full_like(batch.seeds, batch.seeds[0])
    return parts


def _state_after(stream: CellStream, start: Place, steps: Any) -> dict[str, Any]:
    """Where the dataset stands when so many of its batches were used, if each tile could be read."""
    taken = whole_number("steps", steps.numpy() if hasattr(steps, "numpy") else steps)
    rest = stream.num_tiles - start.tile
    left = rest // stream.batch_size if stream.options.drop_last else -(-rest // stream.batch_size)
    if taken < left:
        return stream.write(Place(start.epoch, start.tile + taken * stream.batch_size))
    epochs, batches = divmod(taken - left, stream.num_batches())
    return stream.write(Place(start.epoch + 1 + epochs, batches * stream.batch_size))
