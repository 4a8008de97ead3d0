"""Whole-slide steps on real slides; placement and pixels are in tests/exactness."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.filters import threshold_otsu

from slidekit.errors import MissingMPPError
from slidekit.slide import qc
from slidekit.slide.wsi import WSI

pytestmark = pytest.mark.realdata

SLIDES = {
    "CMU-1-Small-Region.svs": {},
    "fluorescence-DAPI.ndpi": {},
    "OS-1-detail.ome.tif": {},
    "mostly-background.tif": {"mpp": 0.5},
    "CMU-1-Small-Region-wrong-mpp.tiff": {"mpp": 0.499},
}


@pytest.fixture(params=SLIDES)
def wsi(request: pytest.FixtureRequest, real_data: Path):
    with WSI(real_data / "slides" / request.param, 64, 32, **SLIDES[request.param]) as opened:
        yield opened


def test_qc_methods_work_and_both_blurs_agree(wsi: WSI) -> None:
    whole, bands = qc.Gaussian()(wsi), qc.GaussianV2(tile_px=64)(wsi)
    assert whole.shape == bands.shape
    # Bands begin between pixels of the level: rounding decides where edges are just at the threshold.
    assert np.mean(whole != bands) < 0.004
    assert np.array_equal(whole, qc.Gaussian()(wsi))


def test_otsu_is_otsus_threshold(wsi: WSI) -> None:
    method = qc.Otsu(min_saturation=0)
    mask = method(wsi)
    image = wsi.overview(*mask.shape[::-1])
    saturation = cv2.medianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[..., 1], 7)
    assert np.array_equal(mask, saturation <= threshold_otsu(saturation))


def test_counts_and_table_agree(wsi: WSI) -> None:
    report = wsi.extract_tiles(qc="both", dry_run=True)
    table = wsi.get_tile_dataframe()
    assert sum(report.counts.values()) == report.candidates == len(table)
    for reason in ("background", "out_of_focus"):
        assert report.counts.get(reason, 0) == (table.reason == reason).sum()
    assert report.blur_burden is None or 0 <= report.blur_burden <= 1


def test_an_absurd_mpp_is_refused_with_a_mend(real_data: Path) -> None:
    with pytest.raises(MissingMPPError, match="annotations column `mpp`"):
        WSI(real_data / "slides" / "CMU-1-Small-Region-wrong-mpp.tiff", 64, 32)
