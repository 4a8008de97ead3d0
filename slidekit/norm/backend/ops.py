"""What the batched normalisers need of a framework: the few operations that torch and TensorFlow name differently.

The methods themselves are written once, in `slidekit.norm.backend.macenko` and `slidekit.norm.backend.reinhard`,
with these and with Python's operators. `slidekit.norm.torch` and `slidekit.norm.tensorflow` bring the operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

from numpy.typing import ArrayLike

__all__ = ["Array", "Ops"]

Array: TypeAlias = Any
"""A tensor of the framework."""


class Ops(Protocol):
    """Operations on tensors of one framework, all in its graph and on its device; `n` is the number of tiles."""

    def single(self, values: Array | ArrayLike) -> Array:
        """Float32 tensor of these values."""

    def double(self, values: Array | ArrayLike) -> Array:
        """Float64 tensor of these values."""

    def size(self, values: Array, axis: int) -> Any:
        """Length of an axis: a number, or a scalar tensor where a graph does not know it yet."""

    def entries(self, pixels: Array) -> Array:
        """Places int32 (n, 3, p) of pixels uint8 (n, 3, p) in n tables of 256 entries that follow each other."""

    def histogram(self, entries: Array, tiles: Any) -> Array:
        """Counts of the values of each tile, float64 (n, 256)."""

    def lookup(self, tables: Array, entries: Array) -> Array:
        """Values float32 (n, 3, p) of the tables float32 (n, 256), one for each tile."""

    def largest(self, values: Array, count: Any) -> Array:
        """The `count` largest (n, k) of values (n, m), falling; all of them if there are fewer."""

    def largest_places(self, values: Array, count: Any) -> Array:
        """Where they are, integer (n, k), in any order."""

    def gather(self, values: Array, places: Array) -> Array:
        """Values (n, g, k) at these places (n, k) of the last axis of values (n, g, m)."""

    def reshape(self, values: Array, shape: tuple[Any, ...]) -> Array:
        """The same values in another shape."""

    def concat(self, values: Sequence[Array]) -> Array:
        """Tensors one after another along the last axis."""

    def pick(self, values: Array, places: Array) -> Array:
        """Values (n, m) at one place each, float64 (n,), of places float64 (n,)."""

    def matmul(self, left: Array, right: Array) -> Array:
        """Products of matrices in the last two axes."""

    def transpose(self, matrices: Array) -> Array:
        """Matrices in the last two axes, transposed."""

    def eigh(self, matrices: Array) -> tuple[Array, Array]:
        """Eigenvalues (n, m), rising, and eigenvectors (n, m, m) in columns, of symmetric matrices."""

    def stack(self, values: Sequence[Array], axis: int) -> Array:
        """Tensors of one shape, along a new axis."""

    def where(self, condition: Array, yes: Array, no: Array) -> Array:
        """Values of `yes` where the condition holds, of `no` elsewhere."""

    def select(self, tiles: Array, yes: Array, no: Array) -> Array:
        """Tiles uint8 (n, 3, p) of `yes`, which may be overwritten, where bool (n,) holds, of `no` elsewhere."""

    def maximum(self, values: Array, bound: Array | float) -> Array:
        """The larger of each value and a bound."""

    def minimum(self, values: Array, bound: Array | float) -> Array:
        """The smaller of each value and a bound."""

    def count(self, mask: Array, axis: int) -> Array:
        """How often a mask is true along an axis, float64."""

    def sum(self, values: Array, axis: int) -> Array:
        """Sum along an axis."""

    def mean(self, values: Array, axis: int) -> Array:
        """Mean along an axis."""

    def least(self, values: Array, axis: int) -> Array:
        """Smallest value along an axis."""

    def most(self, values: Array, axis: int) -> Array:
        """Largest value along an axis."""

    def running_sum(self, values: Array) -> Array:
        """Sums (n, m) of the values (n, m) up to each place of the last axis."""

    def floor(self, values: Array) -> Array:
        """Largest integer that is not above each value."""

    def log(self, values: Array) -> Array:
        """Natural logarithm."""

    def decay(self, exponents: Array) -> Array:
        """Exponential function of values, of 0 for those above; they may be overwritten."""

    def power(self, values: Array, exponent: float) -> Array:
        """Power of values that are above zero, which may be overwritten."""

    def clip(self, values: Array) -> Array:
        """Values, not below 0 and not above 1; they may be overwritten."""

    def part(self, values: Array, knot: float) -> tuple[Array, Array]:
        """Values, not below a knot, and how far below it they are, 0 or negative; they may be overwritten."""

    def variance(self, values: Array, means: Array) -> Array:
        """Mean square (n, 3) of the distances of values (n, 3, p) from means (n, 3)."""

    def moments(self, values: Array, weights: Array) -> tuple[Array, Array]:
        """Sums (n, 3) of values (n, 3, p) of weight 1, and of their products (n, 3, 3), in float64."""

    def sin(self, values: Array) -> Array:
        """Sine."""

    def cos(self, values: Array) -> Array:
        """Cosine."""

    def sqrt(self, values: Array) -> Array:
        """Square root."""

    def arctan2(self, y: Array, x: Array) -> Array:
        """Angle of the point (x, y), in radians, −π to π."""

    def to_pixels(self, values: Array) -> Array:
        """Uint8 0–255, rounded to the nearest, of values 0–1, which may be overwritten."""
