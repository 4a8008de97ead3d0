"""A slide whose cells are known."""

from __future__ import annotations

import numpy as np
import pytest

from tests.cells.drawn_slides import ArraySlide, colour, draw_labels


@pytest.fixture
def drawn() -> tuple[ArraySlide, np.ndarray]:
    """A slide of 150 × 110 px with 40 cells, and its truth."""
    rng = np.random.default_rng(3)
    cells = [
        (rng.uniform(0, 150), rng.uniform(0, 110), rng.uniform(2, 6), rng.uniform(2, 6), rng.uniform(0, 3))
        for _ in range(40)
    ]
    truth = draw_labels((110, 150), cells)
    return ArraySlide(colour(truth)), truth
