"""Batches as a `tf.data.Dataset`: records are read in Python, and all else is done in TensorFlow's own threads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import count
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf  # type: ignore[import-untyped, import-not-found, unused-ignore]

from slidekit.augment import draw
from slidekit.augment.parameters import WIDTH
from slidekit.io.tfrecord import image_feature
from slidekit.loading.batches.tensorflow import finish, finish_one
from slidekit.loading.decode import image_size
from slidekit.loading.mismatch import NAME_MEND, PLACE_MEND, spellings
from slidekit.loading.options import LoaderOptions, whole_number
from slidekit.loading.position import Position, read_state, write_state
from slidekit.loading.stream import TileStream

__all__ = ["tile_dataset"]

_Tensor: TypeAlias = Any
_Parts: TypeAlias = dict[str, Any]
"""What belongs to some tiles, by name; the first axis are the tiles."""

_CHUNK = 32
"""Tiles that are read for one call into Python, at least: each call takes as long as reading some tiles."""

_AHEAD = 512
"""Tiles whose records are read ahead, so that TensorFlow's threads have work while Python's waits for its turn."""

_FEATURES = {
    "image_raw": tf.io.FixedLenFeature((), tf.string),
    "slide": tf.io.FixedLenFeature((), tf.string),
    "loc_x": tf.io.FixedLenFeature((), tf.int64, 0),
    "loc_y": tf.io.FixedLenFeature((), tf.int64, 0),
}
_AUTOTUNE = tf.data.AUTOTUNE
_as_it_stands = tf.autograph.experimental.do_not_convert
"""Around functions in which AutoGraph would look for seconds for what it has to rewrite."""


def tile_dataset(
    stream: TileStream, *, state: Mapping[str, Any] | None = None, deterministic: bool = True
) -> tf.data.Dataset:
    """Make the dataset that `slidekit.Dataset.tensorflow` describes.

    Parameters
    ----------
    stream
        The batches.
    state
        Where to begin: what ``state_dict`` of a loader of the same stream returned.
    deterministic
        Give the tiles in the order of the stream; else each as soon as it is decoded.

    Returns
    -------
    tf.data.Dataset
        It has `num_tiles`, and ``state_dict(steps)``, as its own attributes, which datasets that are made of it by
        ``map`` and the like do not have.

    Raises
    ------
    DatasetError
        If `state` is of other tiles or settings.
    NormalizerError
        If the normaliser cannot do what is asked for.
    """
    options = stream.options
    start = Position(0, 0) if state is None else read_state(stream, state)
    if options.method is not None and options.augments_stains:
        # A method that knows no deviations says so more readably here than in the pipeline.
        options.method.transform(np.zeros((1, 2, 2, 3), np.uint8), True, seed=0)
    chunks = _Chunks(stream, start)
    if options.infinite and stream.num_tiles % stream.batch_size and not options.drop_last:
        dataset = _of_epochs(chunks)
    else:
        dataset = _of_chunks(chunks, tf.data.Dataset.from_generator(chunks, output_signature=chunks.signature))
    if options.infinite or not start.batch:  # else the first iteration has fewer batches than those after it
        length = tf.data.INFINITE_CARDINALITY if options.infinite else stream.num_batches()
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(length))
    settings = tf.data.Options()
    settings.deterministic = deterministic
    dataset = dataset.prefetch(_AUTOTUNE).with_options(settings)
    dataset.num_tiles = stream.num_tiles
    dataset.state_dict = partial(_state_after, stream, start)
    return dataset


def _state_after(stream: TileStream, start: Position, steps: Any) -> dict[str, Any]:
    """Where the dataset stands when so many of its batches were used; those made ahead cannot be known here."""
    # A variable, such as the optimizer's iterations, is what a training has at hand.
    taken = whole_number("steps", steps.numpy() if hasattr(steps, "numpy") else steps)
    return write_state(stream, start.after(taken, stream.num_batches()))


class _Chunks:
    """What Python does: it reads the records of some batches at a time, and draws what happens to their images.

    Called, it gives one iteration. Each is of the next epoch; the first begins at `start`.
    """

    def __init__(self, stream: TileStream, start: Position) -> None:
        self.stream = stream
        self.size = image_size(stream)
        self._batches = -(-_CHUNK // stream.batch_size)
        self.tiles = self._batches * stream.batch_size
        self._start = start
        self._iterations = count()

    @property
    def signature(self) -> dict[str, tf.TensorSpec]:
        """Types of what is read for n tiles."""
        stream, options = self.stream, self.stream.options
        spec = {"record": tf.TensorSpec((None,), tf.string)}
        if stream.labels is not None:
            values = stream.labels.values
            spec["label"] = tf.TensorSpec((None, *values.shape[1:]), values.dtype)
            if stream.labels.per_tile:
                spec["place"] = tf.TensorSpec((None, 2), tf.int64)
            else:
                spec["named"] = tf.TensorSpec((None, 2), tf.string)
        if options.image_letters:
            spec["parameters"] = tf.TensorSpec((None, WIDTH), tf.int32)
        if options.augments_stains:
            spec["seed"] = tf.TensorSpec((None,), tf.int64)
        return spec

    def __call__(self) -> Iterator[_Parts]:
        for position in self.epochs():
            yield from self.of_epoch(*position)

    def epochs(self) -> Iterator[Position]:
        """Where the epochs of an iteration begin."""
        iteration = next(self._iterations)
        position = self._start if iteration == 0 else Position(self._start.epoch + iteration, 0)
        yield position
        while self.stream.options.infinite:
            position = Position(position.epoch + 1, 0)
            yield position

    def of_epoch(self, epoch: int, first: int) -> Iterator[_Parts]:
        """Chunks of an epoch from a batch on; none has parts of two epochs."""
        batches, step = self.stream.num_batches(), self._batches
        for batch in range(first, batches, step):
            yield self._read(int(epoch), range(batch, min(batch + step, batches)))

    def _read(self, epoch: int, batches: range) -> _Parts:
        stream, options = self.stream, self.stream.options
        numbers = np.concatenate([stream.numbers(epoch, batch) for batch in batches])
        parts: _Parts = {"record": np.array(stream.reader.payloads(numbers), object)}
        if stream.labels is not None:
            rows = numbers if stream.labels.per_tile else stream.table.file_of(numbers)
            parts["label"] = stream.labels.values[rows]
        if (places := stream.places_of_labels(numbers)) is not None:
            parts["place"] = places
        if stream.labels_slides:
            parts["named"] = np.array([_bytes_of(stream.table.slides[row]) for row in rows], object)
        if options.letters:
            seeds = [stream.seeds(epoch, batch) for batch in batches]
            if options.image_letters:
                parts["parameters"] = draw(options.image_letters, np.concatenate(seeds))
            if options.augments_stains:
                # As for numpy and torch, the first seed of a batch is that of its normalisation.
                parts["seed"] = np.concatenate([np.full_like(some, some[0]) for some in seeds])
        return parts


def _bytes_of(name: str) -> list[bytes]:
    """Ways of writing a name: TensorFlow compares bytes."""
    return [spelling.encode() for spelling in spellings(name)]


def _of_epochs(chunks: _Chunks) -> tf.data.Dataset:
    """Batches of endless epochs whose last ones are not full, and are not to be filled from the next epoch."""

    def one(position: _Tensor) -> tf.data.Dataset:
        args = (position[0], position[1])
        made = tf.data.Dataset.from_generator(chunks.of_epoch, args=args, output_signature=chunks.signature)
        return _of_chunks(chunks, made)

    epochs = tf.data.Dataset.from_generator(chunks.epochs, output_signature=tf.TensorSpec((2,), tf.int64))
    return epochs.flat_map(_as_it_stands(one))


def _of_chunks(chunks: _Chunks, dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Decode tile by tile, and finish batch by batch."""
    options, classes = chunks.stream.options, chunks.stream.num_classes
    records = dataset.prefetch(max(2, _AHEAD // chunks.tiles)).unbatch()
    tiles = records.map(_as_it_stands(partial(_decode, options, chunks.size, chunks.stream.further)), _AUTOTUNE)
    if options.batch_size is None:
        return tiles.map(_as_it_stands(partial(finish_one, options, classes)), _AUTOTUNE)
    batches = tiles.batch(options.batch_size, drop_remainder=options.drop_last)
    return batches.map(_as_it_stands(partial(finish, options, classes)), _AUTOTUNE)


def _decode(options: LoaderOptions, size: tuple[int, int], further: tuple[str, ...], parts: _Parts) -> _Parts:
    """Parse the Example of a tile, and decode its images."""
    shape = (*size, 3)
    names = [image_feature(name) for name in (None, *further)]
    # One that is not there is read as empty, for a message that says whose it is.
    optional = {name: tf.io.FixedLenFeature((), tf.string, "") for name in names[1:]}
    tile = tf.io.parse_single_example(parts["record"], _FEATURES | optional)
    whose = ("RecordError: the tile of slide", tile["slide"], "at", tile["loc_x"], tile["loc_y"])
    checks = []
    images = []
    for name in names:
        is_there = tf.debugging.Assert(tf.strings.length(tile[name]) > 0, [*whose, "has no", name])
        with tf.control_dependencies([is_there]):
            # PNG is decoded by this as well. Its default for JPEG is a faster transform, up to 15 grey levels from
            # numpy's.
            image = tf.io.decode_jpeg(tile[name], channels=3, dct_method="INTEGER_ACCURATE")
        found = tf.shape(image)
        is_right = tf.reduce_all(found == shape)
        checks.append(tf.debugging.Assert(is_right, [*whose, "has", name, "of the shape", found, "and not", shape]))
        images.append(image)
    if "place" in parts:
        place = tf.stack((tile["loc_x"], tile["loc_y"]))
        what = (*whose, "lies at", parts["place"], "by the index.", PLACE_MEND)
        checks.append(tf.debugging.Assert(tf.reduce_all(place == parts["place"]), what))
    if "named" in parts:
        what = (*whose, "would get the label of slide", parts["named"][0], "by its file's name.", NAME_MEND)
        is_named = tf.reduce_any(tf.strings.strip(tile["slide"]) == parts["named"])
        checks.append(tf.debugging.Assert(is_named, what))
    with tf.control_dependencies(checks):
        decoded: _Parts = {"image": tuple(tf.ensure_shape(image, shape) for image in images)}
    # What is taken along is copied into batches.
    wanted = (*(("slide",) if options.incl_slidenames else ()), *(("loc_x", "loc_y") if options.incl_loc else ()))
    decoded |= {name: tile[name] for name in wanted}
    return decoded | {name: part for name, part in parts.items() if name not in ("record", "place", "named")}
