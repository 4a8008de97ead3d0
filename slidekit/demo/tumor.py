"""Tumour: glands packed close with palisades of nuclei, and the lymphocytes that gather around it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from slidekit.demo.scene import Nuclei, Scene
from slidekit.demo.shapes import SmoothField, blob, inside, scatter, star_shapes
from slidekit.demo.stroma import add_spindles

__all__ = ["add_lymphocytes", "add_tumor"]

Floats = NDArray[np.float64]

_EPITHELIUM_UM = 24.0
"""Height of the epithelium of small glands; large ones are stratified."""


def add_tumor(scene: Scene, rng: np.random.Generator, flow: SmoothField, tumor: Floats) -> None:
    """Glands packed close, palisades of nuclei in them, cellular stroma between."""
    centers, radii = _pack(rng, tumor)
    if not len(centers):
        return
    spots: list[Floats] = []
    angles: list[Floats] = []
    for center, radius in zip(centers, radii, strict=True):
        outer = blob(rng, tuple(center), (radius * 1.04, radius * 0.96), 0.16, 96)
        room = (radius - max(_EPITHELIUM_UM, 0.6 * radius)) / radius
        lumen = None
        if room * radius > 7:
            folds = 1 + 0.08 * SmoothField.random(rng, 42.0).at(outer)
            lumen = center + (outer - center) * room * folds[:, None]
        scene.glands.append((outer, lumen))
        placed, directions = _palisade(rng, center, outer, radius * (1 - room) if lumen is not None else radius)
        free = ~inside(lumen, placed, -3) if lumen is not None else np.ones(len(placed), dtype=bool)
        spots.append(placed[free])
        angles.append(directions[free])
    spots_all, angles_all = np.concatenate(spots), np.concatenate(angles)
    count = len(spots_all)
    long_um, short_um = rng.normal(8.6, 0.9, count), rng.normal(6.2, 0.6, count)
    outlines = star_shapes(rng, spots_all, long_um, short_um, angles_all + rng.normal(0, 0.25, count))
    scene.nuclei.append(Nuclei(outlines, rng.normal(1.0, 0.13, count).clip(0.6, 1.4), vesicular=True))
    between = scatter(rng, tumor, 2600)
    add_spindles(scene, rng, flow, _outside_all(between, [outer for outer, _ in scene.glands]))


def _pack(rng: np.random.Generator, tumor: Floats) -> tuple[Floats, Floats]:
    """Circles of falling size thrown into the tumour where they touch no other: centres and radii."""
    circles = np.zeros((0, 3))
    for radius in (58.0, 47.0, 39.0, 32.0, 26.0, 21.0):
        throws = scatter(rng, tumor, 6e6 / radius**2)
        throws = rng.permutation(throws[inside(tumor, throws, 0.8 * radius)])
        for throw in throws:
            size = radius * rng.uniform(0.9, 1.1)
            if np.all(np.hypot(*(circles[:, :2] - throw).T) > circles[:, 2] + size + 1.5):
                circles = np.concatenate([circles, [[*throw, size]]])
    return circles[:, :2], circles[:, 2]


def _palisade(rng: np.random.Generator, center: Floats, outer: Floats, depth_um: float) -> tuple[Floats, Floats]:
    """Nuclei in rows along a gland's border, standing upright on it: places and directions."""
    steps = np.roll(outer, -1, axis=0) - outer
    lengths = np.hypot(*steps.T)
    walked = np.concatenate([[0.0], np.cumsum(lengths)])
    places, directions = [], []
    for row, row_depth in enumerate(np.arange(6.5, max(depth_um - 4, 7), 8.5)):
        share = 0.97 if row == 0 or depth_um > _EPITHELIUM_UM + 1 else 0.6
        inward = 1 - row_depth / np.hypot(*(outer - center).T).mean()
        count = int(walked[-1] * max(inward, 0) / 7.2)
        along = (np.arange(count) + rng.uniform(-0.3, 0.3, count))[rng.random(count) < share]
        along = (along + 0.5 * (row % 2)) / max(count, 1) * walked[-1] % walked[-1]
        index = np.searchsorted(walked, along, side="right") - 1
        border = outer[index] + steps[index] * ((along - walked[index]) / lengths[index])[:, None]
        ray = center - border
        distance = np.hypot(*ray.T)[:, None]
        depth = row_depth + rng.normal(0, 1.3, (len(along), 1))
        places.append(border + ray / distance * depth)
        directions.append(np.arctan2(ray[:, 1], ray[:, 0]))
    return np.concatenate(places), np.concatenate(directions)


def add_lymphocytes(scene: Scene, rng: np.random.Generator, fragment: Floats, tumor: Floats) -> None:
    """Crowds of small dark round nuclei at the tumour's margin."""
    margin = tumor[rng.integers(0, len(tumor), 7)] + rng.normal(0, 12, (7, 2))
    crowds = []
    for place in margin:
        spread = rng.uniform(25, 60)
        crowd = scatter(rng, blob(rng, tuple(place), (2 * spread, 2 * spread), 0.2, 96), 12_000)
        near = np.exp(-((crowd - place) ** 2).sum(1) / (2 * spread**2))
        crowds.append(crowd[rng.random(len(crowd)) < near])
    places = np.concatenate(crowds)
    places = places[inside(fragment, places, 6)]
    places = _outside_all(places, [outer for outer, _ in scene.glands])
    sizes = rng.normal(6.2, 0.4, len(places))
    outlines = star_shapes(rng, places, sizes, sizes * 0.94, rng.uniform(0, np.pi, len(places)))
    scene.nuclei.append(Nuclei(outlines, rng.normal(1.15, 0.08, len(places)).clip(0.9, 1.4)))


def _outside_all(points: Floats, outlines: Sequence[Floats]) -> Floats:
    """Points that lie in none of the outlines."""
    import shapely

    if not outlines:
        return points
    areas = shapely.buffer(shapely.polygons(list(outlines)), 1.5)
    tree = shapely.STRtree(areas)
    taken = tree.query(shapely.points(points), predicate="within")[0]
    keep = np.ones(len(points), dtype=bool)
    keep[taken] = False
    return points[keep]
