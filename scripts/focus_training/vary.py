"""Variation of what a scan looks like that is no blur: place, turn, stain, lamp; and the features of the result."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from slidekit.slide.qc.focus_network import CELL_PX, FEATURES, HALO_PX, edge_features
from slidekit.slide.qc.focus_tissue import tissue_cells

__all__ = ["BLOCKS", "CELLS", "IMAGE_PX", "recoloured", "varied_features"]

CELLS = 6
"""Places across an image that are judged."""

IMAGE_PX = CELLS * CELL_PX + 2 * HALO_PX

BLOCKS = 4 * (CELLS - 1) + 15
"""Blocks across that these places see."""

_FIRST_BLOCK = 2
"""The image's margin only feeds the differences between pixels."""


def varied_features(
    image: npt.NDArray[np.uint8], rng: np.random.Generator
) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.bool_]]:
    """Take a part of an image, turn and recolour it.

    Parameters
    ----------
    image
        (size, size, 3), uint8, RGB; `IMAGE_PX` or larger.

    Returns
    -------
    (11, 35, 35) float16, (6, 6) bool
        The part's features, and which of its places hold tissue.
    """
    x, y = rng.integers(0, image.shape[0] - IMAGE_PX + 1, 2)
    part = np.rot90(image[y : y + IMAGE_PX, x : x + IMAGE_PX], int(rng.integers(4)))
    part = recoloured(part[:, :: int(rng.choice((-1, 1)))], rng)
    inner = slice(_FIRST_BLOCK, _FIRST_BLOCK + BLOCKS)
    features = edge_features(part)[:, inner, inner]
    assert features.shape == (FEATURES, BLOCKS, BLOCKS)
    return features.astype(np.float16), tissue_cells(part[HALO_PX:-HALO_PX, HALO_PX:-HALO_PX])


def recoloured(image: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Another stain and another lamp: gamma, stain strength, mixed channels, brightness. Edges stay as wide."""
    density = -np.log((image.astype(np.float32) + 1) / 256)
    mixing = np.eye(3, dtype=np.float32) + rng.uniform(-0.12, 0.12, (3, 3)).astype(np.float32)
    density = density @ mixing * np.float32(np.exp(rng.uniform(-0.9, 0.4)))
    light = np.exp(-density).clip(0, 1) ** np.float32(np.exp(rng.uniform(-0.25, 0.25)))
    return np.clip(np.rint(255 * light * rng.uniform(0.9, 1.0)), 0, 255).astype(np.uint8)
