"""qupath_roi.groovy (QuPath 0.2 and later) run on stand-ins; its files read back with csv and shapely."""

from __future__ import annotations

import math
from typing import Any

import pytest
from shapely.affinity import affine_transform, translate
from shapely.geometry import Polygon

HEADER = "roi_name,label,x_base,y_base"


def same(ring: Any, expected: Any) -> bool:
    """Whether a ring and a ring or polygon cover exactly the same, with the same number of vertices."""
    polygon = expected if isinstance(expected, Polygon) else Polygon(expected)
    got = Polygon(ring)
    return (
        got.symmetric_difference(polygon).area == 0
        and got.area == polygon.area
        and len(ring) == len(polygon.exterior.coords) - 1
    )


class TestRings:
    def test_header_and_encoding(self, runs: Any) -> None:
        raw = (runs.modern / "ROI" / "胃生検.csv").read_bytes()

        assert raw.decode("utf-8").splitlines()[0] == HEADER
        assert b"\r" not in raw

    def test_polygon(self, runs: Any, square: Polygon) -> None:
        label, ring = runs.rings("modern", "CMU-1")['left, the "first"']

        assert label == "Tumor, high"
        assert same(ring, square)

    def test_holes_are_rings_of_their_own_with_the_label_of_their_parent(self, runs: Any, holed: Polygon) -> None:
        rings = runs.rings("modern", "CMU-1")

        assert same(rings["holed"][1], Polygon(holed.exterior))
        assert same(rings["holed_hole1"][1], Polygon(holed.interiors[0]))
        assert same(rings["holed_hole2"][1], Polygon(holed.interiors[1]))
        assert {rings[name][0] for name in ("holed", "holed_hole1", "holed_hole2")} == {"Stroma"}

    def test_parts_of_a_multipolygon_and_the_hole_of_a_part(self, runs: Any, two_parts: Any) -> None:
        rings = runs.rings("modern", "CMU-1")
        first, second = two_parts.geoms

        assert same(rings["ROI_0"][1], first)
        assert same(rings["ROI_0_part2"][1], Polygon(second.exterior))
        assert same(rings["ROI_0_part2_hole1"][1], Polygon(second.interiors[0]))

    def test_a_derived_class_is_named_in_full(self, runs: Any) -> None:
        assert runs.rings("modern", "CMU-1")["ROI_0"][0] == "Tumor: Positive"

    def test_no_class_is_an_empty_label(self, runs: Any, quarter: Polygon) -> None:
        label, ring = runs.rings("modern", "CMU-1")["ROI_1"]

        assert label == ""
        assert same(ring, quarter)

    def test_a_repeated_name_becomes_a_number_and_unclassified_is_no_label(self, runs: Any) -> None:
        label, ring = runs.rings("modern", "CMU-1")["ROI_2"]

        assert label == ""
        assert Polygon(ring).bounds == (0, 20_000, 500, 20_300)
        assert "a second annotation is called 'holed': it is written as ROI_2" in runs.logs["modern"]

    def test_nothing_else_is_written(self, runs: Any) -> None:
        assert set(runs.rings("modern", "CMU-1")) == {
            *('left, the "first"', "holed", "holed_hole1", "holed_hole2", "ROI_0", "ROI_0_part2"),
            *("ROI_0_part2_hole1", "ROI_1", "ROI_2"),
        }

    def test_japanese_names_and_classes(self, runs: Any) -> None:
        rings = runs.rings("modern", "胃生検")

        assert {name: label for name, (label, _) in rings.items()} == {"腫瘍": "癌, 高分化"}


class TestCoordinates:
    def test_the_offset_of_the_image_itself_is_added(self, runs: Any, square: Polygon) -> None:
        ring = runs.rings("modern", "胃生検")["腫瘍"][1]

        assert same(ring, translate(square, 271, 86_428))
        assert "offset (271, 86428)" in runs.logs["modern"]

    def test_a_server_without_bounds_has_no_offset(self, runs: Any, quarter: Polygon) -> None:
        assert same(runs.rings("modern", "b")["ROI_0"][1], quarter)

    @pytest.mark.parametrize("turn", ["NONE", "90", "180", "270"])
    def test_a_rotation_in_the_project_is_undone(self, runs: Any, square: Polygon, turn: str) -> None:
        # Arrange: the image is 40 000 x 30 000 before its clockwise turn. Going back is a turn the other way
        # about the centre of the turned image, which then goes to the centre of the untouched one.
        angle = -math.radians(0 if turn == "NONE" else int(turn))
        turned_width, turned_height = (30_000, 40_000) if turn in ("90", "270") else (40_000, 30_000)
        cos, sin = (
            round(math.cos(angle)),
            round(math.sin(angle)),
        )  # y points down: this matrix turns clockwise
        moved = affine_transform(square, [1, 0, 0, 1, -turned_width / 2, -turned_height / 2])
        expected = affine_transform(moved, [cos, -sin, sin, cos, 20_000 + 70, 15_000 + 900])

        # Act
        ring = runs.rings("modern", f"rotated{turn}")["turned"][1]

        # Assert
        assert same(ring, expected)

    def test_a_crop_in_the_project_is_undone(self, runs: Any, square: Polygon) -> None:
        assert same(runs.rings("modern", "cropped")["turned"][1], translate(square, 80, 920))

    def test_an_affine_transform_in_the_project_is_undone(self, runs: Any, square: Polygon) -> None:
        expected = affine_transform(square, [2, 0, 0, 2, 10, -20])  # inverse of x/2 - 5, y/2 + 10

        assert same(runs.rings("modern", "affine")["turned"][1], expected)


class TestNesting:
    def test_the_inner_one_of_two_of_a_class_does_not_become_a_hole(self, runs: Any) -> None:
        rings = runs.rings("modern", "nested")

        assert set(rings) == {"outer", "outer_hole1", "island", "other", "beside"}
        assert "'outer' and 'inner' (class 'Tumor') overlap, one inside the other" in runs.logs["modern"]

    def test_one_of_another_class_stays(self, runs: Any) -> None:
        assert runs.rings("modern", "nested")["other"][0] == "Necrosis"


class TestImages:
    def test_ome_tif_goes_as_a_whole_and_other_dots_stay(self, runs: Any) -> None:
        files = {file.name for file in (runs.modern / "ROI").iterdir()}

        assert "b.csv" in files
        assert "S12.345_ _a__.csv" in files
        assert not [name for name in files if name.endswith(".part")]

    def test_a_second_image_of_the_same_name_does_not_overwrite_the_first(self, runs: Any) -> None:
        assert [label for label, _ in runs.rings("modern", "cmu-1 (2)").values()] == ["second"]
        assert "this one goes to 'cmu-1 (2).csv'" in runs.logs["modern"]
        assert len(runs.rings("modern", "CMU-1")) == 9

    def test_images_without_areas_get_no_file_and_are_said(self, runs: Any) -> None:
        assert not (runs.modern / "ROI" / "nothing.csv").exists()
        assert "nothing.svs\n    no annotation with an area, no file written\n" in runs.logs["modern"]
        assert "skipped, no area: Points. NOTE: an older points.csv is still in the folder" in runs.logs["modern"]
        assert (runs.modern / "ROI" / "points.csv").read_text(encoding="utf-8") == "from an earlier run"

    def test_an_image_that_cannot_be_opened_does_not_stop_the_others(self, runs: Any) -> None:
        assert "broken.svs\n    ERROR: not written: java.io.IOException: cannot find" in runs.logs["modern"]

    def test_another_image_does_not_take_the_name_of_one_that_cannot_be_opened(self, runs: Any) -> None:
        assert not (runs.modern / "ROI" / "broken.csv").exists()
        assert (runs.modern / "ROI" / "broken (2).csv").exists()

    def test_the_open_image_is_written_as_it_is_on_the_screen(self, runs: Any) -> None:
        assert [label for label, _ in runs.rings("modern", "open").values()] == ["on the screen"]

    def test_a_renamed_image_is_told_which_name_slidekit_looks_for(self, runs: Any) -> None:
        assert (runs.modern / "ROI" / "Case 7.csv").exists()
        assert "slidekit looks for S12.345.csv" in runs.logs["modern"]

    def test_the_last_lines_count_and_name_the_folder(self, runs: Any) -> None:
        files = [file for file in (runs.modern / "ROI").glob("*.csv") if file.name != "points.csv"]
        rois = sum(len(runs.rings("modern", file.stem)) for file in files)

        done, folder = runs.logs["modern"].splitlines()[-2:]

        assert done == (
            f"Done: {len(files)} image(s) written with {rois} ROI(s); 4 object(s) without an area skipped; "
            "2 image(s) without annotations; 1 image(s) failed."
        )
        assert folder == f"The files are in {runs.modern / 'ROI'}"

    def test_a_second_run_replaces_and_says_so(self, runs: Any) -> None:
        assert "CMU-1.csv (replaced)" in runs.logs["again"]

    def test_without_a_project_the_open_image_goes_beside_its_file(self, runs: Any, square: Polygon) -> None:
        rings = runs.rings("alone", "alone")

        assert same(rings['left, the "first"'][1], square)

    def test_with_nothing_open_it_says_what_to_do(self, runs: Any) -> None:
        assert runs.logs["nothing"].startswith("ERROR: there is neither a project nor an image open.")


@pytest.mark.parametrize("version", ["modern", "legacy"])
def test_read_by_the_nesting_rule_the_file_covers_what_was_drawn(
    runs: Any, version: str, random_images: Any, cover_of_drawn: Any, cover_of_rings: Any
) -> None:
    """Overlaps, nestings, islands, touching shapes of two classes: the union of each class must come back."""
    for image in random_images:
        rings = runs.rings(version, image["name"].removesuffix(".svs"))
        for label in ("Tumor", "Stroma"):
            drawn = cover_of_drawn(image["annotations"], label)
            read = cover_of_rings(rings, label)
            # Crossings of two outlines are rounded: to 0.01 px by QuPath, to 0.001 px by the script.
            assert drawn.symmetric_difference(read).area <= 0.02 * (drawn.length + 1), (image["name"], label)
