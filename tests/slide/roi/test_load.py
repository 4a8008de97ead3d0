"""Finding the file of a slide, and telling the formats apart."""

from __future__ import annotations

import pickle

import pytest
import shapely

from slidekit.errors import ROIError
from slidekit.slide.roi import ROI, ROIProblem, ROISet, find_roi_file, load_rois
from slidekit.slide.roi import load as load_module

CSV = "roi_name,x_base,y_base\na,0,0\na,4,0\na,4,4\n"


def touch(folder, *names):
    for name in names:
        (folder / name).write_text(CSV)


def test_csv_goes_first_then_geojson_json_xml(tmp_path):
    touch(tmp_path, "s.xml", "s.json", "s.geojson", "s.csv", "t.csv", "s2.csv", "s.txt")

    for suffix in ("csv", "geojson", "json", "xml"):
        found = find_roi_file(tmp_path, "s")
        assert found == tmp_path / f"s.{suffix}"
        found.unlink()
    assert find_roi_file(tmp_path, "s") is None


@pytest.mark.parametrize("name", ["s.CSV", "s.GeoJSON", "s.Json", "s.XML", "s.ome.csv"])
def test_the_case_of_the_suffix_and_ome_do_not_matter(tmp_path, name):
    touch(tmp_path, name)

    assert find_roi_file(tmp_path, "s") == tmp_path / name


def test_the_name_without_ome_is_tried_and_the_exact_name_goes_first(tmp_path):
    touch(tmp_path, "s.csv")
    assert find_roi_file(tmp_path, "s.ome") == tmp_path / "s.csv"

    touch(tmp_path, "s.ome.csv")
    assert find_roi_file(tmp_path, "s.ome") == tmp_path / "s.ome.csv"
    assert find_roi_file(tmp_path, "s") == tmp_path / "s.csv"


def test_a_csv_under_the_other_name_goes_before_geojson_under_the_exact_one(tmp_path):
    touch(tmp_path, "s.geojson", "s.ome.csv")

    assert find_roi_file(tmp_path, "s") == tmp_path / "s.ome.csv"


def test_names_with_dots_brackets_and_accents(tmp_path):
    touch(tmp_path, "a.b [1]*.csv", "e\u0301.xml")

    assert find_roi_file(tmp_path, "a.b [1]*") == tmp_path / "a.b [1]*.csv"
    assert find_roi_file(tmp_path, "\u00e9") == tmp_path / "e\u0301.xml"


def test_folders_missing_folders_and_ways_out_hold_nothing(tmp_path):
    (tmp_path / "s.csv").mkdir()
    (tmp_path / "in").mkdir()
    touch(tmp_path, "other.csv")

    assert find_roi_file(tmp_path, "s") is None
    assert find_roi_file(tmp_path / "none", "s") is None
    assert find_roi_file(tmp_path / "in", "../other") is None


@pytest.mark.parametrize("suffix", [".csv", ".txt", ""])
def test_csv_is_known_by_its_content(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    path.write_text(CSV)

    assert [roi.name for roi in load_rois(path)] == ["a"]


def test_json_and_xml_are_known_by_their_content(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('\ufeff  {"type": "Polygon", "coordinates": [[[0,0],[4,0],[4,4]]]}', encoding="utf-8")
    assert len(load_rois(path)) == 1
    path.write_text("<Annotations/>", encoding="utf-16")
    assert len(load_rois(path)) == 0


@pytest.mark.parametrize("suffix", [".json", ".geojson", ".xml"])
def test_content_that_is_nothing_known_is_an_error(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    path.write_text(CSV)

    with pytest.raises(ROIError) as caught:
        load_rois(path)
    assert caught.value.path == path


def test_a_missing_file_and_a_folder_are_errors(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(ROIError, match="cannot be read"):
            load_rois(path)


def test_a_file_too_large_is_refused(tmp_path, monkeypatch):
    touch(tmp_path, "s.csv")
    monkeypatch.setattr(load_module, "MAX_FILE_BYTES", 10)

    with pytest.raises(ROIError, match="limit"):
        load_rois(tmp_path / "s.csv")


def test_roi_origin_moves_every_format(tmp_path):
    touch(tmp_path, "s.csv")

    found = load_rois(tmp_path / "s.csv", bounds_origin=(7, 7), roi_origin=(100, 200))

    assert found.rois[0].polygon.bounds == (100, 200, 104, 204)
    assert found.origin == (100.0, 200.0)
    assert load_rois(tmp_path / "s.csv", bounds_origin=(7, 7)).origin == (0.0, 0.0)


def test_a_set_behaves_like_a_sequence_and_travels_between_processes():
    rois = tuple(ROI(name, label, shapely.box(0, 0, 2, 2)) for name, label in [("a", "z"), ("b", None), ("c", "x")])
    found = ROISet(rois, (ROIProblem(None, None, "a", "Odd.", "warning"),))

    assert (len(found), list(found), found.labels) == (3, list(rois), ("x", "z"))
    assert found.union.area == 4
    assert found.union is found.union
    assert pickle.loads(pickle.dumps(found)) == found
    assert str(found.problems[0]) == "ROI 'a': Odd. (warning)"
    assert ROISet().union.is_empty
