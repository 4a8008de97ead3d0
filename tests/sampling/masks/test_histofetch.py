"""histo-fetch's tissue mask: the contract of QC methods, the published steps, and slides without tissue."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from skimage.filters import threshold_otsu
from skimage.morphology import dilation, erosion

from slidekit.errors import QCError
from slidekit.sampling.masks import HistoFetch
from slidekit.slide.image import SlideImage
from tests.slide.qc.test_methods import QCContract


class TestHistoFetch(QCContract):
    method = HistoFetch()


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)


@pytest.mark.parametrize(("operation", "change"), [("dilate", dilation), ("erode", erosion), (None, None)])
def test_takes_the_published_steps(tissue_slide: Path, operation, change) -> None:
    # Arrange: the steps by Pillow and scikit-image; the slide's 1000 px are half the longest side, and so is the rest
    method = HistoFetch(radius=20, kernel=9, operation=operation)
    with SlideImage(tissue_slide) as slide:
        image = Image.fromarray(slide.overview(1000, 760))
        # Act
        tissue = ~method(slide)
    # Assert
    red = np.asarray(image.filter(ImageFilter.GaussianBlur(10)))[..., 0]
    expected = red <= threshold_otsu(red)
    expected = expected if change is None else change(expected, np.ones((5, 5), bool))
    assert overlap(tissue, expected) > 0.985


def test_operations_change_the_size_of_tissue(tissue_slide: Path) -> None:
    with SlideImage(tissue_slide) as slide:
        sizes = [np.count_nonzero(~HistoFetch(operation=one)(slide)) for one in ("erode", None, "dilate")]
    assert sizes[0] < sizes[1] < sizes[2]


@pytest.mark.parametrize("channel", ["red", "green", "blue", "gray", "saturation"])
def test_every_channel_finds_the_ellipse(tissue_slide: Path, channel) -> None:
    y, x = (np.mgrid[:760, :1000] + 0.5) / np.array([760, 1000])[:, None, None]
    ellipse = ((x - 0.5) / 0.42) ** 2 + ((y - 0.5) / 0.42) ** 2 < 1
    with SlideImage(tissue_slide) as slide:
        tissue = ~HistoFetch(channel=channel, operation=None)(slide)
    assert overlap(tissue, ellipse) > 0.9


def test_is_small_and_never_larger_than_asked_for(make_slide) -> None:
    path = make_slide(np.full((900, 1200, 3), 255, np.uint8), factors=(2, 4))
    with SlideImage(path) as slide:
        shapes = {side: HistoFetch(longest_side=side)(slide).shape for side in (2000, 1000, 500, 150, 100)}
    # Stored sizes are 1200, 600, 300, and decoding may reduce each by 2, 4 and 8.
    assert shapes == {2000: (900, 1200), 1000: (450, 600), 500: (225, 300), 150: (56, 75), 100: (56, 75)}


def noisy_glass() -> np.ndarray:
    noise = np.random.default_rng(3).normal(238, 6, (600, 800, 3))
    # Illumination that falls off: larger than noise once that is blurred away.
    return np.clip(noise - np.linspace(0, 8, 800)[None, :, None], 0, 255).astype(np.uint8)


@pytest.mark.parametrize("image", [np.full((600, 800, 3), 255, np.uint8), noisy_glass()], ids=["white", "noise"])
def test_an_empty_slide_has_no_tissue(make_slide, image: np.ndarray) -> None:
    with SlideImage(make_slide(image)) as slide:
        assert HistoFetch()(slide).all()
        # Otsu alone would have found some in the noise.
        assert image.min() == 255 or not HistoFetch(min_contrast=0)(slide).all()


def test_absent_pixels_are_glass(make_slide, tissue: np.ndarray) -> None:
    # Arrange
    image = tissue.copy()
    image[:, :60] = 0
    with SlideImage(make_slide(image)) as slide:
        # Act
        found = ~HistoFetch(operation=None)(slide)
    # Assert
    assert not found[:, :40].any()
    assert found.any()


@pytest.mark.parametrize(
    "wrong",
    [{"channel": "alpha"}, {"operation": "open"}, {"kernel": 4}, {"radius": -1}, {"longest_side": 3}],
)
def test_refuses_what_makes_no_sense(wrong) -> None:
    with pytest.raises(QCError) as caught:
        HistoFetch(**wrong)
    assert caught.value.mend
