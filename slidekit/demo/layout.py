"""Lay out a synthetic slide: where its pieces of tissue lie, and which regions they have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from slidekit.demo.scene import FragmentPlan, Scene
from slidekit.demo.shapes import SmoothField, blob
from slidekit.demo.stroma import add_stroma
from slidekit.demo.tumor import add_lymphocytes, add_tumor

__all__ = ["lay_out"]

Floats = NDArray[np.float64]

_HALF_PLANE = ((1, 0), (1, 1), (-1, 1), (-1, 0))
"""Corners of a large rectangle on one side of a line: (along the line, away from it)."""


def lay_out(width_um: float, height_um: float, plans: Sequence[FragmentPlan], *, seed: int) -> Scene:
    """Place everything that a slide shows.

    Parameters
    ----------
    width_um, height_um
        Size of the slide, µm.
    plans
        The pieces of tissue.
    seed
        The same seed gives the same scene.

    Returns
    -------
    Scene
    """
    rng = np.random.default_rng(seed)
    flow = SmoothField.random(rng, 700.0)
    scene = Scene(width_um, height_um, seed)
    size = np.array([width_um, height_um])
    for plan in plans:
        center, radii = np.asarray(plan.center) * size, np.asarray(plan.radii) * size
        fragment = blob(rng, tuple(center), tuple(radii), 0.16)
        scene.fragments.append(fragment)
        tumor = None
        toward = np.array([np.cos(plan.tumor_angle or 0), np.sin(plan.tumor_angle or 0)])
        if plan.tumor_angle is not None:
            outline = blob(rng, tuple(center + 0.38 * radii * toward), tuple(0.6 * radii), 0.16)
            tumor = _common(outline, fragment)
        if tumor is not None:
            scene.tumors.append(tumor)
            add_tumor(scene, rng, flow, tumor)
            add_lymphocytes(scene, rng, fragment, tumor)
            stroma = _opposite(fragment, tumor, toward)
            scene.stromas += [] if stroma is None else [stroma]
        add_stroma(scene, rng, flow, fragment, tumor)
    return scene


def _common(outline: Floats, fragment: Floats) -> Floats | None:
    """Cut an outline to the fragment, some microns from its border."""
    import shapely

    tissue = shapely.make_valid(shapely.Polygon(fragment)).buffer(-12)
    return _largest_ring(shapely.make_valid(shapely.Polygon(outline)) & tissue)


def _opposite(fragment: Floats, tumor: Floats, toward: Floats) -> Floats | None:
    """Outline the fragment's far side from its tumour, well inside: a region without holes."""
    import shapely

    tissue = shapely.make_valid(shapely.Polygon(fragment))
    reach_um = float(np.sqrt(tissue.area))
    # Beyond the lymphocytes at the tumour's margin; in small fragments as far as there is room.
    limit = (tumor @ toward).min() - min(110.0, 0.2 * reach_um)
    across, reach = np.array([-toward[1], toward[0]]), 1e5
    corners = np.stack([limit * toward + s * reach * across - d * reach * toward for s, d in _HALF_PLANE])
    area = tissue.buffer(-min(30.0, 0.05 * reach_um)) & shapely.Polygon(corners)
    return _largest_ring(area.simplify(2.0))


def _largest_ring(area: object) -> Floats | None:
    """Outer ring of the largest polygon; None where margins have left nothing."""
    import shapely

    parts = [part for part in shapely.get_parts(area) if part.geom_type == "Polygon" and not part.is_empty]
    if not parts:
        return None
    return np.asarray(max(parts, key=lambda part: part.area).exterior.coords)[:-1]
