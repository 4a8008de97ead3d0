"""What is drawn from seeds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.augment import ORDER, draw
from slidekit.augment import parameters as column
from slidekit.augment.parameters import UNIT, WIDTH, _uniform
from slidekit.errors import SpecError

MASK = (1 << 64) - 1
SEEDS = np.arange(20_000)
LUMA = np.array([0.299, 0.587, 0.114])


@pytest.fixture(scope="module")
def everything():
    return draw(ORDER, SEEDS)


def mixed(value):
    """SplitMix64's finalizer with Python's own integers."""
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & MASK
    value = (value ^ value >> 27) * 0x94D049BB133111EB & MASK
    return value ^ value >> 31


def test_draws_are_those_of_splitmix64():
    # Arrange
    seeds = [0, 1, 2**62, -5]
    golden = 0x9E3779B97F4A7C15

    # Act
    draws = _uniform(np.array(seeds, np.int64).view(np.uint64))

    # Assert
    assert mixed(golden) == 0xE220A8397B1DCDAF  # the published first number of seed 0
    for seed, row in zip(seeds, draws, strict=True):
        start = mixed((seed + golden) & MASK)
        expected = [(mixed((start + k * golden) & MASK) >> 11) / 2**53 for k in range(1, len(row) + 1)]
        assert row.tolist() == expected


@settings(deadline=None)
@given(seeds=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=9))
def test_a_row_depends_on_its_seed_alone(seeds):
    together = draw(ORDER, np.array(seeds, np.int64))
    alone = [draw(ORDER, [seed])[0] for seed in seeds]
    assert together.shape == (len(seeds), WIDTH)
    assert together.dtype == np.int32
    assert np.array_equal(together, np.array(alone, np.int32).reshape(-1, WIDTH))


@pytest.mark.parametrize("letter", "bspdcj")
def test_a_letter_draws_the_same_whatever_others_there_are(letter, everything):
    alone = draw(letter, SEEDS[:100])
    used = alone.any(axis=0)
    assert used.any()
    assert np.array_equal(alone[:, used], everything[:100, used])


def test_a_half_turn_is_both_flips(everything):
    flips, turns = draw("xy", SEEDS), draw("r", SEEDS)
    half = turns[:, column.FLIP_X]
    assert np.array_equal(half, turns[:, column.FLIP_Y])
    both = flips[:, [column.FLIP_X, column.FLIP_Y]] ^ half[:, None]
    assert np.array_equal(both, everything[:, [column.FLIP_X, column.FLIP_Y]])


@pytest.mark.parametrize(
    ("letters", "where", "share"),
    [
        ("x", column.FLIP_X, 0.5),
        ("y", column.FLIP_Y, 0.5),
        ("r", column.FLIP_X, 0.5),
        ("r", column.QUARTER, 0.5),
        ("b", column.BLUR, 0.5),
        ("s", column.SHARPEN, 0.5),
        ("p", column.DROPPED_BITS, 0.5),
        ("d", column.DISTORT, 0.8),
        ("c", column.PROFILE, 0.5),
        ("j", column.QUALITY, 0.5),
    ],
)
def test_as_many_images_as_documented(letters, where, share):
    drawn = (draw(letters, SEEDS)[:, where] > 0).mean()
    assert drawn == pytest.approx(share, abs=5 * np.sqrt(share * (1 - share) / len(SEEDS)))


@pytest.mark.parametrize(
    ("where", "values"),
    [
        (column.BLUR, range(1, 5)),
        (column.SHARPEN, range(1, 5)),
        (column.DROPPED_BITS, range(2, 5)),
        (column.QUALITY, range(50, 101)),
    ],
)
def test_each_strength_is_as_likely(where, values, everything):
    drawn = everything[:, where]
    found, counts = np.unique(drawn[drawn > 0], return_counts=True)
    assert found.tolist() == list(values)
    expected = counts.sum() / len(found)
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()


def test_letters_are_drawn_independently(everything):
    chosen = everything[:, [column.FLIP_X, column.BLUR, column.SHARPEN, column.DISTORT, column.PROFILE]] > 0
    correlation = np.corrcoef(chosen.T.astype(float)) - np.eye(chosen.shape[1])
    assert np.abs(correlation).max() < 5 / np.sqrt(len(SEEDS))


def test_distortion_is_brightness_contrast_saturation_and_hue(everything):
    # Arrange
    skcolor = pytest.importorskip("skimage.color")
    to_yiq = skcolor.rgb2yiq(np.eye(3)).T
    rows = everything[everything[:, column.DISTORT] > 0]
    matrices = rows[:, column.DISTORT_MATRIX].reshape(-1, 3, 3) / UNIT
    of_mean = rows[:, column.DISTORT_LUMA] / UNIT

    # Act: the same in luma and chroma
    yiq = to_yiq @ matrices @ np.linalg.inv(to_yiq)
    scale = yiq[:, 0, 0]
    brightness = scale + of_mean
    contrast = scale / brightness
    saturation = np.hypot(yiq[:, 1, 1], yiq[:, 2, 1]) / scale
    hue = np.arctan2(yiq[:, 2, 1], yiq[:, 1, 1]) / (2 * np.pi)
    grey = saturation < 0.02

    # Assert
    assert np.abs(matrices.sum(2) - scale[:, None]).max() < 2e-3
    assert np.abs(LUMA @ matrices - scale[:, None] * LUMA).max() < 2e-3
    for factor in (brightness, contrast, saturation[~grey]):
        assert (factor.min(), factor.max()) == pytest.approx((0.6, 1.4), abs=0.01)
    assert (hue[~grey].min(), hue[~grey].max()) == pytest.approx((-0.1, 0.1), abs=0.005)
    assert grey.mean() == pytest.approx(0.2, abs=0.02)


def test_profiles_keep_grey_light_and_mix_little(everything):
    rows = everything[everything[:, column.PROFILE] > 0]
    matrices = rows[:, column.PROFILE_MATRIX].reshape(-1, 3, 3)
    assert (matrices.sum(2) == UNIT).all()
    off = matrices[:, ~np.eye(3, dtype=bool)] / UNIT
    assert (off.min(), off.max()) == pytest.approx((-0.05, 0.05), abs=0.001)
    assert np.unique(rows[:, column.PROFILE_CURVES]).tolist() == list(range(9))


def test_no_letters_draw_nothing():
    assert not draw(False, SEEDS[:9]).any()
    assert not draw("n", SEEDS[:9]).any()


@pytest.mark.parametrize("seeds", [3, [[1, 2]], [0.5], ["a"]])
def test_seeds_that_are_none(seeds):
    with pytest.raises(SpecError, match="int64"):
        draw("x", seeds)
