"""Connective tissue: wavy collagen with sparse spindle cells, tears and vessels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from slidekit.demo.scene import Nuclei, Scene
from slidekit.demo.shapes import SmoothField, blob, inside, scatter, star_shapes

__all__ = ["add_spindles", "add_stroma"]

Floats = NDArray[np.float64]


def add_stroma(
    scene: Scene, rng: np.random.Generator, flow: SmoothField, fragment: Floats, tumor: Floats | None
) -> None:
    """Wavy collagen, sparse spindle nuclei, tears and vessels in what is not tumour."""
    starts = scatter(rng, fragment, 11_000)
    scene.fibres.append(_follow(rng, flow, starts, length_um=85.0, points=9))
    cells = scatter(rng, fragment, 620)
    cells = cells[inside(fragment, cells, 7)]
    tears = scatter(rng, fragment, 75)
    vessels = scatter(rng, fragment, 5)
    vessels = vessels[inside(fragment, vessels, 70)]
    if tumor is not None:
        cells = cells[~inside(tumor, cells)]
        tears = tears[~inside(tumor, tears, -70)]
        vessels = vessels[~inside(tumor, vessels, -75)]
    add_spindles(scene, rng, flow, cells)
    for place in tears:
        line = _follow(rng, flow, place[None], length_um=float(rng.uniform(40, 170)), points=13)[0]
        breadth = np.sin(np.linspace(0, np.pi, len(line)))[:, None] * rng.gamma(3.0, 1.1)
        normal = np.gradient(line, axis=0)[:, ::-1] * [1, -1]
        normal /= np.hypot(*normal.T)[:, None]
        scene.clefts.append(np.concatenate([line + normal * breadth, (line - normal * breadth)[::-1]]))
    for place in vessels:
        _add_vessel(scene, rng, place)


def add_spindles(scene: Scene, rng: np.random.Generator, flow: SmoothField, places: Floats) -> None:
    """Fibroblasts along the fibres, and now and then a small round cell."""
    count = len(places)
    round_cells = rng.random(count) < 0.22
    long_um = np.where(round_cells, rng.normal(6.6, 0.4, count), rng.normal(13.0, 2.2, count).clip(8, 20))
    short_um = np.where(round_cells, rng.normal(6.2, 0.4, count), rng.normal(3.4, 0.5, count).clip(2.2, 5))
    outlines = star_shapes(rng, places, long_um, short_um, _direction(flow, places) + rng.normal(0, 0.15, count))
    tones = np.where(round_cells, rng.normal(1.05, 0.1, count), rng.normal(0.72, 0.1, count))
    scene.nuclei.append(Nuclei(outlines, tones.clip(0.4, 1.3)))


def _add_vessel(scene: Scene, rng: np.random.Generator, place: Floats) -> None:
    radius = float(rng.uniform(28, 55))
    outer = blob(rng, tuple(place), (radius * rng.uniform(0.9, 1.25), radius), 0.06, 96)
    lumen = place + (outer - place) * (1 - rng.uniform(9, 14) / radius)
    scene.vessels.append((outer, lumen))
    cells = scatter(rng, lumen, 13_000)
    cells = cells[inside(lumen, cells, 3.5) & (rng.random(len(cells)) < 0.75)]
    sizes = rng.normal(6.6, 0.4, len(cells))
    scene.red_cells.append(star_shapes(rng, cells, sizes, sizes * 0.92, np.zeros(len(cells))))
    ring = place + (outer - place) * (1 - 5 / radius)
    ring = ring[:: int(rng.integers(7, 11))]
    tangent = np.arctan2(*(ring - place).T) * -1
    long_um, short_um = rng.normal(11, 1.5, len(ring)), rng.normal(3.0, 0.4, len(ring))
    outlines = star_shapes(rng, ring, long_um, short_um, tangent)
    scene.nuclei.append(Nuclei(outlines, rng.normal(0.8, 0.1, len(ring)).clip(0.5, 1.2)))


def _direction(flow: SmoothField, points: Floats) -> Floats:
    """Direction of the fibres at points, radians."""
    return 0.5 + 0.95 * flow.at(points)


def _follow(rng: np.random.Generator, flow: SmoothField, starts: Floats, *, length_um: float, points: int) -> Floats:
    """Lines that follow the fibres' direction with a wave of their own, shape (n, points, 2)."""
    step = length_um / (points - 1)
    phase = rng.uniform(0, 2 * np.pi, len(starts))
    sway = rng.normal(0, 0.12, len(starts))
    line = [starts]
    for number in range(points - 1):
        angle = _direction(flow, line[-1]) + sway + 0.28 * np.sin(phase + number * step / 9.0)
        line.append(line[-1] + step * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    return np.stack(line, axis=1)
