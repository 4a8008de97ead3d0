"""The order of reading: slide by slide, in compact pieces."""

from __future__ import annotations

import numpy as np

from slidekit.sampling.reading.order import reading_order


def test_slides_come_one_after_another() -> None:
    rng = np.random.default_rng(0)
    slides = rng.integers(0, 5, 200).astype(np.int32)
    order = reading_order(slides, rng.uniform(-100, 50_000, (200, 2)))
    assert sorted(order.tolist()) == list(range(200))
    assert (np.diff(slides[order]) >= 0).all()


def test_runs_are_compact() -> None:
    rng = np.random.default_rng(1)
    places = rng.uniform(0, 256 * 64, (4096, 2))
    order = reading_order(np.zeros(4096, np.int32), places)
    spans = [np.ptp(places[run], axis=0) for run in np.split(order, 64)]
    # A 64th of a square is a square of an eighth of its side; bands would be as wide as all of it.
    assert np.median([span.max() for span in spans]) <= 256 * 64 / 4 * 1.05


def test_cells_are_by_their_bits() -> None:
    places = np.array([(300.0, 300.0), (10.0, 300.0), (300.0, 10.0), (10.0, 10.0)])
    assert reading_order(np.zeros(4, np.int32), places).tolist() == [3, 2, 1, 0]
