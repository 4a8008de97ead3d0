"""qupath_roi_legacy.groovy (QuPath 0.1.x) run on stand-ins; its files read back with csv and shapely."""

from __future__ import annotations

import itertools
import math
from typing import Any

from shapely.geometry import Polygon


def covers_the_same(ring: Any, expected: Any) -> bool:
    return Polygon(ring).symmetric_difference(Polygon(expected)).area == 0


def test_polygon_and_class(runs: Any, square: Polygon) -> None:
    label, ring = runs.rings("legacy", "CMU-1")['left, the "first"']

    assert label == "Tumor, high"
    assert covers_the_same(ring, square)
    assert len(ring) == 4


def test_holes(runs: Any, holed: Polygon) -> None:
    rings = runs.rings("legacy", "CMU-1")
    holes = [Polygon(rings[name][1]) for name in ("holed_hole1", "holed_hole2")]

    assert covers_the_same(rings["holed"][1], holed.exterior)
    assert Polygon(holed.exterior).difference(holes[0]).difference(holes[1]).symmetric_difference(holed).area == 0
    assert {rings[name][0] for name in ("holed", "holed_hole1", "holed_hole2")} == {"Stroma"}


def test_parts_and_the_hole_of_a_part(runs: Any, two_parts: Any) -> None:
    rings = {name: ring for name, (label, ring) in runs.rings("legacy", "CMU-1").items() if label == "Tumor: Positive"}
    outlines = [Polygon(rings["ROI_0"]), Polygon(rings["ROI_0_part2"])]
    hole = next(Polygon(ring) for name, ring in rings.items() if "hole" in name)

    assert len(rings) == 3
    assert outlines[0].union(outlines[1]).difference(hole).symmetric_difference(two_parts).area == 0


def test_no_class_is_an_empty_label(runs: Any, quarter: Polygon) -> None:
    label, ring = runs.rings("legacy", "CMU-1")["ROI_1"]

    assert label == ""
    assert covers_the_same(ring, quarter)


def test_rectangle_with_a_repeated_name(runs: Any) -> None:
    label, ring = runs.rings("legacy", "CMU-1")["ROI_2"]

    assert label == ""
    assert Polygon(ring).bounds == (0, 20_000, 500, 20_300)


def test_ellipse_becomes_a_polygon_within_a_quarter_of_a_pixel(runs: Any) -> None:
    label, ring = runs.rings("legacy", "b")["丸, 円"]  # in a circle of radius 1000 about (2000, 3000)
    radii = [math.dist(point, (2000, 3000)) for point in ring]
    middles = [math.dist((0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1])), (2000, 3000)) for a, b in itertools.pairwise(ring)]

    assert label == "癌"
    # A quarter of a pixel for the lines, and half for the cubic curves that stand for the circle in java.awt.
    assert max(radii) < 1000.75
    assert min(middles) > 999.25


def test_the_inner_one_of_two_of_a_class_does_not_become_a_hole(runs: Any) -> None:
    assert set(runs.rings("legacy", "nested")) == {"outer", "outer_hole1", "island", "other", "beside"}
    assert "'outer' and 'inner' (class 'Tumor') overlap, one inside the other" in runs.logs["legacy nested.svs"]


def test_detections_points_and_lines_are_left_out_and_counted(runs: Any) -> None:
    assert len(runs.rings("legacy", "CMU-1")) == 9
    assert "3 object(s) skipped; skipped, no area: Points, Line, no shape" in runs.logs["legacy CMU-1.svs"]


def test_an_image_without_areas_gets_no_file(runs: Any) -> None:
    assert not (runs.legacy / "ROI" / "points.csv").exists()
    assert "no annotation with an area, no file written; skipped, no area: Points" in runs.logs["legacy points.svs"]


def test_a_second_image_of_the_same_name_does_not_overwrite_the_first(runs: Any, quarter: Polygon) -> None:
    assert covers_the_same(runs.rings("legacy", "CMU-1 (2)")["ROI_0"][1], quarter)
    assert "this one goes to 'CMU-1 (2).csv'" in runs.logs["legacy CMU-1.tif"]


def test_the_last_line_names_the_folder(runs: Any) -> None:
    assert runs.logs["legacy CMU-1.svs"].splitlines()[-1] == f"Done: the folder is {runs.legacy / 'ROI'}"


def test_without_a_project_it_says_what_to_do(runs: Any) -> None:
    assert runs.logs["legacy nothing"] == "ERROR: open a project and an image of it, then run this script again.\n"
