"""Levels of a pyramid from their sizes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.pixels.readers.base import Level, make_levels
from slidekit.pixels.readers.tiff_levels import TiffLevel

SIZES = st.tuples(st.integers(200, 200_000), st.integers(200, 200_000))


@given(size=SIZES, factor=st.integers(1, 40), up=st.tuples(st.booleans(), st.booleans()))
@settings(deadline=None)
def test_the_makers_whole_number_is_found_whichever_way_he_rounded(size, factor, up):
    small = tuple(math.ceil(a / factor) if b else a // factor for a, b in zip(size, up, strict=True))
    # A level of few pixels fits several whole numbers; those of real pyramids do not get so small.
    if min(small) < 2 * factor:
        return
    level = make_levels([size, small])[1]
    assert level == Level(*small, float(factor), float(factor))


@given(size=SIZES, factor=st.floats(1, 40))
@settings(deadline=None)
def test_a_level_covers_the_slide_to_within_its_own_pixel(size, factor):
    small = (max(1, round(size[0] / factor)), max(1, round(size[1] / factor)))
    level = make_levels([size, small])[1]
    assert abs(size[0] / level.downsample_x - level.width) < 1
    assert abs(size[1] / level.downsample_y - level.height) < 1


@pytest.mark.parametrize(
    ("size", "small", "downsample"),
    [
        ((13198, 11685), (3300, 2922), (4, 4)),
        ((13198, 11685), (825, 731), (16, 16)),
        ((13198, 11685), (824, 730), (16, 16)),
        ((1000, 900), (400, 360), (2.5, 2.5)),
        ((1000, 900), (250, 450), (4, 2)),
        ((1000, 900), (1000, 900), (1, 1)),
    ],
)
def test_examples(size, small, downsample):
    level = make_levels([size, small])[1]
    assert (level.downsample_x, level.downsample_y) == downsample


def test_a_level_that_is_larger_than_the_slide_has_a_downsample_below_one():
    assert make_levels([(100, 100), (300, 300)])[1].downsample_x == pytest.approx(1 / 3)


@pytest.mark.parametrize(("offsets", "counts"), [((), (5, 5)), ((2**70,), (5,)), ((8,), (0,)), ((8, 9), (0, 4))])
def test_tables_of_tiles_that_cannot_be_are_no_jfif(tmp_path, offsets, counts):
    path = tmp_path / "a.tif"
    path.write_bytes(b"nothing to see")
    level = TiffLevel(64, 64, 64, 64, offsets, counts, 7, 2, 1, True, None, 0, None, path)
    assert not level.jfif_under_rgb_tag()
