"""Augmentation of TensorFlow tensors, eagerly or in a graph; the pixels are those of `slidekit.augment.arrays`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf  # type: ignore[import-untyped, import-not-found, unused-ignore]
from numpy.typing import ArrayLike

from slidekit.augment import parameters as column
from slidekit.augment.checks import check_parameters, check_shape
from slidekit.augment.letters import ORDER, parse_augment
from slidekit.augment.parameters import LUMA, UNIT, draw
from slidekit.augment.tables import BLUR_KERNELS, BLUR_UNIT, CURVE_BACK, CURVES, LIGHT, SHARPEN_UNIT
from slidekit.errors import SpecError

__all__ = ["apply", "augment"]

_Tensor: TypeAlias = Any


def augment(images: _Tensor, letters: str | bool | None, seeds: ArrayLike | _Tensor) -> _Tensor:
    """Augment a batch, each image by its own seed; an image becomes the same in any batch.

    Parameters
    ----------
    images
        uint8 (n, h, w, 3), RGB.
    letters
        As `slidekit.augment.parse_augment` takes them; `slidekit.augment` says what each does.
    seeds
        Integers (n,): numbers that are known now. Where a graph is made and they are not, give their parameters
        to `apply`.

    Returns
    -------
    tf.Tensor
        uint8 (n, h, w, 3).

    Raises
    ------
    SpecError
        If there are no such letters, or `images` or `seeds` are not such values.
    """
    if tf.is_tensor(seeds):
        if not hasattr(seeds, "numpy"):
            raise SpecError(
                "Seeds of an augmentation are drawn from outside of a graph.",
                mend="Let the dataset yield slidekit.augment.draw(letters, seeds), and apply them in the graph.",
            )
        seeds = seeds.numpy()
    return apply(images, draw(letters, seeds), letters)


# There is nothing in it that AutoGraph would have to rewrite, for which it takes seconds.
@tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator, unused-ignore]
def apply(images: _Tensor, parameters: _Tensor, letters: str | bool | None = ORDER) -> _Tensor:
    """Do what was drawn, by TensorFlow's own operations: for `tf.function` and `tf.data.Dataset.map`.

    Parameters
    ----------
    images
        uint8 (n, h, w, 3), RGB. Any of the sizes may be unknown while a graph is made.
    parameters
        int32 (n, k), of `slidekit.augment.draw`; a tensor of the graph, or an array.
    letters
        Those that there is work for; others' parameters are not looked at.

    Returns
    -------
    tf.Tensor
        uint8 (n, h, w, 3).

    Raises
    ------
    SpecError
        If they are not such values.
    """
    images = tf.convert_to_tensor(images)
    parameters = tf.convert_to_tensor(parameters)
    check_shape(
        images.dtype.name, (None,) * 4 if images.shape.rank is None else tuple(images.shape), channels_last=True
    )
    check_parameters(tuple(parameters.shape), images.shape[0])
    shape, wanted = images.shape, parse_augment(letters)
    for having, number, change in _WORK:
        if set(having) & set(wanted):
            images = _replace(images, parameters, number, change)
    return tf.ensure_shape(images, shape)


_Change: TypeAlias = Callable[[_Tensor, _Tensor], _Tensor]


def _replace(images: _Tensor, parameters: _Tensor, number: int, change: _Change) -> _Tensor:
    """Put what `change` makes of the images that it is drawn for in their places."""
    places = tf.where(parameters[:, number] > 0)
    some = places[:, 0]
    changed = change(tf.gather(images, some), tf.gather(parameters, some))
    return tf.tensor_scatter_nd_update(images, places, changed)


def _flip_x(images: _Tensor, _rows: _Tensor) -> _Tensor:
    return tf.reverse(images, (2,))


def _flip_y(images: _Tensor, _rows: _Tensor) -> _Tensor:
    return tf.reverse(images, (1,))


def _turn(images: _Tensor, _rows: _Tensor) -> _Tensor:
    height, width = images.shape[1:3]
    turned = tf.reverse(tf.transpose(images, (0, 2, 1, 3)), (1,))
    if height is not None and width is not None:
        return turned if height == width else images
    sizes = tf.shape(images)
    return tf.cond(sizes[1] == sizes[2], lambda: turned, lambda: images)


def _blur(images: _Tensor, rows: _Tensor) -> _Tensor:
    for number in range(1, len(BLUR_KERNELS)):
        places = tf.where(rows[:, column.BLUR] == number)
        sums = tf.cast(tf.gather(images, places[:, 0]), tf.float32)
        for axis in (2, 1):
            sums = _convolve(sums, BLUR_KERNELS[number], axis)
        blurred = tf.cast((sums + BLUR_UNIT / 2) / BLUR_UNIT, tf.uint8)
        images = tf.tensor_scatter_nd_update(images, places, blurred)
    return images


def _convolve(values: _Tensor, kernel: Sequence[int] | np.ndarray[Any, Any], axis: int) -> _Tensor:
    """Weighted sums along an axis (1 or 2), beyond whose ends the last value goes on."""
    if axis == 2:
        return tf.transpose(_convolve(tf.transpose(values, (0, 2, 1, 3)), kernel, 1), (0, 2, 1, 3))
    shape, reach = tf.shape(values), len(kernel) // 2
    rows = tf.clip_by_value(tf.range(-reach, shape[1] + reach), 0, shape[1] - 1)
    # A whole row as the channels of one pixel: six times as fast as a convolution with three.
    wide = tf.gather(tf.reshape(values, (shape[0], shape[1], 1, shape[2] * 3)), rows, axis=1)
    weights = np.asarray(kernel, np.float32)[:, None, None, None] * tf.ones((1, 1, shape[2] * 3, 1))
    return tf.reshape(tf.nn.depthwise_conv2d(wide, weights, (1, 1, 1, 1), "VALID"), shape)


def _sharpen(images: _Tensor, rows: _Tensor) -> _Tensor:
    values = tf.cast(images, tf.float32)
    smooth = _convolve(_convolve(values, (1, 1, 1), 2), (1, 1, 1), 1) + 4 * values
    twice = tf.cast(rows[:, column.SHARPEN], tf.float32)[:, None, None, None]
    return _to_pixels(SHARPEN_UNIT * values + twice * (SHARPEN_UNIT // 2 * values - smooth), SHARPEN_UNIT)


def _posterise(images: _Tensor, rows: _Tensor) -> _Tensor:
    masks = tf.bitwise.left_shift(255, rows[:, column.DROPPED_BITS]) & 255
    return tf.bitwise.bitwise_and(images, tf.cast(masks, tf.uint8)[:, None, None, None])


def _distort(images: _Tensor, rows: _Tensor) -> _Tensor:
    lines = tf.cast(tf.reduce_sum(tf.cast(images, tf.int32), 2), tf.int64)
    luma = tf.reduce_sum(tf.reduce_sum(lines, 1) * tf.constant(LUMA, tf.int64), 1)
    sizes = tf.shape(images, tf.int64)
    pixels = 1000 * sizes[1] * sizes[2]
    mean = (2 * luma + pixels) // (2 * pixels)
    offset = tf.cast(mean, tf.float32) * tf.cast(rows[:, column.DISTORT_LUMA], tf.float32)
    mixed = _mix(tf.cast(images, tf.float32), rows[:, column.DISTORT_MATRIX])
    return _to_pixels(mixed + offset[:, None, None, None], UNIT)


def _change_profile(images: _Tensor, rows: _Tensor) -> _Tensor:
    curves = tf.constant(CURVES.reshape(-1), tf.float32)
    starts = 256 * rows[:, column.PROFILE_CURVES]
    light = tf.gather(curves, tf.cast(images, tf.int32) + starts[:, None, None, :])
    mixed = (_mix(light, rows[:, column.PROFILE_MATRIX]) + UNIT // 2) / UNIT
    return tf.gather(tf.constant(CURVE_BACK), tf.cast(tf.clip_by_value(mixed, 0, LIGHT), tf.int32))


def _compress(images: _Tensor, rows: _Tensor) -> _Tensor:
    def one(values: tuple[_Tensor, _Tensor]) -> _Tensor:
        image, quality = values
        data = tf.raw_ops.EncodeJpegVariableQuality(images=image, quality=quality)
        return tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")

    def each() -> _Tensor:
        shape = tf.TensorSpec(images.shape[1:], tf.uint8)
        return tf.map_fn(one, (images, rows[:, column.QUALITY]), fn_output_signature=shape)

    # map_fn knows no shape for what it makes of nothing.
    return tf.cond(tf.shape(images)[0] > 0, each, lambda: images)


def _mix(values: _Tensor, matrices: _Tensor) -> _Tensor:
    """Each image's matrix, (n, 9), times its channels."""
    weights = tf.reshape(tf.cast(matrices, tf.float32), (-1, 3, 3))
    shape = tf.shape(values)
    mixed = tf.matmul(tf.reshape(values, (shape[0], shape[1] * shape[2], 3)), weights, transpose_b=True)
    return tf.reshape(mixed, shape)


def _to_pixels(values: _Tensor, unit: int) -> _Tensor:
    # What is below zero is not to be rounded towards it.
    return tf.cast(tf.clip_by_value((values + unit // 2) / unit, 0, 255), tf.uint8)


_WORK: Sequence[tuple[str, int, _Change]] = (
    # A half turn is both flips.
    ("xr", column.FLIP_X, _flip_x),
    ("yr", column.FLIP_Y, _flip_y),
    ("r", column.QUARTER, _turn),
    ("b", column.BLUR, _blur),
    ("s", column.SHARPEN, _sharpen),
    ("p", column.DROPPED_BITS, _posterise),
    ("d", column.DISTORT, _distort),
    ("c", column.PROFILE, _change_profile),
    ("j", column.QUALITY, _compress),
)
"""Which letters need it, its column, what it does."""
