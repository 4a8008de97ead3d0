"""Stain normalisation of batches of TensorFlow tensors, eagerly or in a graph, on the CPU or a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import tensorflow as tf  # type: ignore[import-untyped, import-not-found, unused-ignore]

from slidekit.errors import NormalizerError
from slidekit.norm.backend.methods import METHODS, measure_pixels, normalize_pixels, perturb_fit
from slidekit.norm.backend.tensorflow import OPS

__all__ = ["METHODS", "measure", "normalize", "perturb"]

_Tensor: TypeAlias = Any
_Values: TypeAlias = Mapping[str, Any]
"""Numbers by name: anything that numpy takes for an array, or tensors."""


def normalize(method: str, fit: _Values, images: _Tensor, *, context: _Values | None = None) -> tuple[_Tensor, _Tensor]:
    """Normalise a batch of tiles, each by its own statistics.

    The result is that of the numpy normaliser of this name, within 1 grey level on average and 3 at most. All of
    it are TensorFlow's own operations, so that it may be used in `tf.function` and `tf.data.Dataset.map`.

    Parameters
    ----------
    method
        One of `METHODS`.
    fit
        Numbers of the fit, as `slidekit.norm.StainNormalizer.get_fit` returns them; a value with one more axis in
        front has one fit for each tile.
    images
        uint8 (n, h, w, 3), RGB. Any of the sizes may be unknown while a graph is made.
    context
        What stands in for what is measured on the tiles: for Macenko `concentrations` (2,), for Reinhard `means`
        and `stds`, (3,) each, in CIELAB. A first axis n is allowed here, too.

    Returns
    -------
    images, changed : tf.Tensor
        uint8 (n, h, w, 3); bool (n,), False for a degenerate tile, which is returned as it is.

    Raises
    ------
    NormalizerError
        If TensorFlow has no such method here, `fit` or `context` has other keys than the method's, or `images`
        are not such a tensor.
    """
    images = _check(images)
    result, changed = normalize_pixels(OPS, method, fit, _pixels(images), context)
    result = tf.reshape(tf.transpose(result, (0, 2, 1)), tf.shape(images))
    return tf.ensure_shape(result, images.shape), changed


def measure(method: str, images: _Tensor) -> tuple[dict[str, _Tensor], _Tensor]:
    """Fit of each tile of a batch.

    Parameters
    ----------
    method
        One of `METHODS`.
    images
        As for `normalize`.

    Returns
    -------
    fit, defined : dict of tf.Tensor, tf.Tensor
        Values of a fit, each with a first axis n, and any numbers for a degenerate tile; bool (n,), False there.

    Raises
    ------
    NormalizerError
        As `normalize` does.
    """
    fit, defined = measure_pixels(OPS, method, _pixels(_check(images)))
    return dict(fit), defined


def perturb(
    fit: _Values, stdev: _Values, seed: int | _Tensor, *, count: int | _Tensor | None = None
) -> dict[str, _Tensor]:
    """Draw fits for stain augmentation from the normal distribution around one.

    Parameters
    ----------
    fit
        Numbers of a fit.
    stdev
        Their standard deviations, by the same names: `slidekit.norm.presets.AUGMENT_STDEV` by method and preset.
    seed
        A number, or two (an integer tensor (2,)), as the stateless functions of `tf.random` take it: the same seed
        draws the same fits, in a graph, too.
    count
        Draw so many fits, along a first axis of each value: one for each tile that `normalize` is given.

    Returns
    -------
    dict of tf.Tensor
        float64. Concentrations and standard deviations of colours stay above a hundredth of what they were.

    Raises
    ------
    NormalizerError
        If `fit` and `stdev` have different keys.
    """
    both = tf.convert_to_tensor((0, seed) if isinstance(seed, int) else seed, tf.int64)
    return perturb_fit(
        OPS,
        fit,
        stdev,
        lambda number, shape: tf.random.stateless_normal(
            shape, tf.random.experimental.stateless_fold_in(both, number), dtype=tf.float64
        ),
        count,
    )


def _check(images: Any) -> _Tensor:
    """Make sure that this is a batch, as far as its shape is known."""
    images = tf.convert_to_tensor(images)
    if images.dtype != tf.uint8:
        raise NormalizerError(f"A batch of tiles is a tf.uint8 tensor, not {images.dtype.name}.", mend="Convert it.")
    if not images.shape.is_compatible_with((None, None, None, 3)) or 0 in images.shape[1:3]:
        raise NormalizerError(
            f"A batch of tiles is (n, height, width, 3), not {images.shape}.",
            mend="Drop the alpha channel; add the first axis with tf.newaxis; give at least one pixel.",
        )
    return tf.ensure_shape(images, (None, None, None, 3))


def _pixels(images: _Tensor) -> _Tensor:
    """Pixels of a batch, channels apart: uint8 (n, 3, h · w)."""
    shape = tf.shape(images)
    return tf.transpose(tf.reshape(images, (shape[0], shape[1] * shape[2], 3)), (0, 2, 1))
