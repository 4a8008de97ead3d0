"""Decoded tiles as TensorFlow has them to batches: normalised, augmented and scaled in the graph."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf  # type: ignore[import-untyped, import-not-found, unused-ignore]

from slidekit.augment.tensorflow import apply
from slidekit.errors import NormalizerError
from slidekit.loading.options import LoaderOptions
from slidekit.norm import StainNormalizer

__all__ = ["finish", "finish_one"]

_Tensor: TypeAlias = Any
_Parts: TypeAlias = dict[str, Any]


def finish_one(options: LoaderOptions, classes: int | None, parts: _Parts) -> Any:
    """As `finish`, of a single tile, whose parts have no first axis."""
    finished = finish(options, classes, tf.nest.map_structure(lambda part: part[tf.newaxis], parts))
    return tf.nest.map_structure(lambda part: part[0], finished)


def finish(options: LoaderOptions, classes: int | None, parts: _Parts) -> Any:
    """Normalise, augment and scale a batch, and put it together in the order of `slidekit.loading.batch.pack`.

    Parameters
    ----------
    options
        What is asked for.
    classes
        Width of one-hot labels; None for others.
    parts
        ``image``, a tuple of uint8 (n, h, w, 3), one for each size of concentric tiles, and with it, as far as they
        are asked for, ``label``, ``slide``, ``loc_x``, ``loc_y``, ``parameters`` of the augmentation and ``seed`` of
        the normaliser's, the first axis being the tiles.
    """
    first, *further = parts["image"]
    sizes = (
        _finish_images(options, first, parts),
        *(_finish_images(options, images, parts, like=first) for images in further),
    )
    found = [sizes if len(sizes) > 1 else sizes[0]]
    if "label" in parts:
        found.append(parts["label"] if classes is None else tf.one_hot(parts["label"], classes))
    if options.incl_slidenames:
        found.append(parts["slide"])
    if options.incl_loc:
        found += [parts["loc_x"], parts["loc_y"]]
    return tuple(found) if len(found) > 1 or len(sizes) > 1 else found[0]


def _finish_images(options: LoaderOptions, images: _Tensor, parts: _Parts, like: _Tensor | None = None) -> _Tensor:
    """Images of one size; what is drawn for a tile is the same for all of its sizes, by `like`, the first."""
    if options.method is not None:
        seed = parts["seed"][0] if options.augments_stains else None
        images = _normalize(options.method, images, seed, images if like is None else like)
    if options.image_letters:
        images = apply(images, parts["parameters"], options.image_letters)
    return tf.cast(images, tf.float32) / 127.5 - 1 if options.standardize else images


def _normalize(normalizer: StainNormalizer, images: _Tensor, seed: _Tensor | None, like: _Tensor) -> _Tensor:
    """Normalise in the graph; by numpy, where that is the only one who can."""
    both = None if seed is None else tf.stack((tf.constant(0, tf.int64), seed))
    try:
        return normalizer.transform(images, seed is not None, seed=both, like=like)
    except NormalizerError:

        def by_numpy(
            batch: np.ndarray[Any, Any], number: np.ndarray[Any, Any], first: np.ndarray[Any, Any]
        ) -> np.ndarray[Any, Any]:
            return np.asarray(normalizer.transform(batch, seed is not None, seed=int(number), like=first))

        number = tf.constant(0, tf.int64) if seed is None else seed
        return tf.ensure_shape(tf.numpy_function(by_numpy, (images, number, like), tf.uint8), images.shape)
