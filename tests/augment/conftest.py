"""Images to augment."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="session")
def tiles():
    """Twelve smooth images with colours, (12, 40, 40, 3)."""
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(5).normal(0, 1, (12, 40, 40, 3))
    smooth = gaussian_filter(noise, (0, 2, 2, 0))
    return np.clip(150 + 250 * smooth, 0, 255).astype(np.uint8)
