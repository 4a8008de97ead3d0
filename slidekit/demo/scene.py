"""What lies on a synthetic slide, in microns: fragments, tumour glands, stroma fibres, vessels, nuclei.

Nothing here knows of pixels; `slidekit.demo.tissue` draws a scene at any µm/px.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["FragmentPlan", "Nuclei", "Scene"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FragmentPlan:
    """A piece of tissue to lay out.

    Attributes
    ----------
    center, radii
        (x, y) as shares of the slide's width and height.
    tumor_angle
        Direction (radians, y down) from the fragment's centre to its tumour; None: no tumour.
    """

    center: tuple[float, float]
    radii: tuple[float, float]
    tumor_angle: float | None = None


@dataclass(frozen=True)
class Nuclei:
    """Nuclei of one kind.

    Attributes
    ----------
    outlines
        Shape (n, k, 2), µm.
    tones
        Amount of hematoxylin, shape (n,), in optical density.
    vesicular
        Pale inside with a nucleolus, as tumour nuclei are.
    """

    outlines: Floats
    tones: Floats
    vesicular: bool = False


@dataclass
class Scene:
    """What lies on a slide; all outlines are arrays of shape (n, 2), (x, y) in µm from the top-left corner.

    Attributes
    ----------
    width_um, height_um
        Size of the slide.
    seed
        Fixes the textures that are made while drawing.
    fragments
        Outlines of the pieces of tissue.
    tumors, stromas
        Outlines of the regions that a pathologist would mark; they do not overlap.
    fibres
        Collagen fibres as polylines, shape (n, k, 2).
    glands
        Pairs of outer outline and lumen (None: a solid nest).
    vessels
        Pairs of outer outline and lumen.
    red_cells, clefts
        Outlines of red blood cells, shape (n, k, 2), and of tears in the stroma.
    nuclei
        All nuclei, one item a kind.
    """

    width_um: float
    height_um: float
    seed: int
    fragments: list[Floats] = field(default_factory=list)
    tumors: list[Floats] = field(default_factory=list)
    stromas: list[Floats] = field(default_factory=list)
    fibres: list[Floats] = field(default_factory=list)
    glands: list[tuple[Floats, Floats | None]] = field(default_factory=list)
    vessels: list[tuple[Floats, Floats]] = field(default_factory=list)
    red_cells: list[Floats] = field(default_factory=list)
    clefts: list[Floats] = field(default_factory=list)
    nuclei: list[Nuclei] = field(default_factory=list)
