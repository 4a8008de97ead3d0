"""Lanczos resampling with a sub-pixel origin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from slidekit.pixels.resize import SHORT_LEAD, AxisPlan, interpolate_to_plan, plan_axis, resize_to_plan
from tests.pixels.pictures import psnr, tissue

ORIGINS = st.one_of(st.floats(-500, 100_000), st.integers(-500, 100_000).map(float))
SCALES = st.one_of(st.floats(0.3, 20), st.sampled_from([0.5, 1, 1.5, 2, 3, 4, 8, 16, 1.978, 0.9997, 1.0003]))
SIZES = st.integers(1, 3000)


class TestPlan:
    @given(origin=ORIGINS, scale=SCALES, size=SIZES)
    @settings(deadline=None, max_examples=300)
    def test_output_pixels_lie_where_they_are_wanted(self, origin, scale, size):
        plan = plan_axis(origin, scale, size)
        assert plan.size == size
        if plan.is_crop:
            # Nowhere along the axis further than a thousandth of a pixel.
            assert abs(plan.start - origin) <= 1.1e-3
            assert abs(plan.start + size - (origin + size * scale)) <= 1.1e-3
        elif plan.total:
            # Left edge of output pixel k of libvips: k·S + (L − M·S) / 2.
            first = plan.start + plan.lead * scale + (plan.length - plan.total * scale) / 2
            assert abs(first - origin) / scale <= 0.0451
            assert plan.box == pytest.approx((first - plan.start, first - plan.start + size * scale), abs=1e-6)
        else:
            assert plan.start + plan.box[0] == pytest.approx(origin, abs=1e-6)
            assert plan.start + plan.box[1] == pytest.approx(origin + size * scale, abs=1e-6)

    @given(origin=ORIGINS, scale=SCALES, size=SIZES)
    @settings(deadline=None, max_examples=300)
    def test_the_kernel_has_all_that_it_reaches(self, origin, scale, size):
        plan = plan_axis(origin, scale, size)
        if plan.is_crop:
            assert (plan.length, plan.lead, plan.box) == (size, 0, (0, size))
            return
        reach = 3 * max(scale, 1) - 0.5 * scale  # of Lanczos3, from the edge of the first pixel
        assert plan.box[0] >= reach - 1e-6
        assert plan.length - plan.box[1] >= reach - 1e-6
        if plan.total:
            assert scale > 1
            assert round(plan.length / scale) == plan.total  # libvips makes as many as were planned
            assert plan.lead + size <= plan.total

    @given(start=st.integers(-500, 100_000), size=SIZES)
    @settings(deadline=None)
    def test_whole_pixels_are_cut_out(self, start, size):
        plan = plan_axis(float(start), 1.0, size)
        assert plan.is_crop
        assert (plan.start, plan.length) == (start, size)

    @pytest.mark.parametrize(("origin", "scale", "size"), [(0.01, 1, 256), (0, 1.0001, 256), (0.5, 1, 1), (0, 2, 256)])
    def test_all_else_is_resampled(self, origin, scale, size):
        assert not plan_axis(origin, scale, size).is_crop

    @pytest.mark.parametrize("scale", [2, 4, 8])
    def test_whole_number_scales_with_origins_on_a_pixel(self, scale):
        plan = plan_axis(100.0, float(scale), 256)
        assert plan.total
        first = plan.start + plan.lead * scale + (plan.length - plan.total * scale) / 2
        assert first == pytest.approx(100, abs=0.01 * scale)


@pytest.fixture(scope="module")
def picture():
    return tissue(1700, 1500, seed=3)


def cut(image: np.ndarray, across: AxisPlan, down: AxisPlan) -> np.ndarray:
    assert across.start >= 0
    assert down.start >= 0
    part = image[down.start : down.start + down.length, across.start : across.start + across.length]
    assert part.shape == (down.length, across.length, 3)
    return part


def compare(picture, scale_x, scale_y, *, size=(120, 90), seed=0):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(100, 140, 2)
    across, down = plan_axis(x, scale_x, size[0]), plan_axis(y, scale_y, size[1])
    if bool(across.total) != bool(down.total):
        # As strips.read_resampled does: one resampler for both axes, and Pillow can do either's.
        across, down = plan_axis(x, scale_x, size[0], 0), plan_axis(y, scale_y, size[1], 0)
    image = resize_to_plan(cut(picture, across, down), across, down)
    box = (x, y, x + size[0] * scale_x, y + size[1] * scale_y)
    expected = Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS, box=box)
    assert image.shape == (size[1], size[0], 3)
    assert image.dtype == np.uint8
    return psnr(image, np.asarray(expected))


class TestAgainstPillow:
    @pytest.mark.parametrize("scale", [1.01, 1.1, 1.3, 1.5, 1.978, 2.03, 2.5, 3.02, 3.955, 4.2, 5.7, 7.91])
    @pytest.mark.parametrize("seed", [0, 1, 2])
    def test_reductions_with_any_origin(self, picture, scale, seed):
        assert compare(picture, scale, scale, seed=seed) >= 48

    @pytest.mark.parametrize("scales", [(1.978, 2.06), (1.3, 3.1), (5.2, 1.45), (3.02, 2.9)])
    def test_axes_that_differ(self, picture, scales):
        assert compare(picture, *scales) >= 48

    @pytest.mark.parametrize("scale", [0.3, 0.5, 0.77, 0.989])
    def test_enlargements(self, picture, scale):
        assert compare(picture, scale, scale) >= 60

    @pytest.mark.parametrize("scale", [2.0, 4.0, 8.0])
    def test_whole_numbers_with_sub_pixel_origins(self, picture, scale):
        assert compare(picture, scale, scale) >= 48

    def test_a_crop_is_the_image_itself(self, picture):
        across, down = plan_axis(10, 1, 60), plan_axis(20, 1, 40)
        image = resize_to_plan(cut(picture, across, down), across, down)
        assert np.array_equal(image, picture[20:60, 10:70])


class TestLeads:
    @pytest.mark.parametrize("scale", [2.004, 1.996, 2.0109])
    def test_far_ones_only_where_they_may(self, scale):
        origins = [k * 256 * scale for k in range(60)]
        far = [plan_axis(origin, scale, 256) for origin in origins]
        near = [plan_axis(origin, scale, 256, SHORT_LEAD) for origin in origins]
        assert all(plan.total or plan.is_crop for plan in far)
        assert max(plan.lead for plan in far) > SHORT_LEAD
        assert max(plan.lead for plan in near) < SHORT_LEAD
        assert any(plan.total == 0 for plan in near)

    def test_none_leaves_it_to_pillow(self):
        assert plan_axis(7.3, 2.5, 100, 0).total == 0
        assert plan_axis(7, 1, 100, 0).is_crop


class TestInterpolation:
    @pytest.mark.parametrize("scale", [0.96, 0.989, 0.9988, 1.0, 1.002, 1.04])
    @pytest.mark.parametrize("origin", [(100.0, 110.0), (101.37, 108.81), (104.005, 120.992)])
    def test_cubic_lies_where_lanczos_does(self, scale, origin):
        # Arrange
        image = tissue(500, 450, detail=2.5)
        sizes = zip(origin, (256, 200), strict=True)
        across, down = (plan_axis(start, scale, size, 0) for start, size in sizes)

        # Act
        made = interpolate_to_plan(cut(image, across, down), across, down)

        # Assert
        box = (*origin, origin[0] + 256 * scale, origin[1] + 200 * scale)
        expected = Image.fromarray(image).resize((256, 200), Image.Resampling.LANCZOS, box=box)
        assert made.shape == (200, 256, 3)
        assert psnr(made, np.asarray(expected)) >= 40
