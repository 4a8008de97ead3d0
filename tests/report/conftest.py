from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image

from slidekit.report import SlidePictures, write_report
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec

CREATED = datetime(2026, 2, 3, 14, 5, 6)
VERSIONS = {"slidekit": "0.1.0", "libvips": "8.17.1"}


def _report(slide="slide", **fields):
    known = {
        "path": f"/data/Doe John/{slide}.svs",
        "status": "done",
        "width": 13198,
        "height": 11685,
        "mpp_x": 0.2528,
        "mpp_y": 0.2528,
        "mpp_source": "openslide.mpp-x",
        "vendor": "aperio",
        "reader": "native",
        "level": 0,
        "level_downsample": 1.0,
        "resampling": "resampled 1.978× from level 0",
        "tile_px": 256,
        "tile_um_x": 128.0,
        "tile_um_y": 128.0,
        "candidates": 1234,
        "counts": {"background": 567, "grayspace": 8, "kept": 659},
        "tissue_share": 0.4,
        "tissue_mm2": 12.5,
        "blur_burden": 0.01,
        "preview_um": 3.3,
        "seconds": 2.0,
    }
    return SlideReport(slide=slide, **{**known, **fields})


@pytest.fixture
def report():
    """Make a `SlideReport` of an ordinary finished slide, with fields replaced."""
    return _report


@pytest.fixture
def failed():
    """Make the report of a slide that could not be opened."""

    def make(slide="broken", reason="This is no slide. Copy it again."):
        return SlideReport(slide=slide, path=f"/data/Doe John/{slide}.svs", status="failed", reason=reason)

    return make


@pytest.fixture
def spec():
    return ExtractionSpec.create(
        tile_px=256, tile_um=128, qc=["otsu", "blur"], normalizer="macenko", normalizer_source="/home/doe/target.png"
    )


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """A preview and a strip of tiles, the preview with an EXIF note that names a patient."""
    folder = tmp_path_factory.mktemp("pictures")
    preview, samples = folder / "preview.jpg", folder / "samples.jpg"
    exif = Image.Exif()
    exif[0x010E] = "patient Doe John /data/Doe John"
    Image.new("RGB", (64, 48), (200, 120, 180)).save(preview, exif=exif, comment=b"/data/Doe John")
    Image.new("RGB", (128, 16), (150, 60, 140)).save(samples)
    return SlidePictures(preview, samples)


@pytest.fixture
def make_pdf(tmp_path, spec, pictures):
    """Write a report and return its files."""

    def show(report):
        return pictures if report.candidates else SlidePictures()

    def make(reports, name="report.pdf", **options) -> list[Path]:
        known = {"spec": spec, "pictures": show, "created": CREATED, "versions": VERSIONS}
        return write_report(tmp_path / name, reports, **{**known, **options})

    return make
