"""Annotations that real programs wrote."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from slidekit.slide.roi import load_rois, write_roi_csv

FOLDER = os.environ.get("SLIDEKIT_TEST_DATA")
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(not FOLDER, reason="SLIDEKIT_TEST_DATA is not set: no real annotations to read"),
]
DATA = Path(FOLDER or ".") / "annotations"


@pytest.mark.parametrize(
    ("name", "regions", "labels", "problems"),
    [
        ("qupath-polygon.json", ["polygon"], (), []),
        ("qupath-brush.json", ["brush"], (), []),
        ("qupath-wand.json", ["wand"], (), []),
        ("qupath-ellipse.json", ["ellipse"], (), []),
        ("qupath-rectangle.json", ["rectangle"], (), []),
        ("qupath-line.json", [], (), ["1 x LineString: not an area."]),
        ("qupath-polyline.json", [], (), ["1 x LineString: not an area."]),
        ("qupath-point.json", [], (), ["1 x Point: not an area."]),
        ("qupath-multipoint.json", [], (), ["1 x MultiPoint: not an area."]),
        ("histoqc_holed.geojson", ["ROI_0"], (), []),
        ("large_image_sample.geojson", [f"ROI_{n}" for n in range(10)], (), []),
    ],
)
def test_geojson(name, regions, labels, problems):
    found = load_rois(DATA / name)

    assert [roi.name for roi in found] == regions
    assert found.labels == labels
    assert [problem.what for problem in found.problems] == problems
    assert all(roi.polygon.is_valid for roi in found)


def test_qupath_rectangle_and_hole_are_where_they_were_drawn():
    rectangle = load_rois(DATA / "qupath-rectangle.json", bounds_origin=(100, 10)).rois[0].polygon
    holed = load_rois(DATA / "histoqc_holed.geojson").rois[0].polygon

    assert rectangle.bounds == (26368, 15308, 26578, 15484)
    assert len(holed.interiors) == 1
    assert holed.bounds == (10098, 16763, 13369, 19491)
    assert holed.area < (13369 - 10098) * (19491 - 16763)


def test_imagescope():
    found = load_rois(DATA / "imagescope_WSITools_e39a8d60.xml")

    assert [roi.label for roi in found] == ["Region", "malignant", "normal", "fat", "null", "lymph", "ink"]
    assert [problem.what for problem in found.problems] == ["1 x points: not an area."]
    assert found.rois[0].polygon.bounds == (5302.716542, 5820.451, 66617.253479, 46773.07082)


def test_asap():
    found = load_rois(DATA / "asap_camelyon16_tumor_085.xml")

    assert found.labels == ("metastasis",)
    # Fifty annotations; the first one crosses itself and falls into two parts.
    assert [roi.name for roi in found][:3] == ["Annotation 0", "Annotation 0_part2", "Annotation 1"]
    assert len(found) == 51
    assert [(problem.kind, problem.line) for problem in found.problems] == [("mended", 4), ("mended", 3103)]


@pytest.mark.parametrize("name", ["histoqc_holed.geojson", "imagescope_WSITools_e39a8d60.xml", "qupath-wand.json"])
def test_real_regions_survive_our_csv(tmp_path, name):
    before = load_rois(DATA / name)

    write_roi_csv(tmp_path / "s.csv", before.rois)
    after = load_rois(tmp_path / "s.csv")

    assert [(roi.name, roi.label) for roi in after] == [(roi.name, roi.label) for roi in before]
    assert all(a.polygon.equals(b.polygon) for a, b in zip(after, before, strict=True))
