"""Otsu and the blur detectors against independent computations."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.color import rgb2gray
from skimage.filters import gaussian, laplace, threshold_otsu

from slidekit.errors import QCError
from slidekit.slide.fate import Fate
from slidekit.slide.qc import Gaussian, GaussianV2, Otsu
from tests.slide.qc.contract import SIZE, QCContract, open_wsi


class TestOtsu(QCContract):
    method = Otsu()

    def test_divides_at_otsus_threshold_of_saturation(self, tissue_slide: Path) -> None:
        # Arrange: level 0 is the smallest with a short side above 500 px
        with open_wsi(tissue_slide) as wsi:
            image = wsi.overview(1000, 760)

            # Act
            mask = Otsu(min_saturation=0)(wsi)

        # Assert
        saturation = cv2.medianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[..., 1], 7)
        assert np.array_equal(mask, saturation <= threshold_otsu(saturation))
        assert 0.3 < mask.mean() < 0.7

    def test_finds_glass(self, tissue_slide: Path) -> None:
        with open_wsi(tissue_slide) as wsi:
            mask = self.method(wsi)
        rows, columns = mask.shape
        assert mask[:20, :20].all()
        assert not mask[rows // 2 - 20 : rows // 2 + 20, columns // 2 - 20 : columns // 2 + 20].any()

    def test_an_empty_slide_is_all_background(self, make_slide) -> None:
        noise = np.random.default_rng(0).normal(243, 1, (*SIZE[::-1], 3)).astype(np.uint8)
        with open_wsi(make_slide(noise)) as wsi:
            assert self.method(wsi).all()

    def test_a_level_can_be_chosen(self, tissue_slide: Path) -> None:
        with open_wsi(tissue_slide) as wsi:
            assert Otsu(1)(wsi).shape == (190, 250)
            with pytest.raises(QCError, match="levels 0 to 1"):
                Otsu(2)(wsi)

    def test_a_slide_without_a_pyramid_is_not_read_in_full(self, make_slide) -> None:
        long = np.full((40, 9000, 3), 240, np.uint8)
        with open_wsi(make_slide(long, factors=())) as wsi:
            assert self.method(wsi).shape == (13, 3000)


class TestGaussian(QCContract):
    method = Gaussian()

    def test_is_the_smoothed_laplacian_of_gray(self, tissue_slide: Path) -> None:
        with open_wsi(tissue_slide) as wsi:
            # Arrange: 4 × 0.5 µm/px is a quarter of the slide's 1000 × 760
            image = wsi.overview(250, 190)

            # Act
            mask = self.method(wsi)
            edges = self.method._edges(image)

        # Assert
        expected = gaussian(np.abs(laplace(rgb2gray(image))), sigma=3, mode="reflect")
        assert np.abs(edges - expected).max() < 1e-5
        decided = np.abs(expected - 0.02) > 1e-5
        assert np.array_equal(mask[decided], (expected <= 0.02)[decided])

    def test_finds_what_is_out_of_focus(self, tissue_slide: Path) -> None:
        with open_wsi(tissue_slide) as wsi:
            mask = self.method(wsi)
        assert not mask[60:130, 60:140].any()
        assert mask[60:130, 180:215].all()

    @pytest.mark.parametrize(("mpp", "shape"), [(None, (190, 250)), (1.0, (380, 500)), (0.1, (760, 1000))])
    def test_looks_at_the_resolution_asked_for_but_never_finer_than_the_slide(self, tissue_slide, mpp, shape) -> None:
        with open_wsi(tissue_slide) as wsi:
            assert Gaussian(mpp)(wsi).shape == shape

    def test_pixels_that_are_not_square_are_looked_at_as_squares(self, make_slide, tissue: np.ndarray) -> None:
        with open_wsi(make_slide(tissue, (0.5, 0.25))) as wsi:
            assert Gaussian(2.0)(wsi).shape == (95, 250)

    @pytest.mark.parametrize(
        "options", [{"mpp": 0}, {"mpp": -1}, {"sigma": 0}, {"sigma": float("nan")}, {"threshold": -0.1}]
    )
    def test_parameters_that_make_no_sense(self, options: dict[str, float]) -> None:
        with pytest.raises(QCError, match="blur QC cannot work"):
            Gaussian(**options)

    def test_is_counted_as_out_of_focus(self) -> None:
        assert Gaussian.reason == Fate.OUT_OF_FOCUS


class TestGaussianV2(QCContract):
    method = GaussianV2()

    @pytest.mark.parametrize("tile_px", [512, 64, 33, 1])
    @pytest.mark.parametrize("sigma", [3.0, 1.3])
    def test_equals_gaussian_whatever_the_bands(self, tissue_slide: Path, tile_px: int, sigma: float) -> None:
        with open_wsi(tissue_slide) as wsi:
            whole = Gaussian(sigma=sigma)(wsi)
            assert np.array_equal(GaussianV2(sigma=sigma, tile_px=tile_px)(wsi), whole)

    def test_equals_gaussian_on_jpeg_at_an_odd_resolution(self, make_slide, tissue: np.ndarray) -> None:
        with open_wsi(make_slide(tissue, (0.2472, 0.2472), svs=True), resample="exact") as wsi:
            whole, bands = Gaussian(1.13)(wsi), GaussianV2(1.13, tile_px=40)(wsi)
        # Bands begin at other sub-pixel places: pixels may differ by rounding, and so may values at the threshold.
        assert np.mean(whole != bands) < 0.001

    def test_too_little_overlap_is_taken_as_given(self, tissue_slide: Path) -> None:
        with open_wsi(tissue_slide) as wsi:
            assert GaussianV2(overlap=0, tile_px=40)(wsi).shape == (190, 250)

    @pytest.mark.parametrize("options", [{"tile_px": 0}, {"overlap": -1}])
    def test_bands_that_make_no_sense(self, options: dict[str, int]) -> None:
        with pytest.raises(QCError, match="bands"):
            GaussianV2(**options)
