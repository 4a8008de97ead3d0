"""The operations of TensorFlow that the batched normalisers are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import tensorflow as tf  # type: ignore[import-untyped, import-not-found, unused-ignore]
from numpy.typing import ArrayLike

from slidekit.norm.backend.ops import Ops

__all__ = ["OPS"]

_Tensor: TypeAlias = Any


class _TensorFlowOps:
    """`slidekit.norm.backend.ops.Ops` of TensorFlow; see there what each is."""

    log = staticmethod(tf.math.log)
    sqrt = staticmethod(tf.sqrt)
    sin = staticmethod(tf.sin)
    cos = staticmethod(tf.cos)
    floor = staticmethod(tf.floor)
    arctan2 = staticmethod(tf.atan2)
    matmul = staticmethod(tf.matmul)
    eigh = staticmethod(tf.linalg.eigh)
    maximum = staticmethod(tf.maximum)
    minimum = staticmethod(tf.minimum)
    where = staticmethod(tf.where)
    sum = staticmethod(tf.reduce_sum)
    mean = staticmethod(tf.reduce_mean)
    least = staticmethod(tf.reduce_min)
    most = staticmethod(tf.reduce_max)
    stack = staticmethod(tf.stack)
    reshape = staticmethod(tf.reshape)
    transpose = staticmethod(tf.linalg.matrix_transpose)

    def single(self, values: ArrayLike | _Tensor) -> _Tensor:
        return tf.cast(values, tf.float32)

    def double(self, values: ArrayLike | _Tensor) -> _Tensor:
        return tf.cast(values, tf.float64)

    def size(self, values: _Tensor, axis: int) -> _Tensor:
        return tf.shape(values)[axis]

    def entries(self, pixels: _Tensor) -> _Tensor:
        rows = tf.range(tf.shape(pixels)[0])
        return tf.cast(pixels, tf.int32) + 256 * rows[:, None, None]

    def histogram(self, entries: _Tensor, tiles: _Tensor) -> _Tensor:
        counts = tf.raw_ops.DenseBincount(
            input=tf.reshape(entries, (-1,)), size=256 * tiles, weights=tf.constant([], tf.int32), binary_output=False
        )
        return tf.cast(tf.reshape(counts, (tiles, 256)), tf.float64)

    def lookup(self, tables: _Tensor, entries: _Tensor) -> _Tensor:
        return tf.gather(tf.reshape(tables, (-1,)), entries)

    def largest(self, values: _Tensor, count: _Tensor) -> _Tensor:
        return tf.math.top_k(values, tf.minimum(count, tf.shape(values)[-1])).values

    def largest_places(self, values: _Tensor, count: _Tensor) -> _Tensor:
        return tf.math.top_k(values, tf.minimum(count, tf.shape(values)[-1]), sorted=False).indices

    def gather(self, values: _Tensor, places: _Tensor) -> _Tensor:
        return tf.gather(values, places, axis=2, batch_dims=1)

    def concat(self, values: Sequence[_Tensor]) -> _Tensor:
        return tf.concat(values, -1)

    def count(self, mask: _Tensor, axis: int) -> _Tensor:
        return tf.cast(tf.math.count_nonzero(mask, axis), tf.float64)

    def pick(self, values: _Tensor, places: _Tensor) -> _Tensor:
        return tf.cast(tf.gather(values, tf.cast(places, tf.int32), batch_dims=1), tf.float64)

    def running_sum(self, values: _Tensor) -> _Tensor:
        return tf.cumsum(values, 1)

    def decay(self, exponents: _Tensor) -> _Tensor:
        return tf.exp(tf.minimum(exponents, 0.0))

    def clip(self, values: _Tensor) -> _Tensor:
        return tf.clip_by_value(values, 0.0, 1.0)

    def part(self, values: _Tensor, knot: float) -> tuple[_Tensor, _Tensor]:
        return tf.maximum(values, knot), tf.minimum(values - knot, 0.0)

    def variance(self, values: _Tensor, means: _Tensor) -> _Tensor:
        return tf.reduce_mean(tf.square(values - means[..., None]), 2)

    def moments(self, values: _Tensor, weights: _Tensor) -> tuple[_Tensor, _Tensor]:
        selected = tf.cast(values * weights[:, None, :], tf.float64)
        return tf.reduce_sum(selected, 2), tf.matmul(selected, selected, transpose_b=True)

    def power(self, values: _Tensor, exponent: float) -> _Tensor:
        # Many times faster than tf.pow.
        return tf.exp(exponent * tf.math.log(values))

    def select(self, tiles: _Tensor, yes: _Tensor, no: _Tensor) -> _Tensor:
        return tf.where(tiles[:, None, None], yes, no)

    def to_pixels(self, values: _Tensor) -> _Tensor:
        return tf.cast(255 * values + 0.5, tf.uint8)


OPS: Ops = _TensorFlowOps()
"""The operations of TensorFlow."""
