from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slidekit.cells import Segmentation, import_cells
from slidekit.cells import feature_stream as stream
from slidekit.cells.detections import measure_name, read_detections
from slidekit.errors import CellError, DatasetError, SpecError
from slidekit.io.slide_tiff import write_tiff

RING = [[10, 10], [30, 10], [30, 20], [10, 20], [10, 10]]
INNER = [[12, 12], [20, 12], [20, 18], [12, 12]]


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    image = np.full((80, 120, 3), 240, np.uint8)
    return write_tiff(tmp_path_factory.mktemp("slides") / "one.tiff", [image], mpp_x=0.5, mpp_y=0.25)


def _feature(ring: Any = RING, kind: str = "Polygon", **properties: Any) -> dict[str, Any]:
    coordinates = [ring] if kind == "Polygon" else ring
    return {
        "type": "Feature",
        "geometry": {"type": kind, "coordinates": coordinates},
        "properties": {"objectType": "detection", **properties},
    }


def _write(path: Path, *features: dict[str, Any], **outer: Any) -> Path:
    path.write_text(json.dumps({"type": "FeatureCollection", **outer, "features": list(features)}), "utf-8")
    return path


def test_qupath_detections_come_with_classes_and_measurements(slide: Path, tmp_path: Path) -> None:
    new = _feature(classification={"name": "Tumor"}, measurements={"Nucleus: Area µm^2": 3.5, "Hematoxylin: Mean": 0.4})
    old = _feature(measurements=[{"name": "Hematoxylin: Mean", "value": 0.2}], classification={"names": ["A", "B"]})
    plain = _feature([[40, 40], [60, 40], [60, 70]])
    path = _write(tmp_path / "one.geojson", new, old, plain)

    cells = import_cells(path, slide)

    assert cells.slide == "one"
    assert cells.dimensions == (120, 80)
    assert cells.classes == ("Tumor", "A: B", None)
    table = cells.table
    assert table["area_um2"].tolist() == pytest.approx([200 * 0.125, 200 * 0.125, 300 * 0.125])
    assert table["hematoxylin"].tolist()[:2] == [0.4, 0.2]
    assert np.isnan(table["hematoxylin"][2])
    assert table["nucleus_area_um2"][0] == 3.5
    assert cells.centroids()[0].tolist() == [20, 15]


def test_of_a_cell_the_nucleus_can_be_taken(slide: Path, tmp_path: Path) -> None:
    cell = _feature() | {"nucleusGeometry": {"type": "Polygon", "coordinates": [INNER]}}
    path = _write(tmp_path / "c.geojson", cell, _feature())

    whole, nuclei = import_cells(path, slide), import_cells(path, slide, geometry="nucleus")

    assert [len(ring) for ring in whole.outlines] == [4, 4]
    assert [len(ring) for ring in nuclei.outlines] == [3, 4]


def test_points_are_centroids_and_annotations_are_no_cells(slide: Path, tmp_path: Path) -> None:
    path = _write(
        tmp_path / "p.geojson",
        _feature([5, 6], "Point"),
        _feature([[7, 8], [9, 10]], "MultiPoint"),
        _feature(objectType="annotation"),
        {"type": "Feature", "id": "PathAnnotationObject", "geometry": {"type": "Polygon", "coordinates": [RING]}},
    )

    cells = import_cells(path, slide)

    assert cells.centroids().tolist() == [[5, 6], [7, 8], [9, 10]]
    assert cells.problems == ("2 annotations are left out",)


def test_of_several_polygons_the_largest_is_the_cell(slide: Path, tmp_path: Path) -> None:
    many = _feature([[INNER], [RING]], "MultiPolygon")
    flat = _feature([[1, 1], [2, 2], [1, 1]])

    cells = import_cells(_write(tmp_path / "m.geojson", many, flat), slide)

    assert len(cells) == 1
    assert cells.table["area_um2"][0] == pytest.approx(25)
    assert cells.problems == ("1 outlines of fewer than three places are left out",)


@pytest.mark.parametrize("kind", ["outlines", "centroids"])
def test_what_is_exported_for_qupath_comes_back(slide: Path, tmp_path: Path, kind: Any) -> None:
    rings = [np.array(RING[:-1], float) + shift for shift in (0.25, 7.5, 33.0)]
    facts: dict[str, Any] = {"dimensions": (120, 80), "slide_mpp": (0.5, 0.25)}
    before = Segmentation.from_outlines("one", rings, classes=["a", None, "b"], **facts)

    after = import_cells(before.to_geojson(tmp_path / "x.geojson", kind), slide)

    assert after.classes == before.classes
    assert np.abs(after.centroids() - before.centroids()).max() <= 0.01
    if kind == "outlines":
        assert all(np.array_equal(*pair) for pair in zip(after.outlines, before.outlines, strict=True))


def test_the_origin_of_mirax_is_added_and_taken_off_again(slide: Path, tmp_path: Path) -> None:
    path = _write(tmp_path / "o.geojson", _feature())

    cells = import_cells(path, slide, bounds_origin=(50, 20))
    again = read_detections(cells.to_geojson(tmp_path / "back.geojson"))

    assert cells.outlines[0].min(axis=0).tolist() == [60, 30]
    assert again.outlines[0].min(axis=0).tolist() == [10, 10]


def test_a_table_of_centroids_keeps_its_order_and_its_classes(slide: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("slide,x,y,class\none,50,60,b\nother,1,1,b\none,10,20,\n")
    microns = tmp_path / "um.csv"
    microns.write_text("x,y\n10,10\n")

    cells, scaled = import_cells(table, slide), import_cells(microns, slide, unit="um")

    assert cells.centroids().tolist() == [[50, 60], [10, 20]]
    assert cells.classes == ("b", None)
    assert scaled.centroids().tolist() == [[20, 40]]


def test_our_own_table_comes_back(slide: Path, tmp_path: Path) -> None:
    facts: dict[str, Any] = {"dimensions": (120, 80), "slide_mpp": 0.5}
    before = Segmentation.from_centroids("one", [[3.25, 4.5], [60, 70]], classes=[None, "NA"], **facts)

    after = import_cells(before.to_csv(tmp_path / "cells.csv"), slide)

    assert np.array_equal(after.centroids(), before.centroids())
    assert after.classes == before.classes


def test_features_are_read_across_the_borders_of_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_BLOCK", 7)
    monkeypatch.setattr(stream, "_LONGEST_HEAD", 60)
    features = [_feature([[k, 0], [k + 1, 0], [k, 1.5]], name="] , [") for k in range(9)]
    path = _write(tmp_path / "f.geojson", *features)
    listed = tmp_path / "l.geojson"
    listed.write_text(json.dumps(features, indent=2))

    assert list(stream.iter_features(path)) == features
    assert list(stream.iter_features(listed)) == features


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no JSON"),
        ('{"type": "FeatureCollection", "features": [{"a": 1}, {', "feature 2"),
        ('{"type": "FeatureCollection", "features": [3]}', "feature 1 is no object"),
        ('{"type": "FeatureCollection", "features": []}', "holds no cells"),
        ('{"a": 1}', "no GeoJSON"),
        ('[{"geometry": {"type": "Polygon", "coordinates": [[[1, "x"], [2, 2], [3, 4]]]}}]', "feature 1"),
        ('[{"geometry": {"type": "Polygon"}}]', "feature 1"),
        ('[{"properties": {"objectType": "annotation"}}]', "1 annotations"),
        ('[{"geometry": {"type": "Point", "coordinates": [500, 1]}}]', "outside of the slide"),
    ],
)
def test_what_is_no_file_of_cells_is_refused(slide: Path, tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "bad.geojson"
    path.write_text(text)

    with pytest.raises(CellError, match=says) as caught:
        import_cells(path, slide)

    assert caught.value.path == path
    assert caught.value.mend


def test_what_cannot_be_told_is_refused(slide: Path, tmp_path: Path) -> None:
    with pytest.raises(CellError, match="cannot be read"):
        import_cells(tmp_path / "no.geojson", slide)
    with pytest.raises(CellError, match="holds no cells that slidekit reads"):
        import_cells(tmp_path / "x.txt", slide)
    with pytest.raises(SpecError, match="geometry"):
        import_cells(tmp_path / "x.geojson", slide, geometry="both")  # type: ignore[arg-type]
    table = tmp_path / "t.csv"
    table.write_text("x,y\n1,2\n3,oops\n")
    with pytest.raises(DatasetError, match="oops"):
        import_cells(table, slide)


def test_measurements_become_columns() -> None:
    assert measure_name("Nucleus: Area µm^2") == "nucleus_area_um2"
    assert measure_name("Hematoxylin: Mean") == "hematoxylin"
    assert measure_name("::") == ""
