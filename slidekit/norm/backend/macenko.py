"""Macenko's method for many tiles at once, in any framework; `slidekit.norm.macenko` is the same for one in numpy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from slidekit.norm import bounds
from slidekit.norm.backend.ops import Array, Ops
from slidekit.norm.backend.statistics import bright_levels, percentile_99, stretch_tables

__all__ = ["measure", "normalize"]


class _Stains(NamedTuple):
    """The two stains of each tile, haematoxylin first, and where they are not defined, any numbers."""

    matrix: Array
    """float64 (n, 3, 2): optical density in R, G, B of one unit of each stain."""
    unmix: Array
    """float64 (n, 2, 3): concentrations from optical density."""
    peaks: Array
    """float64 (n, 2): 99th percentile of each concentration, or what was given for it."""
    defined: Array
    """bool (n,)."""


class _Plane(NamedTuple):
    """The plane of the two leading principal components of each tile's stained pixels."""

    basis: Array
    """float64 (n, 2, 3), orthonormal; the first axis is the mean density's direction in the plane."""
    defined: Array
    """bool (n,)."""


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
        `stain_matrix_target` (n, 3, 2) and `target_concentrations` (n, 2), float64; bool (n,).
    """
    density, lit = _densities(ops, pixels, fast=fast)
    found = _find_stains(ops, density, None)
    return {"stain_matrix_target": found.matrix, "target_concentrations": found.peaks}, found.defined & lit


def normalize(
    ops: Ops, pixels: Array, fit: Mapping[str, Array], context: Mapping[str, Array] | None, *, fast: bool
) -> tuple[Array, Array]:
    """Give each tile the stains of a fit.

    Parameters
    ----------
    ops
        The framework.
    pixels
        uint8 (n, 3, p), R, G, B.
    fit
        `stain_matrix_target` (3, 2) or (n, 3, 2), `target_concentrations` (2,) or (n, 2), float64.
    context
        `concentrations` (2,) or (n, 2), float64, to take for the tiles' own 99th percentiles.
    fast
        Without the brightness step.

    Returns
    -------
    images, defined : tensor
        uint8 (n, 3, p), of any colour where a tile's stains are not defined; bool (n,), where they are.
    """
    density, lit = _densities(ops, pixels, fast=fast)
    found = _find_stains(ops, density, None if context is None else context["concentrations"])
    gain = fit["target_concentrations"] / found.peaks
    # Unmixing, scaling and mixing are one matrix; the minus sign of the exponent is in it too.
    recolour = ops.matmul(-fit["stain_matrix_target"] * gain[:, None, :], found.unmix)
    exponents = ops.matmul(ops.single(recolour), density)
    return ops.to_pixels(ops.decay(exponents)), found.defined & lit


def _densities(ops: Ops, pixels: Array, *, fast: bool) -> tuple[Array, Array]:
    """Optical density, float32 (n, 3, p), and bool (n,), False for a black tile."""
    entries = ops.entries(pixels)
    levels, lit = bright_levels(ops, entries)
    if fast:
        levels = ops.maximum(levels, 255.0)
    tables = -ops.log((stretch_tables(ops, levels) + 1) / 255)
    return ops.lookup(ops.single(tables), entries), lit


def _find_stains(ops: Ops, density: Array, peaks: Array | None) -> _Stains:
    """Stains of each tile as `slidekit.norm.stains.find_stains` finds them, with its conditions."""
    stained = ops.least(density, 1) >= bounds.MIN_DENSITY
    counts = ops.count(stained, 1)
    weights = ops.single(stained)
    total = ops.double(ops.size(density, 2))
    plane = _principal_plane(ops, density, weights, counts)
    defined = plane.defined & (counts >= bounds.MIN_STAINED_PIXELS) & (counts >= bounds.MIN_STAINED_SHARE * total)

    coordinates = ops.matmul(ops.single(plane.basis), density)
    first, last = _angle_percentiles(ops, coordinates, weights, counts)
    defined = defined & (ops.sin(last - first) >= math.sin(bounds.MIN_ANGLE))
    red = [plane.basis[:, 0, 0] * ops.cos(angle) + plane.basis[:, 1, 0] * ops.sin(angle) for angle in (first, last)]
    # Haematoxylin is the stain that absorbs more red.
    swap = red[1] - red[0] > bounds.SAME_RED
    blue, pink = ops.where(swap, last, first), ops.where(swap, first, last)
    in_plane = ops.stack([ops.stack([ops.cos(angle), ops.sin(angle)], 1) for angle in (blue, pink)], 2)
    # The columns of in_plane have length 1, so that its determinant is the sine of the angle between them.
    determinant = ops.where(defined, ops.sin(pink - blue), ops.double(1.0))
    rows = ([ops.sin(pink), -ops.cos(pink)], [-ops.sin(blue), ops.cos(blue)])
    inverse = ops.stack([ops.stack(row, 1) / determinant[:, None] for row in rows], 1)

    if peaks is None:
        amounts = ops.matmul(ops.single(inverse), coordinates)
        peaks = ops.stack([percentile_99(ops, amounts[:, stain], counts * 0 + total) for stain in (0, 1)], 1)
        defined = defined & (ops.least(peaks, 1) >= bounds.MIN_PEAK)
    matrix = ops.matmul(ops.transpose(plane.basis), in_plane)
    return _Stains(matrix, ops.matmul(inverse, plane.basis), peaks + 0 * counts[:, None], defined)


def _principal_plane(ops: Ops, density: Array, weights: Array, counts: Array) -> _Plane:
    """Plane of each tile, by the stained pixels: `weights` (n, p) of 1, the rest 0, and their `counts` (n,)."""
    # In float64: what is left of the least variance after rounding decides whether there is a plane.
    sums, products = ops.moments(density, weights)
    shares = 1 / ops.maximum(counts, 1.0)
    mean = sums * shares[:, None]
    variances, directions = ops.eigh(products * shares[:, None, None] - mean[:, :, None] * mean[:, None, :])
    defined = (variances[:, 1] >= bounds.MIN_SECOND_VARIANCE) & (
        variances[:, 1] - variances[:, 0] >= bounds.MIN_GAP * variances[:, 2]
    )
    normal = directions[:, :, 0]
    upward = ops.most(normal, 1) >= -ops.least(normal, 1)
    normal = ops.where(upward[:, None], normal, -normal)
    along = mean - ops.sum(mean * normal, 1)[:, None] * normal
    length = ops.sqrt(ops.sum(along * along, 1))
    along = along / ops.maximum(length, bounds.MIN_LENGTH)[:, None]
    nx, ny, nz = (normal[:, axis] for axis in range(3))
    ax, ay, az = (along[:, axis] for axis in range(3))
    across = ops.stack([ny * az - nz * ay, nz * ax - nx * az, nx * ay - ny * ax], 1)
    return _Plane(ops.stack([along, across], 1), defined & (length >= bounds.MIN_LENGTH))


def _angle_percentiles(ops: Ops, coordinates: Array, weights: Array, counts: Array) -> tuple[Array, Array]:
    """1st and 99th percentile, float64 (n,) each, of the angles of the stained pixels, in radians."""
    angles = ops.arctan2(coordinates[:, 1], coordinates[:, 0])
    # A sum takes a fraction of the time of a choice: 0 for stained pixels, far below all angles for the others.
    left_out = (weights - 1) * 100
    return -percentile_99(ops, left_out - angles, counts), percentile_99(ops, left_out + angles, counts)
