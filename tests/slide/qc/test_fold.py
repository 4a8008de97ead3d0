"""Folds, drawn as two layers of tissue (densities add up); what is dense or dark without being a fold."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from slidekit import qc
from slidekit.errors import QCError
from tests.slide.qc.contract import QCContract, open_wsi
from tests.slide.qc.test_pen import stained, view

HAEMATOXYLIN = np.array([0.650, 0.704, 0.286])


def fold(image: np.ndarray, stroke: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Lay the tissue beside a band over it: light passes both layers. The band is where there is tissue."""
    density = -np.log10((image.astype(float) + 0.5) / 245.5)
    band = np.zeros(image.shape[:2], np.uint8)
    cv2.polylines(band, [stroke.astype(np.int32)], False, 1, width)
    second = np.roll(density, (width, width), (0, 1)) * band[..., None]
    folded = np.clip(245.5 * 10 ** -(density + second) - 0.5, 0, 255).astype(np.uint8)
    return folded, (band > 0) & (density[..., 1] > 0.15)


STROKE = np.array([[130, 100], [200, 130], [260, 190]])


class TestFold(QCContract):
    method = qc.Fold()


@pytest.mark.parametrize("width", [5, 9, 16])
def test_two_layers_in_a_band_are_a_fold(width: int) -> None:
    # Arrange
    image = stained()
    folded, truth = fold(image, STROKE, width)

    # Act
    mask = qc.Fold()(view(folded))

    # Assert
    assert not qc.Fold()(view(image)).any()
    assert mask[truth].mean() > 0.6
    assert not mask[~cv2.dilate(truth.astype(np.uint8), np.ones((9, 9))).astype(bool)].any()


@pytest.mark.parametrize("shape", ["aggregate", "band"])
def test_crowded_nuclei_are_none(shape: str) -> None:
    # Arrange: haematoxylin in place of half of the eosin, darker than two layers would be
    image = stained()
    where = np.zeros(image.shape[:2], np.uint8)
    if shape == "aggregate":
        cv2.circle(where, (200, 150), 25, 1, -1)
    else:
        cv2.polylines(where, [STROKE.astype(np.int32)], False, 1, 9)
    density = -np.log10((image.astype(float) + 0.5) / 245.5)
    crowded = np.where(where[..., None] > 0, 0.5 * density + 0.8 * HAEMATOXYLIN, density)
    picture = np.clip(245.5 * 10**-crowded - 0.5, 0, 255).astype(np.uint8)
    assert picture[where > 0].mean() < 0.7 * image[where > 0].mean()

    # Act / Assert
    assert not qc.Fold()(view(picture)).any()


def test_a_round_patch_of_two_layers_is_no_band() -> None:
    image = cv2.GaussianBlur(stained(), (0, 0), 8)  # without texture, at which a patch falls into pieces
    folded, _ = fold(image, np.array([[200, 150], [201, 150]]), 40)
    assert not qc.Fold()(view(folded)).any()
    assert qc.Fold(min_elongation=0.5, max_width_um=1000)(view(folded)).any()


def test_a_band_that_is_dense_in_spots_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dense glands side by side are such a band."""
    # Arrange: half a layer more, and a whole one in a short part of it
    smooth = cv2.GaussianBlur(stained(), (0, 0), 8)
    band, short = (fold(smooth, stroke, 9)[1] for stroke in (STROKE, STROKE[1:2].repeat(2, axis=0)))
    density = -np.log10((smooth.astype(float) + 0.5) / 245.5)
    layers = 1 + 0.45 * band[..., None] + 0.55 * short[..., None]
    picture = np.clip(245.5 * 10 ** -(density * layers) - 0.5, 0, 255).astype(np.uint8)

    # Act
    mask = qc.Fold()(view(picture))

    # Assert
    assert not mask.any()
    monkeypatch.setattr("slidekit.slide.qc.fold._CERTAIN", 0)
    assert qc.Fold()(view(picture))[band].mean() > 0.6


def test_bands_may_not_be_wider_or_smaller_than_said() -> None:
    folded, _ = fold(stained(), STROKE, 12)
    assert qc.Fold()(view(folded)).any()
    assert not qc.Fold(max_width_um=50)(view(folded)).any()
    assert not qc.Fold(min_area_mm2=1)(view(folded)).any()


def test_the_rule_goes_by_the_slides_own_stain() -> None:
    """A pale slide's fold is paler than a dark slide's tissue."""
    pale = (245 * (stained() / 245.0) ** 0.5).clip(0, 255).astype(np.uint8)
    folded, truth = fold(pale, STROKE, 9)
    assert qc.Fold()(view(folded))[truth].mean() > 0.6


@pytest.mark.parametrize(
    "options",
    [
        *({"mpp": 0}, {"min_increase": 1}, {"min_rank": 1}, {"max_shift": 0}, {"surround_um": float("inf")}),
        *({"min_area_mm2": -1}, {"min_elongation": float("nan")}),
    ],
)
def test_parameters_that_make_no_sense(options: dict) -> None:
    with pytest.raises(QCError):
        qc.Fold(**options)


@pytest.mark.realdata
@pytest.mark.skipif("SLIDEKIT_TEST_DATA" not in os.environ, reason="SLIDEKIT_TEST_DATA is not set")
class TestRealTissue:
    @pytest.mark.parametrize(
        ("name", "share"), [("gastric-HE-40x.svs", 0.0), ("OS-1-detail.ome.tif", 0.0), ("CMU-1-Small-Region.svs", 0.01)]
    )
    def test_hardly_a_fold_is_found_where_there_is_none(self, name: str, share: float) -> None:
        """CMU-1 has a dense horny layer, the one thing that is taken for a fold."""
        with open_wsi(Path(os.environ["SLIDEKIT_TEST_DATA"]) / "slides" / name) as wsi:
            assert qc.Fold()(wsi).mean() <= share

    def test_a_fold_drawn_into_the_gastric_biopsy_is_found(self) -> None:
        with open_wsi(Path(os.environ["SLIDEKIT_TEST_DATA"]) / "slides" / "gastric-HE-40x.svs") as wsi:
            image = wsi.thumb(mpp=8)
        folded, truth = fold(image, np.array([[60, 150], [100, 170], [150, 180]]), 8)
        mask = qc.Fold()(view(folded))
        assert mask[truth].mean() > 0.6
        assert mask[~cv2.dilate(truth.astype(np.uint8), np.ones((9, 9))).astype(bool)].mean() < 0.002
