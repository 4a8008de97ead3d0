"""Seeded shapes in microns: smooth fields, irregular outlines, scattered points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["SmoothField", "blob", "inside", "scatter", "star_shapes"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SmoothField:
    """A smooth random function of the place on the slide: a sum of plane waves.

    Being a formula in microns it has the same value at a place whatever the µm/px it is drawn at, and on a
    regular grid it is a product of two small matrices.

    Attributes
    ----------
    waves
        Wave vectors, shape (n, 2), radians per µm.
    phases
        Shape (n,), radians.
    """

    waves: Floats
    phases: Floats

    @classmethod
    def random(cls, rng: np.random.Generator, wavelength_um: float, count: int = 9) -> SmoothField:
        """Field whose waves are `wavelength_um` long, give or take a half, in all directions."""
        lengths = wavelength_um * rng.uniform(0.6, 1.8, count)
        angles = rng.uniform(0, 2 * np.pi, count)
        waves = (2 * np.pi / lengths)[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        return cls(waves, rng.uniform(0, 2 * np.pi, count))

    def at(self, points: Floats) -> Floats:
        """Values, about N(0, 1), at points of shape (..., 2) in µm."""
        scale = np.sqrt(2 / len(self.phases))
        return np.asarray(np.cos(points @ self.waves.T + self.phases).sum(-1) * scale)

    def on_grid(self, width: int, height: int, mpp_x: float, mpp_y: float) -> NDArray[np.float32]:
        """Values at pixel centres, shape (height, width), by cos(a + b) = cos a cos b − sin a sin b."""
        a = np.outer(self.waves[:, 0], (np.arange(width) + 0.5) * mpp_x)
        b = np.outer((np.arange(height) + 0.5) * mpp_y, self.waves[:, 1]) + self.phases
        left = np.concatenate([np.cos(b), -np.sin(b)], axis=1).astype(np.float32)
        right = np.concatenate([np.cos(a), np.sin(a)], axis=0).astype(np.float32)
        return np.asarray(left @ right * np.float32(np.sqrt(2 / len(self.phases))))


def blob(
    rng: np.random.Generator,
    center: tuple[float, float],
    radii: tuple[float, float],
    roughness: float,
    points: int = 720,
) -> Floats:
    """Outline of an irregular ellipse, star-shaped about its centre.

    Parameters
    ----------
    rng
        Where chance comes from.
    center, radii
        µm, (x, y).
    roughness
        Amplitude of the outline's harmonics, as a share of the radius; they fall off as 1 / order.
    points
        Number of vertices.

    Returns
    -------
    ndarray
        Vertices in µm, shape (points, 2).
    """
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    orders = np.arange(2, points // 6)
    amplitudes = roughness * rng.normal(size=len(orders)) / orders**1.25
    wobble = np.cos(np.outer(angle, orders) + rng.uniform(0, 2 * np.pi, len(orders))) @ amplitudes
    radius = np.clip(1 + wobble, 0.5, 1.5)
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.asarray(np.asarray(center) + unit * radius[:, None] * np.asarray(radii))


def star_shapes(rng: np.random.Generator, centers: Floats, long_um: Floats, short_um: Floats, angles: Floats) -> Floats:
    """Outlines of many small ellipses with a slight irregularity.

    Parameters
    ----------
    rng
        Where chance comes from.
    centers
        Shape (n, 2), µm.
    long_um, short_um
        Diameters, shape (n,), µm.
    angles
        Direction of the long axis, shape (n,), radians.

    Returns
    -------
    ndarray
        Vertices in µm, shape (n, 18, 2).
    """
    turn = np.linspace(0, 2 * np.pi, 18, endpoint=False)
    count = len(centers)
    wobble = np.ones((count, len(turn)))
    for order, amplitude in ((2, 0.05), (3, 0.06), (4, 0.03)):
        phase = rng.uniform(0, 2 * np.pi, (count, 1))
        wobble += amplitude * rng.normal(size=(count, 1)) * np.cos(order * turn + phase)
    along = wobble * np.cos(turn) * long_um[:, None] / 2
    across = wobble * np.sin(turn) * short_um[:, None] / 2
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    offsets = np.stack([along * cos - across * sin, along * sin + across * cos], axis=-1)
    return np.asarray(centers[:, None] + offsets)


def scatter(rng: np.random.Generator, outline: Floats, per_mm2: float) -> Floats:
    """Points spread evenly with jitter over an outline's inside, shape (n, 2), µm.

    They stand on a jittered grid, so that they seldom touch where a Poisson process would.
    """
    step = 1000 / np.sqrt(per_mm2)
    low, high = outline.min(0), outline.max(0)
    xs, ys = np.arange(low[0], high[0], step), np.arange(low[1], high[1], step)
    grid = np.stack(np.meshgrid(xs, ys), axis=-1)
    grid[1::2, :, 0] += step / 2
    points = grid.reshape(-1, 2) + rng.uniform(-0.38, 0.38, (grid.size // 2, 2)) * step
    return np.asarray(points[inside(outline, points)])


def inside(outline: Floats, points: Floats, margin_um: float = 0.0) -> NDArray[np.bool_]:
    """Which points lie in an outline, at least `margin_um` from its border (negative: or so far outside)."""
    import shapely

    area = shapely.make_valid(shapely.Polygon(outline))
    if margin_um:
        area = area.buffer(-margin_um)
    shapely.prepare(area)
    return np.asarray(shapely.contains_xy(area, points[:, 0], points[:, 1]))
