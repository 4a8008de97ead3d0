"""GeoJSON as QuPath and others write it, and the lists of shapes of Slideflow and labelme."""

from __future__ import annotations

import json
import math

import pytest
import shapely

from slidekit.errors import ROIError
from slidekit.slide.roi import load_rois

RING = [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]
HOLE = [[2, 2], [4, 2], [4, 4], [2, 4], [2, 2]]
FAR = [[x + 50, y] for x, y in RING]


def feature(geometry, **properties):
    return {"type": "Feature", "id": "x", "geometry": geometry, "properties": properties}


def polygon(*rings):
    return {"type": "Polygon", "coordinates": list(rings)}


def load(folder, content, suffix=".geojson", **options):
    path = folder / f"slide{suffix}"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return load_rois(path, **options)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda item: {"type": "FeatureCollection", "features": [item]},
        lambda item: [item],
        lambda item: item,
    ],
)
def test_every_form_that_qupath_writes(tmp_path, wrap):
    item = feature(polygon(RING, HOLE), objectType="annotation", name="R 1", classification={"name": "Tumor"})

    found = load(tmp_path, wrap(item))

    assert [(roi.name, roi.label, roi.polygon.area) for roi in found] == [("R 1", "Tumor", 96)]
    assert not found.problems


def test_a_bare_geometry(tmp_path):
    found = load(tmp_path, polygon(RING), ".json")

    assert [(roi.name, roi.label, roi.polygon.area) for roi in found] == [("ROI_0", None, 100)]


@pytest.mark.parametrize(
    ("classification", "label"),
    [
        ({"name": "Tumor", "colorRGB": -3670016}, "Tumor"),
        ({"names": ["Tumor", "Positive"], "color": [1, 2, 3]}, "Tumor: Positive"),
        ("Stroma", "Stroma"),
        ({"colorRGB": -1}, None),
        (None, None),
        (5, None),
        ({"name": " "}, None),
    ],
)
def test_the_classification_is_the_label(tmp_path, classification, label):
    found = load(tmp_path, feature(polygon(RING), classification=classification))

    assert [roi.label for roi in found] == [label]


def test_a_multipolygon_gives_parts_with_their_holes(tmp_path):
    geometry = {"type": "MultiPolygon", "coordinates": [[RING, HOLE], [FAR]]}

    found = load(tmp_path, feature(geometry, name="m", classification={"name": "T"}))

    assert [(roi.name, roi.label, roi.polygon.area) for roi in found] == [
        ("m", "T", 96),
        ("m_part2", "T", 100),
    ]


def test_regions_inside_each_other_stay_both(tmp_path):
    found = load(tmp_path, [feature(polygon(RING), name="tissue"), feature(polygon(HOLE), name="tumor")])

    assert [(roi.name, roi.polygon.area) for roi in found] == [("tissue", 100), ("tumor", 4)]
    assert found.union.area == 100


def test_what_has_no_area_is_counted(tmp_path):
    point, line = {"type": "Point", "coordinates": [1, 2]}, {"type": "LineString", "coordinates": RING}
    empty = {"type": "GeometryCollection", "geometries": []}
    mixed = {"type": "GeometryCollection", "geometries": [point, polygon(RING)]}

    features = [feature(point), feature(line), feature(mixed), feature(None), "x", feature(point), feature(empty)]
    found = load(tmp_path, features)

    assert [(roi.name, roi.polygon.area) for roi in found] == [("ROI_2", 100)]
    said = [problem.what for problem in found.problems]
    assert any(text.startswith("3 x Point") for text in said)
    assert any(text.startswith("1 x LineString") for text in said)
    assert any(text.startswith("1 x feature without geometry") for text in said)
    assert any(text.startswith("1 x GeometryCollection") for text in said)
    assert any("Entry 4" in text for text in said)
    assert {problem.kind for problem in found.problems} == {"skipped"}


@pytest.mark.parametrize(
    "coordinates",
    [
        [],
        [[]],
        None,
        "abc",
        [[[0, 0], [1, 1]]],
        [[0, 0], [1, 0], [1, 1]],
        {"a": 1},
        [[[None, 1], ["x", 2], {}]],
        [7],
    ],
)
@pytest.mark.parametrize("kind", ["Polygon", "MultiPolygon"])
def test_damaged_coordinates_are_problems_not_errors(tmp_path, kind, coordinates):
    found = load(tmp_path, [feature({"type": kind, "coordinates": coordinates}), feature(polygon(RING))])

    assert [roi.name for roi in found] == ["ROI_1"]
    assert found.problems


def test_z_and_duplicate_names(tmp_path):
    ring = [[x, y, 0] for x, y in RING]

    found = load(tmp_path, [feature(polygon(ring), name="t"), feature(polygon(FAR), name="t")])

    assert [roi.name for roi in found] == ["t", "t_2"]
    assert not any(shapely.has_z(roi.polygon) for roi in found)
    assert [problem.kind for problem in found.problems] == ["mended"]


@pytest.mark.parametrize("qupath", [{"objectType": "annotation"}, {"isLocked": False}, {"classification": None}])
def test_the_bounds_are_added_to_what_qupath_wrote(tmp_path, qupath):
    found = load(tmp_path, feature(polygon(RING), **qupath), bounds_origin=(1000, 500))

    assert found.rois[0].polygon.bounds == (1000, 500, 1010, 510)
    assert found.origin == (1000.0, 500.0)
    assert not found.problems


def test_the_bounds_are_not_added_to_other_geojson_and_that_is_said(tmp_path):
    found = load(tmp_path, feature(polygon(RING), other=1), bounds_origin=(1000, 500))

    assert found.rois[0].polygon.bounds == (0, 0, 10, 10)
    assert found.origin == (0.0, 0.0)
    assert [problem.kind for problem in found.problems] == ["warning"]


def test_a_given_origin_goes_before_the_bounds(tmp_path):
    found = load(tmp_path, feature(polygon(RING), isLocked=True), bounds_origin=(1000, 500), roi_origin=(1, 2))

    assert found.rois[0].polygon.bounds == (1, 2, 11, 12)
    assert found.origin == (1.0, 2.0)


def test_bounds_count_before_the_size_of_the_slide(tmp_path):
    found = load(tmp_path, feature(polygon(RING), isLocked=True), bounds_origin=(1000, 500), slide_size=(900, 900))

    assert len(found) == 0
    assert [problem.kind for problem in found.problems] == ["skipped"]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('{"type": "FeatureCollection",\n "features": [', 2, "damaged"),
        ('{"a": 1}', None, "neither"),
        ("[" * 200_000, None, "deep"),
        ('{"shapes": ' + "9" * 5000 + "}", None, "digits"),
    ],
)
def test_damaged_json_is_an_error(tmp_path, text, line, said):
    with pytest.raises(ROIError, match=said) as caught:
        load(tmp_path, text)

    assert caught.value.line == line
    assert caught.value.mend


def test_shapes_of_slideflow_and_labelme(tmp_path):
    content = {
        "shapes": [
            {"points": RING},
            {"points": HOLE, "label": "tumor"},
            {"points": [[100, 100], [110, 120]], "shape_type": "rectangle"},
            {"points": [[200, 200], [200, 210]], "shape_type": "circle", "label": "c"},
            {"points": [[1, 1]], "shape_type": "point"},
            "nonsense",
            {"points": [[3, 3], [9, 3], [9, 9]]},
        ]
    }

    found = load(tmp_path, content, ".json", bounds_origin=(5, 5))

    assert [(roi.name, roi.label) for roi in found] == [
        ("ROI_0", None),
        ("ROI_1", "tumor"),
        ("ROI_2", None),
        ("ROI_3", "c"),
    ]
    areas = [roi.polygon.area for roi in found]
    assert areas == pytest.approx([100 - 18, 4, 200, math.pi * 100], rel=2e-4)
    assert [problem.what[:9] for problem in found.problems] == ["1 x point", "An area n"]
