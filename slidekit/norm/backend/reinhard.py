"""Reinhard's colour transfer for many tiles at once, in any framework; `slidekit.norm.reinhard` is it in numpy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from slidekit.norm import bounds
from slidekit.norm.backend.ops import Array, Ops
from slidekit.norm.backend.statistics import bright_levels, stretch_tables

__all__ = ["measure", "normalize"]

# Linear light to CIE XYZ over the white point (IEC 61966-2-1, D65), with the digits that OpenCV has.
_WHITE = np.array([0.950456, 1.0, 1.088754])
_TO_XYZ = (
    np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
    / _WHITE[:, None]
)
_FROM_XYZ = np.linalg.inv(_TO_XYZ)

# CIELAB (CIE 15) is this matrix times (f(X), f(Y), f(Z)), less 16 in L*.
_TO_LAB = np.array([[0.0, 116.0, 0.0], [500.0, -500.0, 0.0], [0.0, 200.0, -200.0]])
_FROM_LAB = np.linalg.inv(_TO_LAB)
_LAB_OFFSET = np.array([-16.0, 0.0, 0.0])

# f is a cube root, and below this a line: with the constants of the CIE from before 2004, as OpenCV.
_LINE_END = 0.008856
_LINE_SLOPE = 7.787
_LINE_START = 16 / 116

# sRGB is a power of linear light, and below this a line (IEC 61966-2-1).
_GAMMA_LINE_END = 0.0031308


def measure(ops: Ops, pixels: Array, *, fast: bool) -> tuple[Mapping[str, Array], Array]:
    """Fit of each tile.

    Parameters
    ----------
    ops
        The framework.
    pixels
        uint8 (n, 3, p), R, G, B.
    fast
        Without the brightness step.

    Returns
    -------
    fit, defined : dict of tensor, tensor
        `target_means` and `target_stds`, float32 (n, 3), in CIELAB; bool (n,).
    """
    entries = ops.entries(pixels)
    tables, lit = _tables(ops, entries, fast=fast)
    means, stds, defined = _statistics(ops, _lab(ops, tables, entries))
    return {"target_means": means, "target_stds": stds}, defined & lit


def normalize(
    ops: Ops, pixels: Array, fit: Mapping[str, Array], context: Mapping[str, Array] | None, *, fast: bool, mask: bool
) -> tuple[Array, Array]:
    """Give each tile the means and standard deviations of a fit.

    Parameters
    ----------
    ops
        The framework.
    pixels
        uint8 (n, 3, p), R, G, B.
    fit
        `target_means` and `target_stds`, (3,) or (n, 3), float64, in CIELAB.
    context
        `means` and `stds`, (3,) or (n, 3), float64, to take for the tiles' own.
    fast
        Without the brightness step.
    mask
        Pixels with L* ≥ 93 keep the colour that they came with, after the brightness step if there is one.

    Returns
    -------
    images, defined : tensor
        uint8 (n, 3, p), of any colour where a tile's statistics are not defined; bool (n,), where they are.
    """
    entries = ops.entries(pixels)
    tables, defined = _tables(ops, entries, fast=fast)
    lab = _lab(ops, tables, entries)
    if context is None:
        means, stds, spread = _statistics(ops, lab)
        defined = defined & spread
    else:
        means, stds = ops.single(context["means"]), ops.single(context["stds"])
    gain = ops.double(fit["target_stds"]) / ops.double(stds)
    offset = ops.double(fit["target_means"]) - gain * ops.double(means) - ops.double(_LAB_OFFSET)
    # Scaling, moving and the way back to f(X), f(Y), f(Z) are one matrix and one vector.
    scale = ops.matmul(ops.double(_FROM_LAB), gain[..., None] * ops.double(np.eye(3)))
    curve = ops.matmul(ops.single(scale), lab)
    curve += ops.single(ops.matmul(ops.double(_FROM_LAB), offset[..., None]))
    images = _to_pixels(ops, curve)
    if mask:
        kept = pixels if fast else ops.to_pixels(ops.lookup(ops.single(tables / 255), entries))
        images = ops.where(lab[:, :1] >= bounds.GLASS_LIGHTNESS, kept, images)
    return images, defined


def _tables(ops: Ops, entries: Array, *, fast: bool) -> tuple[Array, Array]:
    """Brightness step of each tile, float64 (n, 256), the identity for `fast`; bool (n,), False for a black tile."""
    levels, lit = bright_levels(ops, entries)
    return stretch_tables(ops, ops.maximum(levels, 255.0) if fast else levels), lit


def _lab(ops: Ops, tables: Array, entries: Array) -> Array:
    """CIELAB of the tiles, float32 (n, 3, p)."""
    values = tables / 255
    decoded = ops.where(values <= 0.04045, values / 12.92, ops.power((values + 0.055) / 1.055, 2.4))
    linear = ops.lookup(ops.single(decoded), entries)
    # A curve and a line as one sum: to choose between them with `where` takes several times as long.
    above, below = ops.part(ops.matmul(ops.single(_TO_XYZ), linear), _LINE_END)
    curve = ops.power(above, 1 / 3)
    below *= _LINE_SLOPE
    curve += below
    lab = ops.matmul(ops.single(_TO_LAB), curve)
    lab += ops.single(_LAB_OFFSET)[:, None]
    return lab


def _statistics(ops: Ops, lab: Array) -> tuple[Array, Array, Array]:
    """Mean and standard deviation of each channel, float32 (n, 3); bool (n,), whether they are defined."""
    means = ops.mean(lab, 2)
    stds = ops.sqrt(ops.variance(lab, means))
    return means, stds, ops.least(stds - ops.single(bounds.MIN_STDS), 1) >= 0


def _to_pixels(ops: Ops, curve: Array) -> Array:
    """Uint8 (n, 3, p) of f(X), f(Y), f(Z), float32 (n, 3, p); what is outside of sRGB is clipped in linear light."""
    above, below = ops.part(curve, _LINE_SLOPE * _LINE_END + _LINE_START)
    light = above * above
    light *= above
    below /= _LINE_SLOPE
    light += below
    above, below = ops.part(ops.clip(ops.matmul(ops.single(_FROM_XYZ), light)), _GAMMA_LINE_END)
    encoded = ops.power(above, 1 / 2.4)
    encoded *= 1.055
    below *= 12.92
    encoded += below
    encoded -= 0.055
    return ops.to_pixels(encoded)
