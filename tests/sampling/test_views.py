from __future__ import annotations

import pytest

from slidekit.errors import SlideError
from slidekit.sampling.spec import SamplingSpec
from slidekit.sampling.views import View
from tests.sampling.small_slides import facts


@pytest.mark.parametrize("downsample", [6.0, 10.0, 1.5, 4.0, 3.0001])
def test_a_downsample_is_what_was_asked_for_whatever_levels_there_are(downsample):
    # histo-fetch gives 8, 8 and 2 for 6, 10 and 1.5 on a pyramid of 1, 4 and 16.
    view = SamplingSpec.create(tile_px=100, downsample=downsample).scales[0][0]

    assert view.extent(facts()) == (100 * downsample, 100 * downsample)
    assert view.pixel(facts()) == pytest.approx((downsample, downsample))


def test_microns_follow_the_slides_own_resolution_on_each_axis():
    view = View(256, "um", 128.0, 256)

    assert view.extent(facts(mpp=(0.25, 0.2))) == (512.0, 640.0)


def test_microns_per_pixel_are_an_edge_by_the_pixels_of_the_field():
    view = View(64, "mpp", 0.5, 256)

    assert view.extent(facts(mpp=(0.25, 0.25))) == (512.0, 512.0)
    assert view.pixel(facts(mpp=(0.25, 0.25))) == (8.0, 8.0)


def test_a_level_is_read_as_it_is():
    view = View(256, "level", 1.0, 256)

    assert view.extent(facts(downsamples=(1.0, 4.0001))) == (256 * 4.0001, 256 * 4.0001)


def test_a_level_that_the_slide_lacks_is_an_error_of_the_slide():
    with pytest.raises(SlideError, match="no level 3: slide slide has 3"):
        View(256, "level", 3.0, 256).extent(facts())


@pytest.mark.parametrize(
    ("mpp", "pixel"),
    [
        (0.2527, 4.0),  # level 1 has 1.0108 µm/px: within 5 % of 10x, as stored
        (0.23, 1 / 0.23),  # 0.92: too far, resampled
        (1.0, 1.0),
        (2.0, 0.5),
    ],
)
def test_a_magnification_takes_a_level_that_is_near_enough(mpp, pixel):
    view = View(100, "x", 10.0, 100)

    assert view.extent(facts(mpp=(mpp, mpp))) == pytest.approx((100 * pixel, 100 * pixel))


def test_a_further_view_is_larger_about_the_same_centre():
    narrow, wide = SamplingSpec.create(tile_px=256, tile_um=128, views=[(128, 4)]).scales[0]

    assert (wide.tile_px, wide.extent(facts())) == (128, tuple(4 * edge for edge in narrow.extent(facts())))


def test_a_stack_shows_one_field_at_several_resolutions():
    stack = SamplingSpec.create(tile_px=512, downsample=4, stack=(4, 8, 512)).scales[0]

    assert [view.tile_px for view in stack] == [4, 8, 512]
    assert {view.extent(facts()) for view in stack} == {(2048.0, 2048.0)}
