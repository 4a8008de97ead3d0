"""Patches as a `tf.data.Dataset`: other processes read them, TensorFlow's own threads scale them.

Python hands a whole batch at a time to TensorFlow, which copies it: that is all that waits for the interpreter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import tensorflow as tf  # type: ignore[import-untyped, import-not-found, unused-ignore]
from numpy.typing import NDArray

from slidekit.sampling.feeding.faces import INFO, RANGES, FaceOptions, check_feeding, facts_of, targets_of
from slidekit.sampling.feeding.source import PatchSource, as_source

if TYPE_CHECKING:
    from slidekit.sampling.feeding.batch import Batch
    from slidekit.sampling.sampler import PatchSampler

__all__ = ["patch_dataset", "zip_datasets"]

_Parts: TypeAlias = dict[str, Any]

_FLOATS = ("mpp", "tissue", "inside")
"""What of the facts is float32; the slide is a string, and all else int64."""

_as_it_stands = tf.autograph.experimental.do_not_convert


def patch_dataset(sampler: PatchSampler | PatchSource, options: FaceOptions, **feeding: Any) -> tf.data.Dataset:
    """Make the dataset that `slidekit.sampling.PatchSampler.tensorflow` describes.

    Parameters
    ----------
    sampler
        What gives the patches.
    options
        What is asked for. The first iteration of the dataset begins at its `start`; where iterations end, each goes on
        behind the last, as those of `slidekit.sampling.feeding.torch.PatchStream` do.
    **feeding
        How patches are read, as for `slidekit.sampling.feeding.feed.Feed`: `workers`, `look_ahead`, `memory`.

    Returns
    -------
    tf.data.Dataset
        Of ``(images[, label maps][, targets][, info])``, or of images alone; several views are a tuple, by themselves
        ``((a, b),)``. All shapes are known; the number of
        patches of a batch is where each batch is full: without end, with `drop_last`, or where `steps` are a whole
        number of batches of what cannot be missing. It knows its length as far as that is known.
    """
    check_feeding(feeding)
    source = as_source(sampler)
    targets = targets_of(source.slides)
    signature = _signature(source, options, targets)
    rows = _Iterations(source, options, targets, feeding)
    dataset = tf.data.Dataset.from_generator(rows, output_signature=signature)
    finish = _as_it_stands(partial(_finish, options, len(source.edges)))
    dataset = dataset.map(finish, tf.data.AUTOTUNE, deterministic=True)
    if options.steps is None and not source.is_list and options.count(source) is None:
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
    elif _certain(source, options) is not None:
        length = options.batches(source)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(length))
    return dataset.prefetch(tf.data.AUTOTUNE)


def _is_full(source: PatchSource, options: FaceOptions) -> bool:
    """Whether each batch is full and comes: patches of a list may be missing."""
    count = _certain(source, options)
    if count is None:
        return not source.is_list and options.count(source) is None
    return options.drop_last or count % options.batch_size == 0


def _certain(source: PatchSource, options: FaceOptions) -> int | None:
    """Patches of an iteration where that is certain."""
    return source.count(options.start, options.steps, options.rank, options.num_replicas)


def _signature(source: PatchSource, options: FaceOptions, targets: NDArray[Any] | None) -> _Parts:
    number = options.batch_size if options.drop_last or _is_full(source, options) else None
    spec: _Parts = {
        f"view {place}": tf.TensorSpec((number, edge, edge, 3), tf.uint8) for place, edge in enumerate(source.edges)
    }
    if source.has_maps:
        spec["map"] = tf.TensorSpec((number, source.edges[0], source.edges[0]), tf.uint8)
    if targets is not None:
        kind = tf.string if targets.dtype == object else targets.dtype
        spec["target"] = tf.TensorSpec((number, *targets.shape[1:]), kind)
    if options.info:
        for name in INFO:
            kind = tf.string if name == "slide" else tf.float32 if name in _FLOATS else tf.int64
            spec[f"info {name}"] = tf.TensorSpec((number,), kind)
    return spec


class _Iterations:
    """Batches as numpy has them; each call is the next iteration, where they end."""

    def __init__(
        self, source: PatchSource, options: FaceOptions, targets: NDArray[Any] | None, feeding: _Parts
    ) -> None:
        self._source = source
        self._options = options
        self._targets = targets
        self._feeding = feeding
        self._next = options.start

    def __call__(self) -> Iterator[_Parts]:
        options = replace(self._options, start=self._next)
        # Without end nothing says where the last was left: TensorFlow has read ahead.
        if (end := self._source.end(options.start, options.steps)) is not None:
            self._next = self._source.following(self._options.start, end)
        return _rows(self._source, options, self._targets, self._feeding)


def _rows(source: PatchSource, options: FaceOptions, targets: NDArray[Any] | None, feeding: _Parts) -> Iterator[_Parts]:
    """Batches of one iteration."""
    with options.open(source, **feeding) as feed:
        for batch in feed:
            if len(batch.steps) == options.batch_size or not options.drop_last:
                yield _parts(batch, options, targets)


def _parts(batch: Batch, options: FaceOptions, targets: NDArray[Any] | None) -> _Parts:
    views = batch.images if isinstance(batch.images, tuple) else (batch.images,)
    parts: _Parts = {f"view {place}": view for place, view in enumerate(views)}
    if batch.labels is not None:
        parts["map"] = batch.labels
    if targets is not None:
        parts["target"] = targets[batch.slide_index]
    if options.info:
        parts |= {f"info {name}": value for name, value in facts_of(batch).items()}
        parts["info slide"] = np.array(parts["info slide"], object)
    return parts


def _finish(options: FaceOptions, views: int, parts: _Parts) -> Any:
    """Scale a batch in the graph, and put it together in the order of `slidekit.sampling.feeding.faces.pack`."""
    images = [_scale(options, parts[f"view {place}"]) for place in range(views)]
    found: list[Any] = [images[0] if views == 1 else tuple(images)]
    found += [parts[name] for name in ("map", "target") if name in parts]
    if options.info:
        found.append({name.removeprefix("info "): part for name, part in parts.items() if name.startswith("info ")})
    # Several views by themselves would be taken for images and labels.
    return tuple(found) if len(found) > 1 or views > 1 else found[0]


def _scale(options: FaceOptions, images: Any) -> Any:
    if options.channels == "first":
        images = tf.transpose(images, (0, 3, 1, 2))
    if (scale := RANGES[options.scaling]) is not None:
        images = tf.cast(images, tf.float32) / scale[0] - scale[1]
    return images


def zip_datasets(datasets: dict[str, tf.data.Dataset]) -> tf.data.Dataset:
    """A dataset of dicts, of an element of each; the shortest ends it."""
    return tf.data.Dataset.zip(datasets)
