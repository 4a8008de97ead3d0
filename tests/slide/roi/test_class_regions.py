"""Regions as classes: which is on top."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from slidekit.errors import SpecError
from slidekit.slide.roi import ROI
from slidekit.slide.roi.class_regions import ClassRegions, check_classes, fill_regions
from slidekit.slide.roi.fill import Raster

RASTER = Raster((0.0, 0.0), (1.0, 1.0), (10, 10))


def test_the_smaller_is_on_top_whatever_the_order() -> None:
    # Arrange
    large, small = ROI("x", "a", shapely.box(0, 0, 10, 10)), ROI("y", "b", shapely.box(2, 2, 5, 5))
    # Act
    images = [ClassRegions.of(rois, ("a", "b")).paint(RASTER) for rois in ([large, small], [small, large])]
    # Assert
    assert np.array_equal(images[0], images[1])
    assert (images[0] == 2).sum() == 9
    assert (images[0] == 1).sum() == 91


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_as_large_the_earlier_name_is_on_top(turned) -> None:
    # Arrange: the same shape at places where its area differs in the last bits
    rois = [ROI("n2", "b", shapely.box(0.1, 0, 6.1, 6)), ROI("n1", "a", shapely.box(3.3, 3, 9.3, 9))]
    # Act
    image = ClassRegions.of(rois[::-1] if turned else rois, ("a", "b")).paint(RASTER)
    # Assert
    assert image[4, 4] == 1
    assert image[1, 1] == 2


def test_a_region_smaller_than_a_pixel_is_one() -> None:
    mask = fill_regions([ROI("n", None, shapely.box(3.1, 4.1, 3.2, 4.2))], RASTER)
    assert list(zip(*np.nonzero(mask), strict=True)) == [(4, 3)]


def test_more_classes_than_numbers_are_refused() -> None:
    with pytest.raises(SpecError, match="255 classes"):
        check_classes(255)
