"""Tiles at given coordinates: those of the grid where its centres are given, and every row accounted for."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from slidekit import Dataset
from slidekit.errors import DatasetError, SpecError
from slidekit.io.example import decode_example
from slidekit.io.tfrecord import TileRecord, iter_records
from slidekit.slide.coordinates import Coordinates
from slidekit.slide.heat_map import assemble_grid
from slidekit.slide.report_model import SlideReport
from slidekit.slide.wsi import WSI

SIZE = {"tile_px": 64, "tile_um": 32}
ALL = {"grayspace_fraction": 1}


def records_of(folder: Path, name: str) -> list[TileRecord]:
    path = folder / f"{name}.tfrecords"
    return [TileRecord.decode(payload, path=path) for _, payload in iter_records(path)]


def centres_of(wsi: WSI) -> np.ndarray:
    boxes = wsi.grid.boxes()
    return (boxes[:, :2] + boxes[:, 2:]) / 2


@pytest.mark.parametrize("stride_div", [1, 2])
@pytest.mark.parametrize(
    ("mpp", "svs", "img_format"),
    [(0.2472, True, "png"), (0.25, True, "jpg"), (0.3611, False, "png")],
)
def test_given_the_centres_of_a_grid_tiles_are_its_bytes(
    make_slide: Callable[..., Path], tissue: np.ndarray, tmp_path: Path, mpp, svs, img_format, stride_div
) -> None:
    # Arrange
    path = make_slide(tissue, (mpp, mpp), svs=svs)
    options = {"img_format": img_format, "qc": "otsu"}
    with WSI(path, **SIZE, stride_div=stride_div, **options) as wsi:
        centres = centres_of(wsi)
        of_grid = wsi.extract_tiles(tmp_path / "grid")

    # Act: rows in any order, as microns, the one time centres and the other time corners
    anchor = "center" if img_format == "png" else "corner"
    given = np.random.default_rng(1).permutation(centres) * mpp - (16 if anchor == "corner" else 0)
    meaning = {"coordinates_unit": "um", "coordinates_anchor": anchor}
    with WSI(path, **SIZE, coordinates=given, **meaning, **options) as wsi:
        of_places = wsi.extract_tiles(tmp_path / "places")

    # Assert: the same tiles, in the same order, but that they are in no column and row
    assert of_places.counts == of_grid.counts
    assert {"kept", "background"} <= of_grid.counts.keys()
    grid, places = records_of(tmp_path / "grid", "slide"), records_of(tmp_path / "places", "slide")
    assert [record.image_raw for record in places] == [record.image_raw for record in grid]
    assert [(record.loc_x, record.loc_y) for record in places] == [(record.loc_x, record.loc_y) for record in grid]
    assert {(record.grid_x, record.grid_y) for record in places} == {(None, None)}


def test_only_the_kept_centres_are_its_bytes_too(tissue_slide: Path) -> None:
    with WSI(tissue_slide, **SIZE, stride_div=2, qc="otsu") as wsi:
        grid = dict(wsi.map(lambda image: image))
        kept = centres_of(wsi)[wsi.fates().taken]
    with WSI(tissue_slide, **SIZE, coordinates=kept) as wsi:
        places = dict(wsi.map(lambda image: image))
    assert places.keys() == grid.keys()
    assert all(np.array_equal(places[at], grid[at]) for at in grid)


def test_every_row_is_accounted_for(tissue_slide: Path, tissue: np.ndarray, tmp_path: Path) -> None:
    # Arrange: kept, kept with the region's label, given twice, off the slide three times, background, outside ROI
    table = pd.DataFrame(
        [(500.5, 380.5, "hot"), (400, 380, None), (500.9, 380.5, "cold"), (-900, 5, "x"), (10, 380, "x"), (990, 4, ""),
         (40, 40, "x"), (500, 600, "x")],
        columns=["x", "y", "label"],
    )  # fmt: skip
    rois = tmp_path / "tissue.csv"
    corners = [(20, 20), (980, 20), (980, 560), (20, 560)]
    rois.write_text("roi_name,label,x_base,y_base\n" + "".join(f"r,tumor,{x},{y}\n" for x, y in corners))
    options = {"rois": rois, "qc": "otsu", "img_format": "png", **ALL}

    # Act
    with WSI(tissue_slide, **SIZE, coordinates=table, **options) as wsi:
        report = wsi.extract_tiles(tmp_path / "out")
        candidates = wsi.get_tile_dataframe()

    # Assert
    assert report.counts == {"outside_slide": 3, "duplicate": 1, "outside_roi": 1, "background": 1, "kept": 2}
    assert list(report.counts)[:3] == ["outside_slide", "duplicate", "outside_roi"]
    assert report.candidates == report.coordinates == 8
    assert report.labels == {"hot": 1, "tumor": 1}
    assert any("differ in their labels (1)" in text for text in report.warnings)
    found = {(r.loc_x, r.loc_y): r for r in records_of(tmp_path / "out", "tissue")}
    assert {at: (r.label, r.roi_name, r.edge) for at, r in found.items()} == {
        (500, 380): ("hot", "r", False),
        (400, 380): ("tumor", "r", False),
    }
    # What Slideflow reads is there, and nothing that says a cell of a grid.
    for _, payload in iter_records(tmp_path / "out" / "tissue.tfrecords"):
        assert decode_example(payload).keys() == {"image_raw", "slide", "loc_x", "loc_y", "roi_name", "label"}
    image = cv2.imdecode(np.frombuffer(found[400, 380].image_raw, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    np.testing.assert_array_equal(image, tissue[348:412, 368:432])
    rows = list(csv.DictReader((tmp_path / "out" / "tissue.tiles.csv").read_text().splitlines()))
    assert {(row["loc_x"], row["grid_x"], row["grid_y"], row["label"]) for row in rows} == {
        ("500", "", "", "hot"),
        ("400", "", "", "tumor"),
    }
    by_row = candidates.set_index("row").sort_index()
    assert by_row["reason"].tolist() == [
        *("kept", "kept", "duplicate", "outside_slide", "outside_slide", "outside_slide", "background", "outside_roi"),
    ]
    assert by_row.loc[0, "label"] == "hot"
    assert "grid_x" not in candidates


def test_over_the_edge_tiles_are_white_where_no_slide_is(tissue_slide: Path, tissue: np.ndarray) -> None:
    with WSI(tissue_slide, **SIZE, coordinates=[[10, 20], [-1, 20], [1000, 4]], use_edge_tiles=True) as wsi:
        assert wsi.get_tile_dataframe()["reason"].tolist() == ["kept", "outside_slide", "outside_slide"]
        i, j = wsi.grid.cells()[0].tolist()
        image = wsi[i, j]
    expected = np.full((64, 64, 3), 255, np.uint8)
    expected[12:, 22:] = tissue[:52, :42]
    np.testing.assert_array_equal(image, expected)


def test_magnifications_and_corners(tissue_slide: Path, tissue: np.ndarray) -> None:
    with WSI(tissue_slide, 64, "20x", coordinates=[[100, 200]], coordinates_anchor="corner") as wsi:
        (image,) = list(wsi)
        assert wsi.shape == (1, 1)
        assert wsi.grid.locations().tolist() == [[132, 232]]
    np.testing.assert_array_equal(image, tissue[200:264, 100:164])


def test_a_tile_has_one_location_however_it_was_asked_for(make_slide: Callable[..., Path], tissue: np.ndarray) -> None:
    path = make_slide(tissue, (0.2472, 0.31))
    with WSI(path, **SIZE) as grid:
        boxes, locations = grid.grid.boxes(), grid.grid.locations()
    loc = pd.DataFrame(locations, columns=["loc_x", "loc_y"])
    microns = pd.DataFrame(boxes[:, :2] * (0.2472, 0.31), columns=["x_um", "y_um"])
    for given, anchor in [
        ((boxes[:, :2] + boxes[:, 2:]) / 2, "center"),
        (boxes[:, :2], "corner"),
        (microns, "corner"),
        (loc, "center"),
        (loc, "corner"),
    ]:
        with WSI(path, **SIZE, coordinates=given, coordinates_anchor=anchor, use_edge_tiles=True) as wsi:
            assert {tuple(at) for at in wsi.grid.locations().tolist()} == {tuple(at) for at in locations.tolist()}
            assert wsi.spec.coordinates_anchor == ("center" if given is loc else anchor)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"stride_div": 2}, SpecError),
        ({"randomize_origin": True}, SpecError),
        ({"origin": (5, 5)}, SpecError),
        ({"coordinates": [[1, 2, 3]]}, SpecError),
        ({"coordinates": pd.DataFrame({"slide": ["other"], "x": [1], "y": [2]})}, DatasetError),
        ({"coordinates": None, "coordinates_unit": "um"}, SpecError),
        ({"coordinates_unit": "mm"}, SpecError),
    ],
)
def test_what_excludes_each_other_is_an_error(tissue_slide: Path, options, error) -> None:
    with pytest.raises(error):
        WSI(tissue_slide, **{**SIZE, "coordinates": [[1, 2]], **options})


def test_what_columns_say_of_their_unit_is_what_is_told(tissue_slide: Path, dataset: Dataset, tmp_path: Path) -> None:
    # Arrange
    table = pd.DataFrame({"slide": ["a"], "x_um": [75.25], "y_um": [75]})

    # Act
    report = run(dataset, table)["a"]
    with WSI(tissue_slide, **SIZE, coordinates=Coordinates.of([[50, 60]], unit="um")) as wsi:
        assert wsi.spec.coordinates_unit == "um"
        assert wsi.grid.locations().tolist() == [[100, 120]]

    # Assert
    assert report.kept == 1
    (record,) = records_of(tmp_path / "tfrecords" / "64px_32um", "a")
    assert (record.loc_x, record.loc_y) == (150, 150)
    assert '"coordinates_unit": "um"' in (tmp_path / "tfrecords" / "64px_32um" / "extraction.json").read_text()


def test_places_of_an_open_slide_stay(tissue_slide: Path) -> None:
    with WSI(tissue_slide, **SIZE) as wsi, pytest.raises(SpecError, match="coordinates"):
        wsi.extract_tiles(coordinates="other.csv")
    with WSI(tissue_slide, **SIZE, coordinates=[[100, 100]]) as wsi, pytest.raises(SpecError, match="given coord"):
        assemble_grid([1.0], [[0, 0]], wsi.grid)


# --- a dataset ---------------------------------------------------------------------------------------------------


@pytest.fixture
def dataset(make_slide: Callable[..., Path], tissue: np.ndarray, tmp_path: Path) -> Dataset:
    paths = [make_slide(tissue[:300, :300], name=name, factors=()) for name in "abc"]
    return Dataset(slides=paths, tfrecords=tmp_path / "tfrecords", **SIZE)


def frame(*rows: tuple[str, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["slide", "x", "y"])


ROWS = [("a", 150, 150), ("a", 200.5, 150), ("b", 150, 150)]


def run(dataset: Dataset, coordinates, **options) -> dict[str, SlideReport]:
    made = dataset.extract_tiles(coordinates=coordinates, workers=1, report=False, **ALL, **options)
    return {report.slide: report for report in made.values()}


def test_a_second_run_takes_only_slides_whose_rows_have_changed(dataset: Dataset, tmp_path: Path) -> None:
    # Arrange
    first = run(dataset, frame(*ROWS))
    folder = tmp_path / "tfrecords" / "64px_32um"
    before = (folder / "a.tfrecords").read_bytes()

    # Act: the other way round, and one row of b elsewhere
    same = run(dataset, frame(*ROWS[::-1]))
    changed = run(dataset, frame(*ROWS[:2], ("b", 151, 150)))

    # Assert
    assert {name: (report.status, report.kept) for name, report in first.items()} == {
        "a": ("done", 2),
        "b": ("done", 1),
        "c": ("skipped", 0),
    }
    assert first["c"].reason == "No coordinates of this slide are in a DataFrame."
    assert [report.reason for report in same.values()][:2] == ["Finished before."] * 2
    assert (changed["a"].status, changed["b"].status) == ("skipped", "done")
    assert (folder / "a.tfrecords").read_bytes() == before
    assert {record.loc_x for record in records_of(folder, "b")} == {151}
    assert '"coordinates_rows": 3' in (folder / "extraction.json").read_text()


def test_of_a_slide_whose_rows_are_gone_nothing_stays_if_it_is_to_be_replaced(dataset: Dataset, tmp_path: Path) -> None:
    # Arrange: c never had rows, and the file of its name is another tool's
    folders = {"tfrecords": tmp_path / "tfrecords", "tiles": tmp_path / "tiles"}
    dataset = Dataset(slides=list(dataset.paths().values()), **folders, **SIZE)
    folder = tmp_path / "tfrecords" / "64px_32um"
    folder.mkdir(parents=True)
    (folder / "c.json").write_text('{"my": "notes"}')
    run(dataset, frame(*ROWS), save_tiles=True)
    before = (folder / "a.tfrecords").read_bytes()
    assert (folder / "b.tfrecords").exists()

    # Act
    kept = run(dataset, frame(*ROWS[:2]), save_tiles=True)
    there = [path.name for path in dataset.tfrecords()]
    reports = run(dataset, frame(*ROWS[:2]), save_tiles=True, overwrite=True)

    # Assert: a table of other slides costs no tiles
    assert there == ["a.tfrecords", "b.tfrecords"]
    assert kept["b"].reason.endswith(" tiles of an earlier run stay; overwrite=True (--overwrite) removes them.")
    assert {name: report.status for name, report in reports.items()} == dict.fromkeys("abc", "skipped")
    assert reports["b"].reason.endswith("in a DataFrame. The tiles of an earlier run were removed.")
    assert [path.name for path in dataset.tfrecords()] == ["a.tfrecords"]
    assert [path.name for path in folder.glob("b.*")] == ["b.json"]
    assert "b.tfrecords" not in (folder / "manifest.json").read_text()
    assert not (tmp_path / "tiles" / "64px_32um" / "b").exists()
    assert (folder / "a.tfrecords").read_bytes() == before
    assert (folder / "c.json").read_text() == '{"my": "notes"}'


def test_of_two_rows_in_one_pixel_the_label_stays(tissue_slide: Path, tmp_path: Path) -> None:
    table = pd.DataFrame({"x": [500.0, 500.4], "y": [380.0, 380.4], "label": [None, "mitosis"]})
    with WSI(tissue_slide, **SIZE, coordinates=table, **ALL) as wsi:
        report = wsi.extract_tiles(tmp_path / "out")
    assert (report.counts, report.labels, report.warnings) == ({"duplicate": 1, "kept": 1}, {"mitosis": 1}, ())
    (record,) = records_of(tmp_path / "out", "tissue")
    assert record.label == "mitosis"


def test_tiles_of_a_grid_and_of_other_files_do_not_mix(dataset: Dataset, tmp_path: Path) -> None:
    # Arrange
    for name in ("one.csv", "two.csv"):
        frame(*ROWS).to_csv(tmp_path / name, index=False)
    run(dataset, tmp_path / "one.csv")

    # Act / Assert
    for options in ({}, {"coordinates": tmp_path / "two.csv"}):
        with pytest.raises(SpecError, match=r"coordinates: 'one\.csv' before"):
            dataset.extract_tiles(**options, **ALL)
    text = (tmp_path / "tfrecords" / "64px_32um" / "extraction.json").read_text()
    assert '"coordinates": "one.csv"' in text
    assert str(tmp_path) not in text
    again = run(dataset, tmp_path / "two.csv", overwrite=True)
    assert again["a"].status == "done"


def test_mistakes_are_found_before_any_work(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("slide,x,y\na,1,2\na,,2\n")
    for coordinates, said in [(tmp_path / "bad.csv", "line 3"), (frame(("z", 1, 1)), "names none of the 3 slides")]:
        with pytest.raises(DatasetError, match=said):
            run(dataset, coordinates)
    with pytest.raises(SpecError, match="exclude each other"):
        run(dataset, frame(*ROWS), stride_div=2)
    assert not (tmp_path / "tfrecords").exists()


def test_the_table_of_candidates_has_a_row_for_each(dataset: Dataset, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        table = dataset.get_tile_dataframe(coordinates=frame(*ROWS, ("b", 1, 1)))
    assert table.set_index(["slide", "row"])["reason"].to_dict() == {
        ("a", 0): "kept",
        ("a", 1): "kept",
        ("b", 2): "kept",
        ("b", 3): "outside_slide",
    }
    assert table.index.tolist() == ["a-150-150", "a-200-150", "b-150-150", "b-1-1"]


def test_a_dry_run_counts_the_same(dataset: Dataset, tmp_path: Path) -> None:
    dry = run(dataset, frame(*ROWS), dry_run=True)
    assert {name: (report.status, report.kept, report.coordinates) for name, report in dry.items()} == {
        "a": ("done", 2, 2),
        "b": ("done", 1, 1),
        "c": ("skipped", 0, 0),
    }
    assert not (tmp_path / "tfrecords" / "64px_32um").exists()
