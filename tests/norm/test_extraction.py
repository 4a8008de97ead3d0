"""The normaliser that an extraction makes of its spec."""

from __future__ import annotations

import numpy as np

from slidekit import norm
from slidekit.slide.normalizing import make_normalizer
from slidekit.slide.spec import ExtractionSpec


def make(method, seed):
    return make_normalizer(ExtractionSpec.create(tile_px=64, tile_um=32, normalizer=method, seed=seed))


def test_random_colours_go_by_the_seed_of_the_extraction(he_tile):
    tile = he_tile()

    results = [make("augment", seed).transform(tile) for seed in (0, 5, 5)]

    assert np.array_equal(results[1], results[2])
    assert not np.array_equal(results[0], results[1])
    assert np.array_equal(results[1], norm.autoselect("augment").set_augment(seed=5).transform(tile))


def test_methods_that_are_not_random_do_not_ask_for_the_seed(he_tile):
    for method in ("macenko", "vahadane"):
        assert np.array_equal(make(method, 0).transform(he_tile()), make(method, 5).transform(he_tile()))
