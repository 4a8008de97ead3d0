from __future__ import annotations

import cv2
import numpy as np
import pytest

from slidekit.cells.methods.classical import ClassicalNuclei
from slidekit.cells.methods.sampling import glass_colour, tissue_samples, working_size
from slidekit.demo.nuclei import paint_nuclei
from slidekit.errors import CellError


class Picture:
    """A slide that is an array."""

    name = "picture"

    def __init__(self, pixels: np.ndarray, mpp: tuple[float, float] = (0.5, 0.5)) -> None:
        self.pixels, (self.mpp_x, self.mpp_y) = pixels, mpp
        self.dimensions = pixels.shape[1], pixels.shape[0]

    def overview(self, columns: int, rows: int) -> np.ndarray:
        return cv2.resize(self.pixels, (columns, rows), interpolation=cv2.INTER_AREA)

    def overview_window(self, columns: int, rows: int, *, corner: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
        whole = self.overview(columns, rows)
        return whole[corner[1] : corner[1] + size[1], corner[0] : corner[0] + size[0]]


def slide_with_tissue(edge: int = 1800) -> Picture:
    pixels = np.full((edge, edge, 3), (243, 242, 244), np.uint8)
    drawn = paint_nuclei((256, 256), seed=4)
    pixels[1024:1536, 512:1024] = drawn.image
    return Picture(pixels)


def test_samples_are_of_tissue_and_white_is_glass() -> None:
    samples, white = tissue_samples(slide_with_tissue(), 0.5)

    assert len(samples) == 1
    assert samples[0].shape == (512, 512, 3)
    assert samples[0].mean() < 210
    assert white == pytest.approx((243, 242, 244), abs=1)


def test_the_working_size_is_in_microns_both_ways() -> None:
    picture = Picture(np.zeros((100, 200, 3), np.uint8), mpp=(0.25, 0.5))

    assert working_size(picture, 0.5) == (100, 100)


def test_without_glass_in_sight_white_is_taken() -> None:
    image = np.full((10, 10, 3), (150, 200, 90), np.uint8)

    assert glass_colour(image) == (255.0, 200.0, 255.0)


def test_facts_of_a_slide_are_close_to_those_of_its_tissue() -> None:
    picture = slide_with_tissue()
    method = ClassicalNuclei()

    facts, direct = method.prepare(picture), method.facts_of(picture.pixels[1024:1536, 512:1024])

    assert facts.found
    assert facts.contrast == pytest.approx(direct.contrast, rel=0.25)


@pytest.mark.parametrize("value", [0, 243, 255])
def test_a_slide_without_tissue_has_no_cells(value: int) -> None:
    picture = Picture(np.full((300, 400, 3), value, np.uint8))
    method = ClassicalNuclei()

    assert not method(picture.pixels, method.prepare(picture)).any()


def test_fluorescence_is_refused() -> None:
    """Nuclei that shine on black."""
    pixels = np.zeros((600, 600, 3), np.uint8)
    for x, y in np.random.default_rng(0).integers(20, 580, (400, 2)):
        cv2.circle(pixels, (int(x), int(y)), 6, (0, 0, 220), -1)

    with pytest.raises(CellError, match="dark where its tissue is, as in fluorescence"):
        ClassicalNuclei().prepare(Picture(pixels))
