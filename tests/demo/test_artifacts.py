from __future__ import annotations

import cv2
import numpy as np
import pytest

from slidekit.demo.artifacts import out_of_focus, pen_mark

SQUARE = np.array([[100.0, 80.0], [220.0, 80.0], [220.0, 200.0], [100.0, 200.0]])


def test_only_the_outlined_part_loses_its_detail():
    image = np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8)
    before = image.copy()

    out_of_focus(image, SQUARE, 6.0)

    detail = np.abs(cv2.Laplacian(image, cv2.CV_32F)).mean(2)
    assert detail[130:150, 150:170].mean() < 0.05 * detail[:40, :40].mean()
    np.testing.assert_array_equal(image[:40], before[:40])
    np.testing.assert_array_equal(image[:, 260:], before[:, 260:])


def test_blur_keeps_the_mean():
    image = np.full((300, 400, 3), (200, 100, 150), np.uint8)

    out_of_focus(image, SQUARE, 9.0)

    assert np.abs(image.astype(int) - [200, 100, 150]).max() <= 1


def test_the_pen_takes_light_along_its_way_only():
    image = np.full((300, 400, 3), 240, np.uint8)

    pen_mark(image, np.array([[50.0, 150.0], [350.0, 150.0]]), 40, (0.1, 0.5, 0.6))

    assert (image[:100] == 240).all()
    middle = image[150, 200].astype(float)
    assert middle[0] < 80
    assert middle[0] < middle[1] < middle[2] < 240
    assert image[132, 200, 0] < middle[0]


@pytest.mark.parametrize("corner", [(0.0, 0.0), (390.0, 290.0)])
def test_marks_may_reach_beyond_the_image(corner):
    image = np.full((300, 400, 3), 240, np.uint8)
    outline = np.add(corner, [[-30.0, -30.0], [30.0, -30.0], [30.0, 30.0], [-30.0, 30.0]])

    pen_mark(image, outline, 20, (0.1, 0.5, 0.6))
    out_of_focus(image, outline, 5.0)

    assert image.min() < 200
