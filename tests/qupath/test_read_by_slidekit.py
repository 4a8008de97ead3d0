"""What the QuPath scripts write, read by slidekit itself."""

from __future__ import annotations

from typing import Any

import pytest
from shapely.geometry import Polygon
from shapely.ops import unary_union

from slidekit.slide.roi import find_roi_file, load_rois

VERSIONS = ["modern", "legacy"]


@pytest.mark.parametrize("version", VERSIONS)
def test_polygons_holes_parts_and_classes_come_back(
    runs: Any, version: str, square: Polygon, holed: Polygon, two_parts: Any, quarter: Polygon
) -> None:
    rois = load_rois(getattr(runs, version) / "ROI" / "CMU-1.csv", slide_size=(40_000, 30_000))

    by_name = {roi.name: roi for roi in rois.rois}
    expected = {'left, the "first"': square, "holed": holed, "ROI_1": quarter}
    parts = [roi.polygon for roi in rois.rois if roi.label == "Tumor: Positive"]
    assert not rois.problems
    assert len(rois.rois) == 6
    for name, polygon in expected.items():
        assert by_name[name].polygon.symmetric_difference(polygon).area == 0
    assert unary_union(parts).symmetric_difference(two_parts).area == 0
    assert len(parts) == 2
    assert by_name['left, the "first"'].label == "Tumor, high"
    assert by_name["holed"].label == "Stroma"
    assert by_name["ROI_1"].label is None


@pytest.mark.parametrize("version", VERSIONS)
def test_whatever_overlaps_each_class_covers_what_was_drawn(
    runs: Any, version: str, random_images: Any, cover_of_drawn: Any
) -> None:
    for image in random_images:
        name = image["name"].removesuffix(".svs")
        rois = load_rois(getattr(runs, version) / "ROI" / f"{name}.csv").rois
        for label in ("Tumor", "Stroma"):
            drawn = cover_of_drawn(image["annotations"], label)
            read = unary_union([roi.polygon for roi in rois if roi.label == label])
            # Crossings of two outlines are rounded: to 0.01 px by QuPath, to 0.001 px by the script.
            assert drawn.symmetric_difference(read).area <= 0.02 * (drawn.length + 1), (name, label)


def test_files_are_found_by_the_name_of_the_slide(runs: Any) -> None:
    folder = runs.modern / "ROI"

    assert find_roi_file(folder, "胃生検") == folder / "胃生検.csv"
    assert find_roi_file(folder, "b") == folder / "b.csv"
    assert find_roi_file(folder, "b.ome") == folder / "b.csv"
