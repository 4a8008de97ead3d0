"""Tiles with known stains."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

# The contract of the frameworks is imported from here.
sys.path.insert(0, str(Path(__file__).parent))

Tile = NDArray[np.uint8]

# Optical density of haematoxylin and eosin in R, G, B (Ruifrok and Johnston 2001), columns of length 1.
STAINS = np.array([[0.65, 0.07], [0.70, 0.99], [0.29, 0.11]])
STAINS = STAINS / np.linalg.norm(STAINS, axis=0)


@pytest.fixture(scope="session")
def he_tile() -> Callable[..., Tile]:
    def make(seed: int = 0, size: int = 96, strength: tuple[float, float] = (0.5, 0.4)) -> Tile:
        """Draw pixels with random amounts of both stains, a tenth of them glass, under some noise."""
        generator = np.random.default_rng(seed)
        amounts = generator.gamma(2.0, strength, (size, size, 2))
        amounts[generator.random((size, size)) < 0.1] = 0
        intensity = 245 * np.exp(-amounts @ STAINS.T) + generator.normal(0, 2, (size, size, 3))
        return np.clip(np.round(intensity), 0, 255).astype(np.uint8)

    return make
