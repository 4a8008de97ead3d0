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
from slidekit.augment.tensorflow import apply
from slidekit.errors import NormalizerError, RecordError
from slidekit.loading.decode import image_size
from slidekit.loading.options import LoaderOptions
from slidekit.loading.position import Position, read_state, write_state
from slidekit.loading.stream import RawTiles, TileStream
from slidekit.norm import StainNormalizer

__all__ = ["tile_dataset"]

_Tensor: TypeAlias = Any
_Parts: TypeAlias = dict[str, Any]
"""What belongs to some tiles, by name; the first axis are the tiles."""

_CHUNK = 32
"""Tiles that are read for one call into Python, at least: each call takes as long as reading some tiles."""

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


def _state_after(stream: TileStream, start: Position, steps: int) -> dict[str, Any]:
    """Where the dataset stands when so many of its batches were used; those made ahead cannot be known here."""
    return write_state(stream, start.after(steps, stream.num_batches()))


class _Chunks:
    """What Python does: it reads the records of some batches at a time, and draws what happens to their images.

    Called, it gives one iteration. Each is of the next epoch; the first begins at `start`.
    """

    def __init__(self, stream: TileStream, start: Position) -> None:
        self.stream = stream
        self.size = image_size(stream)
        self._start = start
        self._iterations = count()

    @property
    def signature(self) -> dict[str, tf.TensorSpec]:
        """Types of what is read for n tiles."""
        stream, options = self.stream, self.stream.options
        spec = {"image": tf.TensorSpec((None,), tf.string)}
        if stream.labels is not None:
            values = stream.labels.values
            onehot = stream.num_classes is not None
            shape = (None, stream.num_classes) if onehot else (None, *values.shape[1:])
            spec["label"] = tf.TensorSpec(shape, tf.float32 if onehot else values.dtype)
        if options.incl_slidenames:
            spec["slide"] = tf.TensorSpec((None,), tf.string)
        if options.incl_loc:
            spec["location"] = tf.TensorSpec((None, 2), tf.int64)
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
        batches, step = self.stream.num_batches(), -(-_CHUNK // self.stream.batch_size)
        for batch in range(first, batches, step):
            yield self._read(int(epoch), range(batch, min(batch + step, batches)))

    def _read(self, epoch: int, batches: range) -> _Parts:
        stream, options = self.stream, self.stream.options
        tiles = stream.read(np.concatenate([stream.numbers(epoch, batch) for batch in batches]))
        _check_sizes(tiles, self.size)
        parts: _Parts = {"image": np.array(tiles.images, object)}
        if tiles.labels is not None:
            parts["label"] = tiles.labels
        if options.incl_slidenames:
            parts["slide"] = np.array([slide.encode() for slide in tiles.slides], object)
        if options.incl_loc:
            parts["location"] = tiles.locations
        if options.letters:
            seeds = [stream.seeds(epoch, batch) for batch in batches]
            if options.image_letters:
                parts["parameters"] = draw(options.image_letters, np.concatenate(seeds))
            if options.augments_stains:
                # As for numpy and torch, the first seed of a batch is that of its normalisation.
                parts["seed"] = np.concatenate([np.full_like(some, some[0]) for some in seeds])
        return parts


def _check_sizes(tiles: RawTiles, size: tuple[int, int]) -> None:
    """Find an image of another size while it is known whose it is: TensorFlow would not say.

    Raises
    ------
    RecordError
        If there is one; names file, slide and tile.
    """
    for number, data in enumerate(tiles.images):
        found = _size_in_header(data)
        if found != size:
            x, y = tiles.locations[number]
            has = "is neither a JPEG nor a PNG" if found is None else f"has {found[1]} × {found[0]} px"
            raise RecordError(
                f"the tile at ({x}, {y}) of slide {tiles.slides[number]!r} {has}, not {size[1]} × {size[0]}.",
                mend="Extract the slide again; slidekit verify names all that is damaged.",
                path=tiles.paths[number],
            )


def _size_in_header(data: bytes) -> tuple[int, int] | None:
    """Rows and columns of a JPEG or PNG, by its header alone."""
    import simplejpeg

    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big")
    try:
        rows, columns, _, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    return int(rows), int(columns)


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
    options = chunks.stream.options
    tiles = dataset.prefetch(2).unbatch().map(_as_it_stands(partial(_decode, chunks.size)), _AUTOTUNE)
    if options.batch_size is None:
        return tiles.map(_as_it_stands(partial(_finish_one, options)), _AUTOTUNE)
    batches = tiles.batch(options.batch_size, drop_remainder=options.drop_last)
    return batches.map(_as_it_stands(partial(_finish, options)), _AUTOTUNE)


def _decode(size: tuple[int, int], parts: _Parts) -> _Parts:
    # PNG is decoded by this as well. Its default for JPEG is a faster transform, up to 15 grey levels from numpy's.
    image = tf.io.decode_jpeg(parts["image"], channels=3, dct_method="INTEGER_ACCURATE")
    return {**parts, "image": tf.ensure_shape(image, (*size, 3))}


def _finish_one(options: LoaderOptions, parts: _Parts) -> Any:
    finished = _finish(options, {name: part[tf.newaxis] for name, part in parts.items()})
    return tf.nest.map_structure(lambda part: part[0], finished)


def _finish(options: LoaderOptions, parts: _Parts) -> Any:
    """Normalise, augment and scale a batch, and put it together in the order of `slidekit.loading.batch.pack`."""
    images = parts["image"]
    if options.method is not None:
        images = _normalize(options.method, images, parts["seed"][0] if options.augments_stains else None)
    if options.image_letters:
        images = apply(images, parts["parameters"], options.image_letters)
    if options.standardize:
        images = tf.cast(images, tf.float32) / 127.5 - 1
    found = [images, *(parts[name] for name in ("label", "slide") if name in parts)]
    if options.incl_loc:
        found += tf.unstack(parts["location"], axis=1)
    return tuple(found) if len(found) > 1 else images


def _normalize(normalizer: StainNormalizer, images: _Tensor, seed: _Tensor | None) -> _Tensor:
    """Normalise in the graph; by numpy, where that is the only one who can."""
    both = None if seed is None else tf.stack((tf.constant(0, tf.int64), seed))
    try:
        return normalizer.transform(images, seed is not None, seed=both)
    except NormalizerError:

        def by_numpy(batch: np.ndarray[Any, Any], number: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            return np.asarray(normalizer.transform(batch, seed is not None, seed=int(number)))

        number = tf.constant(0, tf.int64) if seed is None else seed
        return tf.ensure_shape(tf.numpy_function(by_numpy, (images, number), tf.uint8), images.shape)
