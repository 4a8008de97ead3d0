"""What is drawn from a patch's seed."""

from __future__ import annotations

import numpy as np
import pytest

from slidekit.augment import draw
from slidekit.augment.patches.draws import draw_patch
from slidekit.errors import SpecError


@pytest.fixture(scope="module")
def many():
    return [draw_patch(seed, 6) for seed in range(1500)]


def test_draws_are_distributed_as_they_should_be(many):
    from scipy.stats import kstest

    for name in ("chosen", "flip_x", "flip_y", "turn"):
        assert kstest([getattr(one, name) for one in many], "uniform").pvalue > 0.001
    for name in ("hue", "lightness"):
        assert kstest([getattr(one, name) for one in many], "norm").pvalue > 0.001
    assert kstest(np.concatenate([one.grid.reshape(-1) for one in many[:100]]), "norm").pvalue > 0.001


def test_draws_do_not_depend_on_each_other(many):
    columns = [(o.chosen, o.flip_x, o.flip_y, o.turn, o.hue, o.lightness, *o.grid[0, 0], *o.grid[0, 1]) for o in many]
    correlations = np.corrcoef(np.array(columns).T) - np.eye(10)
    assert np.abs(correlations).max() < 5 / np.sqrt(len(many))


def test_the_grid_does_not_change_the_other_draws():
    small, large = draw_patch(11, 1), draw_patch(11, 6)
    for name in ("chosen", "flip_x", "flip_y", "turn", "hue", "lightness"):
        assert getattr(small, name) == getattr(large, name)


def test_letters_draw_otherwise_from_the_same_seeds(many):
    # A patch that is flipped here must not be flipped back, or twice, by the letters of a loader.
    letters = draw("x", np.arange(len(many)))[:, 0]
    both = np.mean(letters == [one.flip_x < 0.5 for one in many])
    assert 0.45 < both < 0.55


def test_any_integer_is_a_seed():
    assert draw_patch(np.int64(-1), 2).hue == draw_patch(2**64 - 1, 2).hue
    assert draw_patch(0, 2).hue != draw_patch(2**63, 2).hue
    with pytest.raises(SpecError, match="one integer a patch"):
        draw_patch(1.5, 2)
