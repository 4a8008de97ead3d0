"""Grids that give way a little: places are true, and pixels are near to exact resampling at the same place."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.pixels.readers import open_slide
from slidekit.pixels.resize import AxisPlan, interpolate_to_plan
from slidekit.pixels.source import Source, choose_source
from slidekit.pixels.strips import read_resampled
from slidekit.sampling.reading.floating import float_grid, resize_cubic
from tests.pixels.pictures import psnr


def _source(scale: float, *, cubic: bool) -> Source:
    return Source(0, 1, 1.0, 1.0, scale, scale, cubic=cubic)


def _centres(plan: AxisPlan, *, cubic: bool = False) -> np.ndarray:
    """Where centres of outputs lie, source pixels: what the resamplers do, after their documentation."""
    k = plan.lead + np.arange(plan.size) + 0.5
    if plan.is_crop:
        return plan.start + k
    if plan.total == 0:
        return plan.start + plan.box[0] + k * plan.scale
    if cubic:
        return plan.start + k * plan.length / plan.total  # OpenCV: the ratio of whole sizes
    return plan.start + k * plan.scale + (plan.length - plan.total * plan.scale) / 2  # libvips centres


class TestPlans:
    @settings(deadline=None, max_examples=200)
    @given(scale=st.floats(0.95, 1.05), size=st.integers(16, 1024))
    def test_cubic_pixels_lie_where_they_are_said_to(self, scale: float, size: int) -> None:
        plan = float_grid(_source(scale, cubic=True), size).across
        wanted = plan.start + plan.box[0] + (np.arange(size) + 0.5) * scale
        assert np.abs(_centres(plan, cubic=True) - wanted).max() / scale <= 0.05

    @settings(deadline=None, max_examples=200)
    @given(scale=st.floats(1.051, 9.9), size=st.integers(16, 1024))
    def test_lanczos_pixels_lie_where_they_are_said_to(self, scale: float, size: int) -> None:
        plan = float_grid(_source(scale, cubic=False), size).across
        wanted = plan.start + plan.box[0] + (np.arange(size) + 0.5) * scale
        assert plan.total > size
        assert np.abs(_centres(plan) - wanted).max() / scale <= 0.05
        assert round(plan.length / scale) == plan.total

    def test_a_whole_reduction_is_a_crop(self) -> None:
        grid = float_grid(_source(1.0, cubic=True), 64)
        assert grid.across.is_crop
        assert grid.down.is_crop

    def test_an_enlargement_is_pillows(self) -> None:
        plan = float_grid(_source(0.5, cubic=False), 64).across
        assert (plan.total, plan.size) == (0, 64)

    @pytest.mark.parametrize("scale", [0.9888, 1.0113, 0.9512])
    def test_opencv_resizes_as_the_plan_supposes(self, scale: float) -> None:
        # A ramp keeps its values under interpolation, so each pixel tells where it was taken from.
        plan = float_grid(_source(scale, cubic=True), 128).across
        ramp = np.broadcast_to(np.arange(plan.length) * 1.5 + 10, (plan.length, plan.length))
        image = np.repeat(np.rint(ramp).astype(np.uint8)[..., np.newaxis], 3, axis=2)
        made = resize_cubic(image, plan, plan)[64, :, 0].astype(float)
        places = (made - 10) / 1.5 + 0.5
        assert np.mean(places - (plan.box[0] + (np.arange(128) + 0.5) * scale)) == pytest.approx(0, abs=0.04)
        assert np.abs(places - _centres(plan, cubic=True)).max() < 0.7  # rounding to grey levels, twice

    @pytest.mark.parametrize("scale", [0.9888, 1.0113])
    def test_it_is_what_interpolation_at_the_exact_place_gives(self, scale: float) -> None:
        plan = float_grid(_source(scale, cubic=True), 128).across
        noise = np.random.default_rng(3).integers(0, 256, (plan.length, plan.length, 3)).astype(np.uint8)
        image = cv2.GaussianBlur(noise, (0, 0), 1.5)
        assert psnr(resize_cubic(image, plan, plan), interpolate_to_plan(image, plan, plan)) > 45


class TestPlaces:
    @settings(deadline=None, max_examples=60)
    @given(x=st.floats(-300, 1200), y=st.floats(-300, 900))
    def test_a_patch_is_moved_by_half_a_stored_pixel_at_most(self, known_slide: Path, x: float, y: float) -> None:
        with open_slide(known_slide) as slide:
            grid = float_grid(choose_source(slide, 1.7, 1.7, resample="fast"), 40)
            to_x, to_y, _, _ = grid.place(slide, x, y)
            half = 0.5 * grid.source.downsample_x
            # One at the very edge may be moved by up to a whole one, so as not to leave the slide.
            assert abs(to_x - x) <= half + 1e-9 or (abs(to_x - x) <= 2 * half and (x < 1 or x > 912 - 68 - 1))
            if 0 <= x <= 912 - 68:
                assert to_x >= -1e-9
                assert to_x <= 912 - 68 + 1e-9
            assert abs(to_y - y) <= 2 * half

    def test_a_crop_gives_the_very_pixels(self, known_slide: Path, known_levels: list[np.ndarray]) -> None:
        with open_slide(known_slide) as slide:
            grid = float_grid(choose_source(slide, 1.0, 1.0, resample="fast"), 48)
            place = grid.place(slide, 100.4, 57.6)
            image = grid.read(slide, place)
        assert place[:2] == (100.0, 58.0)
        np.testing.assert_array_equal(image, known_levels[0][58:106, 100:148])

    def test_beyond_the_slide_is_white(self, known_slide: Path, known_levels: list[np.ndarray]) -> None:
        with open_slide(known_slide) as slide:
            grid = float_grid(choose_source(slide, 1.0, 1.0, resample="fast"), 32)
            image = grid.read(slide, grid.place(slide, -10.0, 690.0))
        assert (image[:, :10] == 255).all()
        assert (image[14:] == 255).all()
        np.testing.assert_array_equal(image[:14, 10:], known_levels[0][690:704, :22])


@pytest.mark.realdata
@pytest.mark.parametrize(("pixel", "least"), [(0.5, 37.0), (0.7, 37.0)])
def test_patches_are_within_37_db_of_exact_at_their_place(real_data: Path, pixel: float, least: float) -> None:
    with open_slide(real_data / "slides" / "gastric-HE-40x.svs") as slide:
        by = pixel / 0.2528
        fast = choose_source(slide, by, by, resample="fast")
        exact = choose_source(slide, by, by, resample="exact")
        grid = float_grid(fast, 128)
        rng = np.random.default_rng(1)
        found = []
        while len(found) < 12:
            x, y = rng.uniform(500, 11_000), rng.uniform(500, 10_000)
            place = grid.place(slide, x, y)
            image = grid.read(slide, place)
            if image.std() < 20:  # glass is no test
                continue
            found.append(psnr(image, read_resampled(slide, exact, place[0], place[1], 128, 128)))
    assert min(found) >= least
    assert np.mean(found) >= least + 2
