"""Augmentation in HSV against the standard library's `colorsys`."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit import norm
from slidekit.errors import NormalizerError
from slidekit.norm.hsv import shift_hsv


def equalised(channel):
    """Histogram equalisation of 8-bit values: the darkest that is there becomes 0, the brightest 255."""
    counts = np.bincount(np.round(channel * 255).astype(int).reshape(-1), minlength=256)
    cumulated = counts.cumsum()
    first = counts[np.flatnonzero(counts)[0]]
    table = np.round((cumulated - first) / (channel.size - first) * 255) / 255
    return table[np.round(channel * 255).astype(int)]


def oracle(image, factors, summands):
    hsv = np.apply_along_axis(lambda pixel: colorsys.rgb_to_hsv(*pixel), 2, image / 255)
    hsv[..., 1:] = np.stack([equalised(hsv[..., 1]), equalised(hsv[..., 2])], axis=2)
    scale = np.array([180, 255, 255])
    hsv = (hsv * scale * factors + summands) / scale
    hsv[..., 0] %= 1
    hsv[..., 1:] = np.clip(hsv[..., 1:], 0, 1)
    return 255 * np.apply_along_axis(lambda pixel: colorsys.hsv_to_rgb(*pixel), 2, hsv)


@given(
    seed=st.integers(0, 1000),
    factors=st.tuples(*[st.floats(0.8, 1.2)] * 3),
    summands=st.tuples(*[st.floats(-0.2, 0.2)] * 3),
)
@settings(deadline=None, max_examples=20)
def test_equals_the_formula(he_tile, seed, factors, summands):
    tile = he_tile(seed, 24)

    result = shift_hsv(tile, factors, summands)

    # Hues in steps of 2° are up to 4 levels of a channel off.
    difference = np.abs(result - oracle(tile, np.array(factors), np.array(summands)))
    assert difference.mean() < 2
    assert np.percentile(difference, 99) <= 8


def test_hues_go_round():
    """A magenta of 300° becomes one of 360°, which is red."""
    image = np.zeros((8, 8, 3), np.uint8)
    image[:, ::2] = (200, 0, 200)
    image[:, 1::2] = (255, 0, 255)

    result = shift_hsv(image, (1.2, 1, 1), (0, 0, 0))

    assert (result[:, 1::2] == (255, 0, 0)).all()


class TestSeeds:
    def test_seed_and_tile_decide(self, he_tile):
        first, second = norm.autoselect("augment"), norm.autoselect("augment")
        tile = he_tile(0)
        expected = first.transform(tile)

        first.transform(he_tile(1))

        assert np.array_equal(first.transform(tile), expected)
        assert np.array_equal(second.transform(tile), expected)
        assert not np.array_equal(second.set_augment(seed=1).transform(tile), expected)

    def test_tiles_are_shifted_differently(self, he_tile):
        """Turned, a tile is another tile with the same histogram."""
        tile, normalizer = he_tile(0), norm.autoselect("augment")

        turned = normalizer.transform(np.rot90(tile))

        assert not np.array_equal(np.rot90(turned, -1), normalizer.transform(tile))

    def test_augment_draws_at_every_call(self, he_tile):
        tile = he_tile(0)
        normalizer = norm.autoselect("augment").set_augment(seed=5)
        drawn = [normalizer.augment(tile) for _ in range(3)]

        again = norm.autoselect("augment").set_augment(seed=5)

        assert not np.array_equal(drawn[0], drawn[1])
        assert all(np.array_equal(again.augment(tile), image) for image in drawn)
        assert np.array_equal(again.augment(tile, seed=7), normalizer.augment(tile, seed=7))

    def test_transform_with_augment_draws_by_the_seed_of_the_call(self, he_tile):
        """As a loader asks for it: the same tile, other colours in every epoch."""
        tiles, normalizer = np.stack([he_tile(0), he_tile(0)]), norm.autoselect("augment")

        first, again, other = (normalizer.transform(tiles, augment=True, seed=seed) for seed in (1, 1, 2))

        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)
        assert not np.array_equal(first[0], first[1])

    def test_shifts_stay_within_a_fifth(self, he_tile):
        """The mean value of an equalised tile is about half of 255, whatever the tile: its shift can be seen."""
        normalizer = norm.autoselect("augment")
        tile = he_tile(0, 48)
        untouched = shift_hsv(tile, (1, 1, 1), (0, 0, 0)).max(axis=2).mean()

        means = [normalizer.augment(tile, seed=seed).max(axis=2).mean() / untouched for seed in range(60)]

        # Clipping at 255 takes a little of the largest factors.
        assert 0.79 <= min(means) < 0.9
        assert 1.05 < max(means) <= 1.21


def test_degenerate_tile_is_left_as_it_is():
    tile = np.full((16, 16, 3), (190, 120, 180), np.uint8)

    drawn = norm.autoselect("augment").augment(tile)

    assert np.array_equal(drawn, tile)
    assert not np.shares_memory(drawn, tile)


def test_takes_no_source(he_tile):
    with pytest.raises(NormalizerError, match="not fitted"):
        norm.autoselect("augment", he_tile(0))
    with pytest.raises(NormalizerError, match="not fitted"):
        norm.autoselect("augment", "v1")


def test_concentric_tiles_are_shifted_by_what_is_drawn_for_the_first(he_tile):
    normalizer = norm.autoselect("augment").set_augment(seed=4)
    firsts, around = (np.stack([he_tile(seed) for seed in seeds]) for seeds in ((1, 2), (3, 4)))
    draws = [normalizer.normalize(firsts[0], like=first).image for first in firsts]

    batch = normalizer.transform(around, like=firsts)

    assert np.array_equal(draws[0], normalizer.transform(firsts[0]))
    assert not np.array_equal(draws[0], draws[1])
    for k in range(2):
        assert np.array_equal(batch[k], normalizer.normalize(around[k], like=firsts[k]).image)
        assert not np.array_equal(batch[k], normalizer.transform(around[k]))


@pytest.mark.parametrize("method", ["macenko", "reinhard", "vahadane"])
def test_methods_that_draw_nothing_do_not_look_at_the_first(method, he_tile):
    normalizer = norm.autoselect(method)

    found = normalizer.normalize(he_tile(1), like=he_tile(2)).image

    assert np.array_equal(found, normalizer.transform(he_tile(1)))
    assert np.array_equal(found, normalizer.transform(he_tile(1), like=he_tile(2)))
