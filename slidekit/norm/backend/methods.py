"""The methods that torch and TensorFlow share: their names, their fits, and what is checked before any work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from slidekit.errors import NormalizerError
from slidekit.norm.augment import LEAST_SHARE
from slidekit.norm.backend import macenko, reinhard
from slidekit.norm.backend.ops import Array, Ops

__all__ = ["METHODS", "RANKS", "measure_pixels", "normalize_pixels", "perturb_fit"]

# As slidekit.norm.augment.perturb.
_POSITIVE = ("target_concentrations", "target_stds")


class _Method(NamedTuple):
    """One method."""

    measure: Callable[..., tuple[Mapping[str, Array], Array]]
    normalize: Callable[..., tuple[Array, Array]]
    fit: frozenset[str]
    """Keys of its fit."""
    context: frozenset[str]
    """Keys of its context."""


def _macenko(*, fast: bool) -> _Method:
    return _Method(
        partial(macenko.measure, fast=fast),
        partial(macenko.normalize, fast=fast),
        frozenset({"stain_matrix_target", "target_concentrations"}),
        frozenset({"concentrations"}),
    )


def _reinhard(*, fast: bool, mask: bool) -> _Method:
    return _Method(
        partial(reinhard.measure, fast=fast),
        partial(reinhard.normalize, fast=fast, mask=mask),
        frozenset({"target_means", "target_stds"}),
        frozenset({"means", "stds"}),
    )


_METHODS: dict[str, _Method] = {
    "macenko": _macenko(fast=False),
    "macenko_fast": _macenko(fast=True),
    "reinhard": _reinhard(fast=False, mask=False),
    "reinhard_fast": _reinhard(fast=True, mask=False),
    "reinhard_fast_mask": _reinhard(fast=True, mask=True),
    "reinhard_mask": _reinhard(fast=False, mask=True),
}

METHODS: tuple[str, ...] = tuple(_METHODS)
"""Names of the methods that torch and TensorFlow have, sorted."""

RANKS: Mapping[str, int] = {"stain_matrix_target": 2}
"""Axes of a value of a fit or a context that is the same for all tiles, where it has more than one."""


def normalize_pixels(
    ops: Ops, method: str, fit: Mapping[str, Array], pixels: Array, context: Mapping[str, Array] | None
) -> tuple[Array, Array]:
    """Normalise tiles by the name of a method.

    Parameters
    ----------
    ops
        The framework.
    method
        One of `METHODS`.
    fit
        Numbers of the method's fit; with a first axis n where every tile has a fit of its own.
    pixels
        uint8 (n, 3, p), R, G, B.
    context
        What stands in for what is measured on the tiles, or None.

    Returns
    -------
    images, changed : tensor
        uint8 (n, 3, p), the same pixels where a tile is degenerate; bool (n,), False there.

    Raises
    ------
    NormalizerError
        If there is no such method, or `fit` or `context` has other keys than the method's.
    """
    chosen = _find(method)
    values = _doubles(ops, "fit", method, fit, chosen.fit)
    instead = None if context is None else _doubles(ops, "context", method, context, chosen.context)
    images, changed = chosen.normalize(ops, pixels, values, instead)
    return ops.select(changed, images, pixels), changed


def measure_pixels(ops: Ops, method: str, pixels: Array) -> tuple[Mapping[str, Array], Array]:
    """Fit of each tile, by the name of a method.

    Parameters
    ----------
    ops
        The framework.
    method
        One of `METHODS`.
    pixels
        uint8 (n, 3, p), R, G, B.

    Returns
    -------
    fit, defined : dict of tensor, tensor
        The keys of a fit, each with a first axis n; any numbers where a tile is degenerate. bool (n,), False there.

    Raises
    ------
    NormalizerError
        If there is no such method.
    """
    return _find(method).measure(ops, pixels)


def perturb_fit(
    ops: Ops,
    fit: Mapping[str, Array],
    stdev: Mapping[str, Array],
    draw: Callable[[int, tuple[int, ...]], Array],
    count: int | None,
) -> dict[str, Array]:
    """Draw fits from the normal distribution around one.

    Parameters
    ----------
    ops
        The framework.
    fit, stdev
        The numbers of a fit, and their standard deviations under the same names.
    draw
        Makes standard normal noise from a number and a shape: other noise for every number.
    count
        How many fits; None for one without a first axis for that.

    Returns
    -------
    dict of tensor
        float64. Concentrations and standard deviations of colours stay above a hundredth of what they were.

    Raises
    ------
    NormalizerError
        If `fit` and `stdev` have different keys.
    """
    if fit.keys() != stdev.keys():
        raise NormalizerError(
            f"The fit consists of {', '.join(fit)}, the standard deviations of {', '.join(stdev) or 'nothing'}.",
            mend="Give one for each value of the fit; slidekit.norm.presets.AUGMENT_STDEV has them by method.",
        )
    drawn = {}
    for number, name in enumerate(sorted(fit)):
        value = ops.double(fit[name])
        shape = tuple(value.shape) if count is None else (count, *value.shape)
        moved = value + ops.double(stdev[name]) * ops.double(draw(number, shape))
        drawn[name] = ops.maximum(moved, LEAST_SHARE * value) if name in _POSITIVE else moved
    return drawn


def _find(method: str) -> _Method:
    if method not in _METHODS:
        raise NormalizerError(
            f"normalizer={method!r} has no implementation in torch and TensorFlow.",
            mend=f"Use one of {', '.join(METHODS)}, or numpy arrays.",
        )
    return _METHODS[method]


def _doubles(ops: Ops, what: str, method: str, values: Mapping[str, Array], keys: frozenset[str]) -> dict[str, Array]:
    """Float64 tensors of a fit or a context that has the right keys."""
    if values.keys() != keys:
        raise NormalizerError(
            f"A {what} of {method} consists of {', '.join(sorted(keys))}; given was {', '.join(values) or 'nothing'}.",
            mend="Give these values, all of them, by name.",
        )
    return {key: ops.double(value) for key, value in values.items()}
