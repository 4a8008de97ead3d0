"""Which stored pixels an output is made from: SEMANTICS, "Geometry", to the letter."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.pixels.source import choose_source, level_as_stored
from tests.pixels.stubs import StubReader

SLIDE = (64_000, 48_000)
PYRAMID = (SLIDE, (16_000, 12_000), (4_000, 3_000))


def chosen(pixel, *sizes, pixel_y=None, **options):
    source = choose_source(StubReader(*(sizes or (SLIDE,))), pixel, pixel_y or pixel, **options)
    return source.level, source.shrink


class TestLevels:
    @pytest.mark.parametrize(
        ("pixel", "level"),
        [
            (0.5, 0),
            (1, 0),
            (2, 0),
            (3.9, 0),
            (4, 1),
            (3.9999, 1),
            (3.97, 1),
            (4.3, 1),
            (15, 1),
            (16, 2),
            (15.9, 2),
            (99, 2),
        ],
    )
    def test_the_coarsest_that_is_not_beyond_the_output_within_rounding(self, pixel, level):
        assert chosen(pixel, *PYRAMID, resample="exact") == (level, 1)

    def test_a_level_of_rounded_sizes_matches(self):
        # 13198 / 3300 = 3.9994 and 0.2528 · 4 = 1.0112: µm/px as they stand in headers.
        sizes = ((13198, 11685), (3300, 2922), (825, 731))
        assert chosen(1.0112 / 0.2528, *sizes, resample="exact") == (1, 1)
        assert chosen(4.0448 / 0.2528, *sizes, resample="exact") == (2, 1)
        assert chosen(1.01 / 0.2528, *sizes, resample="exact") == (1, 1)

    def test_both_axes_must_match(self):
        assert chosen(4, *PYRAMID, pixel_y=3.5, resample="exact")[0] == 0

    def test_level_0_only(self):
        assert chosen(16, *PYRAMID, resample="exact", enable_downsample=False) == (0, 1)

    def test_scales_relate_source_level_0_and_output(self):
        source = choose_source(StubReader(*PYRAMID), 8.4, 8.8, resample="shrink")
        assert (source.level, source.shrink, source.downsample_x, source.downsample_y) == (1, 1, 4, 4)
        assert (source.scale_x, source.scale_y) == pytest.approx((2.1, 2.2))


class TestShrink:
    """One level: the reduction is the size of the output pixel."""

    @pytest.mark.parametrize("reduction", [1, 1.5, 2, 3, 4, 8, 16, 100])
    def test_exact_never_shrinks(self, reduction):
        assert chosen(reduction, resample="exact") == (0, 1)

    @pytest.mark.parametrize(
        ("reduction", "shrink"),
        [
            (1, 1), (1.5, 1), (1.978, 1),
            (2, 2),  # 1/2 is exactly the reduction
            (2.01, 1), (2.5, 1), (2.999, 1),
            (3, 2), (4, 2), (5.99, 2),  # 1.5 and more are left to Lanczos
            (6, 4), (8, 4), (11.99, 4), (12, 8), (16, 8), (100, 8),
        ],
    )  # fmt: skip
    def test_shrink(self, reduction, shrink):
        assert chosen(reduction) == (0, shrink)

    @pytest.mark.parametrize(
        ("target", "mpp", "shrink"), [(0.3, 0.1, 2), (0.75, 0.25, 2), (0.6, 0.3, 2), (0.5056, 0.2528, 2)]
    )
    def test_limits_hold_though_quotients_are_rounded(self, target, mpp, shrink):
        assert chosen(target / mpp) == (0, shrink)

    @pytest.mark.parametrize(
        ("x", "y", "shrink"),
        [(2, 2.04, 1), (2, 2, 2), (2, 2.5, 1), (2.5, 2, 1), (3, 3.5, 2), (3.5, 2.9, 1), (2, 3.2, 1), (6, 5.5, 2)],
    )
    def test_both_axes_must_allow_it(self, x, y, shrink):
        assert chosen(x, pixel_y=y) == (0, shrink)

    @pytest.mark.parametrize(
        ("reduction", "shrink"),
        [(1.8, 1), (1.9, 2), (2, 2), (3.8, 4), (4, 4), (4.2, 4), (7.6, 8), (8, 8), (8.4, 8), (12, 8)],
    )
    def test_fast_takes_a_quarter_and_an_eighth_as_a_whole_reduction_too(self, reduction, shrink):
        assert chosen(reduction, resample="fast") == (0, shrink)

    @pytest.mark.parametrize("resample", ["shrink", "fast"])
    def test_only_what_the_reader_can(self, resample):
        source = choose_source(StubReader(SLIDE, shrinks=(1,)), 8, 8, resample=resample)
        assert source.shrink == 1

    @given(reduction=st.floats(0.3, 200), resample=st.sampled_from(["exact", "shrink", "fast"]))
    @settings(deadline=None)
    def test_source_pixels_are_never_much_coarser_than_the_output(self, reduction, resample):
        source = choose_source(StubReader(*PYRAMID), reduction, reduction, resample=resample)
        assert source.scale_x * source.downsample_x == pytest.approx(reduction)
        assert source.scale_x >= min(reduction, 0.94)
        left = source.scale_x
        if resample == "shrink" and source.shrink > 1:
            assert left >= 1.5 - 1e-6 or (source.shrink == 2 and left == pytest.approx(1))
        if resample == "shrink" and source.shrink < 8:
            assert left / 2 < 1.5 + 1e-6  # a larger one would not have left enough


class TestAveraging:
    @pytest.mark.parametrize(
        ("reduction", "average"),
        [(1, 1), (4, 1), (9.99, 1), (10, 2), (11.9, 2), (12, 3), (16, 4), (16.2, 4), (64, 16), (200, 50)],
    )
    def test_at_least_4_is_left_to_lanczos(self, reduction, average):
        source = choose_source(StubReader(SLIDE), reduction, reduction, resample="exact")
        averaged = source.averaged()
        assert averaged.average == average
        assert averaged.scale_x == pytest.approx(reduction / average)
        assert averaged.downsample_x == average

    def test_the_axis_of_the_smaller_reduction_decides(self):
        source = choose_source(StubReader(SLIDE), 13, 17, resample="exact").averaged()
        assert source.average == 3
        assert (source.scale_x, source.scale_y) == pytest.approx((13 / 3, 17 / 3))
        assert choose_source(StubReader(SLIDE), 9, 17, resample="exact").averaged().average == 1

    @given(reduction=st.floats(0.3, 500), resample=st.sampled_from(["exact", "shrink", "fast"]))
    @settings(deadline=None)
    def test_the_output_pixel_stays_the_same(self, reduction, resample):
        source = choose_source(StubReader(*PYRAMID), reduction, reduction * 1.01, resample=resample).averaged()
        assert source.scale_x * source.downsample_x == pytest.approx(reduction)
        assert source.scale_y * source.downsample_y == pytest.approx(reduction * 1.01)
        assert source.average == 1 or source.scale_x >= 4 - 1e-6


class TestMagnifications:
    @pytest.mark.parametrize(
        ("mpp", "target", "level"),
        [
            (0.25, 1, 1),
            (0.2528, 1, 1),
            (0.2375, 1, 1),  # 5 % below, exactly
            (0.2625, 1, 1),  # 5 % above
            (0.237, 1, None),
            (0.263, 1, None),
            (0.499, 0.5, 0),
            (0.25, 0.5, None),
            (0.25, 4, 2),
        ],
    )
    def test_a_level_within_5_percent_is_read_as_it_is_stored(self, mpp, target, level):
        assert level_as_stored(StubReader(*PYRAMID), (mpp, mpp), target) == level

    def test_the_nearest_of_two(self):
        reader = StubReader((10_000, 10_000), (9_600, 9_600))
        assert level_as_stored(reader, (0.25, 0.25), 0.25) == 0
        assert level_as_stored(reader, (0.25, 0.25), 0.26) == 1

    def test_level_0_only(self):
        assert level_as_stored(StubReader(*PYRAMID), (0.25, 0.25), 1, enable_downsample=False) is None

    def test_both_axes_must_be_near_enough(self):
        assert level_as_stored(StubReader(*PYRAMID), (0.25, 0.26), 1) == 1
        assert level_as_stored(StubReader(*PYRAMID), (0.25, 0.27), 1) is None
        assert level_as_stored(StubReader(*PYRAMID), (0.25, 0.25), 0.25, enable_downsample=False) == 0
