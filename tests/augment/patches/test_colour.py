"""Shifts of colours against scikit-image's conversions in float64."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import color

from slidekit.augment.patches.colour import shift_colours


@pytest.fixture(scope="module")
def any_colours():
    """All of RGB in steps of 15, and pale ones as of tissue, (92, 96, 3)."""
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    pale = np.random.default_rng(3).integers(120, 256, (3000, 3)).astype(np.uint8)
    # Wide: OpenCV works on the last few pixels of a row by other instructions than on the others.
    return np.concatenate([cube, pale]).reshape(92, 96, 3)


def in_float64(image, hue, gamma):
    hsv = color.rgb2hsv(image / 255)
    hsv[..., 0] = (hsv[..., 0] + hue) % 1
    lab = color.rgb2lab(color.hsv2rgb(hsv))
    lab[..., 0] = 100 * (lab[..., 0] / 100) ** gamma
    # Colours that sRGB does not have are clipped.
    with np.errstate(all="ignore"):
        return 255 * np.clip(color.lab2rgb(lab), 0, 1)


@pytest.mark.filterwarnings("ignore:.*negative Z values.*:UserWarning")
@pytest.mark.parametrize(
    ("hue", "gamma"), [(0.025, 1), (-0.025, 1), (0, 1.015), (0, 0.985), (-0.07, 1.045), (0.4, 0.8), (-0.5, 1.3)]
)
def test_colours_are_those_of_the_formulas(any_colours, hue, gamma):
    apart = np.abs(shift_colours(any_colours, hue, gamma) - in_float64(any_colours, hue, gamma))
    assert apart.mean() < 0.5
    assert apart.max() < 3


def test_a_turn_of_the_hue_leaves_grey_alone():
    grey = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)
    assert np.array_equal(shift_colours(grey, 0.1, 1), grey)
    assert np.array_equal(shift_colours(grey, -0.3, 1), grey)


def test_a_turn_of_the_hue_leaves_the_largest_and_the_smallest_channel(any_colours):
    shifted = shift_colours(any_colours, 0.03, 1)
    assert not np.array_equal(shifted, any_colours)
    for end in (np.max, np.min):
        assert np.abs(end(shifted, axis=2).astype(int) - end(any_colours, axis=2)).max() <= 1


def test_a_third_of_a_turn_changes_the_channels_places():
    red, green, blue = np.eye(3, dtype=np.uint8)[:, None, None, :] * 200
    assert np.array_equal(shift_colours(red, 1 / 3, 1), green)
    assert np.array_equal(shift_colours(red, -1 / 3, 1), blue)
    assert np.array_equal(shift_colours(green, 4 / 3, 1), blue)


def test_black_and_white_stay_under_any_power():
    ends = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    for gamma in (0.5, 0.98, 1.02, 2):
        assert np.abs(shift_colours(ends, 0.01, gamma).astype(int) - ends).max() <= 1


def test_powers_below_one_brighten():
    inner = np.full((4, 4, 3), (190, 120, 170), np.uint8)
    assert (shift_colours(inner, 0, 0.9) > inner).all()
    assert (shift_colours(inner, 0, 1.1) < inner).all()


def test_nothing_to_shift(any_colours):
    before = any_colours.copy()
    same = shift_colours(any_colours, 0, 1)
    assert np.array_equal(same, before)
    assert same is not any_colours


def test_strips_are_not_seen():
    wide = np.random.default_rng(4).integers(0, 256, (70, 2048, 3)).astype(np.uint8)
    whole = shift_colours(wide, 0.02, 0.97)
    assert np.array_equal(whole[40:50], shift_colours(wide[40:50], 0.02, 0.97))
