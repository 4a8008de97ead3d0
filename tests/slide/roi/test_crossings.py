"""Outlines that are noise are told from outlines that are large."""

from __future__ import annotations

import numpy as np
import pytest

from slidekit.slide.roi.crossings import is_noise


def ring(count, wobble=0.0):
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    radius = 1000 + wobble * np.cos(angle * count / 3)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


def scribble(count):
    return np.random.default_rng(2).uniform(0, 1000, (count, 2))


@pytest.mark.parametrize("count", [10, 1000, 100_000])
@pytest.mark.parametrize("wobble", [0.0, 30.0])
def test_large_outlines_are_no_noise(count, wobble):
    assert not is_noise([ring(count, wobble)], valid=False)
    assert not is_noise([ring(count, wobble), ring(count) / 2])


def test_a_few_crossings_among_many_vertices_are_no_noise():
    outline = ring(60_000)
    outline[[100, 200]] = outline[[200, 100]]

    assert not is_noise([outline], valid=False)


@pytest.mark.parametrize("count", [2000, 60_000])
def test_scribbles_are_noise_where_they_are_not_known_to_be_valid(count):
    assert is_noise([scribble(count)], valid=False)
    assert is_noise([scribble(count)]) == (count > 50_000)
    assert not is_noise([scribble(count)], valid=True)


def test_rings_that_cross_each_other_count():
    combs = [np.column_stack([np.arange(2000) % 2 * 1000, np.arange(2000)]) for _ in range(2)]

    assert is_noise([combs[0], combs[1][:, ::-1] + 0.5], valid=False)
