from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely

from slidekit.cells import Segmentation, segment_slide
from slidekit.errors import CellError, ROIError, SpecError
from slidekit.slide.roi import ROI, load_rois, write_roi_geojson
from tests.cells.drawn_slides import ArraySlide, ByColour

SQUARES = [
    np.array([[10, 10], [20, 10], [20, 20], [10, 20]], float),
    np.array([[15, 15], [40, 15], [40, 30], [15, 30], [15, 15]], float),
    np.array([[90, 70], [130, 70], [110, 100]], float),
]


@pytest.fixture
def found(drawn: tuple[ArraySlide, np.ndarray]) -> Segmentation:
    return segment_slide(drawn[0], ByColour(), window_px=60)


@pytest.fixture
def given_cells() -> Segmentation:
    return Segmentation.from_outlines(
        "other", SQUARES, dimensions=(120, 90), slide_mpp=(0.5, 0.25), classes=["tumor", None, "stroma"]
    )


# --- disk ------------------------------------------------------------------------------------------------------


def test_what_is_saved_is_read_back(found: Segmentation, tmp_path: Path) -> None:
    path = found.save(tmp_path)

    again = Segmentation.open(path)

    assert path == tmp_path / "drawn.cells.zarr"
    assert len(again) == len(found) > 20
    assert np.array_equal(again.masks[:], found.masks[:])
    pd.testing.assert_frame_equal(again.table, found.table)
    assert all(np.array_equal(*pair) for pair in zip(again.outlines, found.outlines, strict=True))
    assert again.facts == found.facts
    assert again.parameters == {"name": "by colour", "mpp": 0.5, "margin_um": 16.0}
    with pytest.raises(CellError, match="exists already"):
        found.save(path)
    assert found.save(path, overwrite=True) == path


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "there are no cells"),
        ({}, "is no store of cells"),
        ({"format": "slidekit cells", "schema": 99}, "of version 99"),
        ({"format": "slidekit cells", "schema": 1, "slide": "x"}, "damaged"),
    ],
)
def test_what_is_no_store_of_cells_is_refused(tmp_path: Path, content: dict[str, object] | None, says: str) -> None:
    folder = tmp_path / "x.zarr"
    if content is not None:
        folder.mkdir()
        (folder / "zarr.json").write_text(json.dumps({"zarr_format": 3, "node_type": "group", "attributes": content}))

    with pytest.raises(CellError, match=says) as caught:
        Segmentation.open(folder)

    assert str(folder) in str(caught.value)


def test_an_empty_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(CellError, match="store of cells"):
        Segmentation.open(tmp_path)


# --- regions ---------------------------------------------------------------------------------------------------


def test_a_region_of_the_slides_own_pixels_is_the_masks(found: Segmentation) -> None:
    region = found.region(30, 20, 50, 40, 50, 40)

    assert region.dtype == np.uint32
    assert np.array_equal(region, found.masks[20:60, 30:80])


def test_a_region_is_taken_at_the_centres_of_its_pixels(found: Segmentation) -> None:
    region = found.region(-10.5, 33.25, 180, 90, 37, 23)

    masks = found.masks[:]
    expected = np.zeros((23, 37), np.uint32)
    for row in range(23):
        for column in range(37):
            x, y = -10.5 + (column + 0.5) * 180 / 37, 33.25 + (row + 0.5) * 90 / 23
            if 0 <= x < 150 and 0 <= y < 110:
                expected[row, column] = masks[int(y), int(x)]
    assert np.array_equal(region, expected)


def test_a_region_off_the_slide_is_empty(found: Segmentation) -> None:
    assert not found.region(1000, 0, 10, 10, 5, 5).any()
    with pytest.raises(SpecError):
        found.region(0, 0, 10, 0, 5, 5)


def test_outlines_are_painted_where_there_are_no_masks(given_cells: Segmentation) -> None:
    region = given_cells.region(5, 5, 40, 30, 80, 60)

    y, x = np.indices((60, 80)) / 2 + 5.25
    second = shapely.contains_xy(shapely.Polygon(SQUARES[1]), x, y)
    expected = np.where(shapely.contains_xy(shapely.Polygon(SQUARES[0]), x, y), 1, np.where(second, 2, 0))
    assert given_cells.masks is None
    assert np.array_equal(region, expected)
    assert np.unique(given_cells.region(85, 60, 60, 60, 30, 30)).tolist() == [0, 3]


def test_own_outlines_paint_the_masks(found: Segmentation) -> None:
    cells = Segmentation.from_outlines("drawn", found.outlines, dimensions=(150, 110), slide_mpp=0.5)

    assert np.array_equal(cells.region(0, 0, 150, 110, 150, 110), found.masks[:])


# --- cells from elsewhere --------------------------------------------------------------------------------------


def test_outlines_are_measured(given_cells: Segmentation) -> None:
    table = given_cells.table

    assert table["area_um2"].tolist() == [12.5, 46.875, 75.0]
    assert table["class"].tolist() == ["tumor", None, "stroma"]
    assert given_cells.classes == ("tumor", None, "stroma")
    assert given_cells.centroids()[1].tolist() == [27.5, 22.5]
    assert [len(outline) for outline in given_cells.outlines] == [4, 4, 3]
    assert given_cells.shape == (45, 120)
    assert given_cells.centroids(level0=False)[1].tolist() == [27.5, 11.25]


def test_centroids_alone_have_places_and_no_pixels(tmp_path: Path) -> None:
    cells = Segmentation.from_centroids("dots", [(1.5, 2), (30, 40)], dimensions=(50, 50), slide_mpp=0.25)

    again = Segmentation.open(cells.save(tmp_path))

    assert again.table.columns.tolist() == ["id", "x", "y"]
    assert again.centroids().tolist() == [[1.5, 2], [30, 40]]
    for ask in (lambda: again.outlines, lambda: again.region(0, 0, 5, 5, 5, 5), lambda: again.to_geojson("x")):
        with pytest.raises(CellError, match="only the centroids"):
            ask()
    assert len(Segmentation.from_centroids("none", [], dimensions=(5, 5), slide_mpp=1).table) == 0


def test_what_are_no_cells_is_refused() -> None:
    facts = {"dimensions": (50, 50), "slide_mpp": 0.25}
    for outline in ([[0, 0], [1, 1], [0, 0]], [[0, 0, 1]] * 3, [[0, 0], [1, 1], [np.nan, 2]], ["a"]):
        with pytest.raises(CellError, match="outline of cell 2"):
            Segmentation.from_outlines("x", [SQUARES[0], outline], **facts)
    for centroids in ([1, 2], [["a", "b"]], [[np.inf, 1]]):
        with pytest.raises(CellError, match="Centroids"):
            Segmentation.from_centroids("x", centroids, **facts)
    with pytest.raises(SpecError, match="2 classes for 1 cells"):
        Segmentation.from_centroids("x", [[1, 2]], classes=["a", "b"], **facts)
    with pytest.raises(SpecError, match="slide_mpp"):
        Segmentation.from_centroids("x", [[1, 2]], dimensions=(5, 5), slide_mpp=0)


# --- choosing --------------------------------------------------------------------------------------------------


def test_a_filter_keeps_rows_masks_and_outlines_together(found: Segmentation) -> None:
    limit = float(np.median(found.table["area_um2"]))

    large = found.filter(min_area_um2=limit, max_x=120)

    expected = found.table.query("area_um2 >= @limit and x <= 120")
    assert 0 < len(large) < len(found)
    assert large.table["id"].tolist() == list(range(1, len(large) + 1))
    assert large.table.drop(columns="id").to_numpy().tolist() == expected.drop(columns="id").to_numpy().tolist()
    lookup = np.zeros(len(found) + 1, int)
    lookup[expected["id"]] = large.table["id"]
    assert np.array_equal(large.masks[:], lookup[found.masks[:]])
    assert np.array_equal(large.outlines[-1], found.outlines[expected["id"].iloc[-1] - 1])
    with pytest.raises(SpecError, match="area limits nothing"):
        found.filter(area=3)


def test_regions_choose_by_centroid(found: Segmentation, tmp_path: Path) -> None:
    rois = [ROI("a", None, shapely.box(0, 0, 60, 60)), ROI("b", None, shapely.box(50, 50, 100, 110))]
    write_roi_geojson(tmp_path / "rois.geojson", rois)

    inside, outside = found.apply_rois(rois), found.apply_rois(tmp_path / "rois.geojson", outside=True)

    union = shapely.union_all([roi.polygon for roi in rois])
    truth = [union.covers(shapely.Point(place)) for place in found.centroids()]
    assert len(inside) == sum(truth) > 0
    assert len(outside) == len(found) - len(inside) > 0
    assert len(found.apply_rois([])) == 0
    with pytest.raises(ROIError):
        found.apply_rois(tmp_path / "missing.csv")


def test_what_chooses_no_cells_is_refused(found: Segmentation) -> None:
    with pytest.raises(SpecError, match="chooses no cells"):
        found.take(np.ones(3, np.bool_))


# --- files -----------------------------------------------------------------------------------------------------


def test_geojson_holds_detections_as_qupath_reads_them(found: Segmentation, tmp_path: Path) -> None:
    found.to_geojson(
        tmp_path / "cells.geojson", classes=lambda table: ["big" if a > 9 else None for a in table.area_um2]
    )

    features = json.loads((tmp_path / "cells.geojson").read_text())["features"]
    assert len(features) == len(found)
    for feature, outline, area in zip(features, found.outlines, found.table["area_um2"], strict=True):
        (ring,) = feature["geometry"]["coordinates"]
        assert ring[0] == ring[-1]
        np.testing.assert_allclose(ring[:-1], outline, atol=0.006)
        properties = feature["properties"]
        assert properties["objectType"] == "detection"
        assert properties.get("classification") == ({"name": "big"} if area > 9 else None)
        assert properties["measurements"]["Area µm^2"] == pytest.approx(area, rel=1e-5)


def test_geojson_of_centroids_names_their_own_classes(given_cells: Segmentation, tmp_path: Path) -> None:
    given_cells.to_geojson(tmp_path / "dots.geojson", "centroids", bounds_origin=(5, 2))

    features = json.loads((tmp_path / "dots.geojson").read_text())["features"]
    assert [feature["geometry"] for feature in features][:1] == [{"type": "Point", "coordinates": [10.0, 13.0]}]
    named = [feature["properties"].get("classification", {}).get("name") for feature in features]
    assert named == ["tumor", None, "stroma"]


def test_geojson_of_no_cells_is_valid(tmp_path: Path) -> None:
    none = Segmentation.from_outlines("none", [], dimensions=(5, 5), slide_mpp=1)

    none.to_geojson(tmp_path / "none.geojson")

    assert json.loads((tmp_path / "none.geojson").read_text())["features"] == []


def test_geojson_that_makes_no_sense(found: Segmentation, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="kind"):
        found.to_geojson(tmp_path / "x", "cells")
    with pytest.raises(SpecError, match="1 classes"):
        found.to_geojson(tmp_path / "x", classes=["a"])
    assert list(tmp_path.iterdir()) == []


def test_outlines_for_qupath_are_read_back_as_regions(given_cells: Segmentation, tmp_path: Path) -> None:
    given_cells.to_geojson(tmp_path / "cells.geojson")

    regions = load_rois(tmp_path / "cells.geojson")

    assert sorted(roi.polygon.area for roi in regions) == [100, 375, 600]


def test_csv_is_the_table(given_cells: Segmentation, found: Segmentation, tmp_path: Path) -> None:
    for cells in (found, given_cells):
        cells.to_csv(tmp_path / "cells.csv")

        table = pd.read_csv(tmp_path / "cells.csv").astype({"id": "int64"})
        expected = cells.table.copy()
        if "class" in expected:
            expected["class"] = expected["class"].astype("object").fillna("")
            table["class"] = table["class"].astype("object").fillna("")
        pd.testing.assert_frame_equal(table, expected, check_dtype=False)


def test_a_missing_package_is_named(found: Segmentation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    from slidekit.errors import MissingExtraError

    monkeypatch.setitem(sys.modules, "zarr", None)

    with pytest.raises(MissingExtraError, match=r"slidekit\[cells\]"):
        Segmentation.open(tmp_path)
    assert "drawn" in repr(found)
