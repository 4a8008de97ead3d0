from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slidekit import Dataset, create_project
from slidekit.cells import Segmentation
from slidekit.demo.nuclei import paint_nuclei
from slidekit.errors import CellError, DatasetError, SpecError
from slidekit.extraction.cell_files import export_cells, import_slides
from slidekit.extraction.cell_notes import counts_of
from slidekit.io.slide_tiff import write_tiff
from tests.cells.drawn_slides import ByColour, colour, draw_labels


def _nothing(_: Any) -> np.ndarray:
    return np.zeros((12, 20), bool)


# What cannot be sent to a child runs in this process, which is faster.
KEEP_ALL: dict[str, Any] = {"grayspace_fraction": 1, "report": False, "workers": 1, "qc": [lambda wsi: _nothing(wsi)]}


def _by_colour(margin_um: float = 16.0, fails_on: str = "") -> ByColour:
    class Local(ByColour):
        def prepare(self, slide: Any) -> str:
            if slide.name == fails_on:
                raise ValueError(f"not {fails_on}")
            return super().prepare(slide)

    return Local(margin_um=margin_um)


def _slide(path: Path, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    cells = [(rng.uniform(9, 190), rng.uniform(9, 110), 5.0, 4.0, 0.0) for _ in range(25)]
    return write_tiff(path, [colour(draw_labels((120, 200), cells))], mpp_x=0.5, mpp_y=0.5, compression="deflate")


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    slides = tmp_path / "slides"
    slides.mkdir()
    _slide(slides / "a.tiff", 1)
    _slide(slides / "b.tiff", 2)
    return Dataset(slides=slides, tile_px=16, tile_um=8, tfrecords=tmp_path / "records")


def _status(reports: dict[Path, Any]) -> dict[str, str]:
    return {report.slide: report.status for report in reports.values()}


def test_cells_are_found_kept_and_extracted(dataset: Dataset, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    events = []

    first = dataset.cell_segmentation(8, masks, method=_by_colour(), on_event=events.append)
    again = dataset.cell_segmentation(8, masks, method=_by_colour())
    tiles = dataset.extract_cells(cells=masks, use_edge_tiles=True, **KEEP_ALL)  # as on the command line
    resumed = dataset.extract_cells(masks, use_edge_tiles=True, **KEEP_ALL)

    assert _status(first) == {"a": "done", "b": "done"}
    assert {event.kind for event in events} == {"started", "tiles", "ended"}
    assert _status(again) == {"a": "skipped", "b": "skipped"}
    for report in (*first.values(), *again.values(), *tiles.values(), *resumed.values()):
        cells = Segmentation.open(masks / f"{report.slide}.cells.zarr")
        assert report.kept == len(cells) > 15
    assert _status(resumed) == {"a": "skipped", "b": "skipped"}
    table = (masks / "cells_report.csv").read_text().splitlines()
    assert table[0] == "slide,status,cells,tissue_mm2,cells_per_mm2,reason"
    assert [line.split(",")[:2] for line in table[1:]] == [["a", "done"], ["b", "done"]]


def test_other_cells_are_extracted_anew_and_slides_without_are_skipped(dataset: Dataset, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    for name, places in (("a", [[50, 50], [90, 60]]), ("b", [[50, 50]])):
        seg = Segmentation.from_centroids(name, places, dimensions=(200, 120), slide_mpp=0.5)
        seg.save(masks)
    dataset.extract_cells(masks, apply_masks=False, **KEEP_ALL)
    Segmentation.from_centroids("a", [[50, 50]], dimensions=(200, 120), slide_mpp=0.5).save(masks, overwrite=True)
    (masks / "b.cells.zarr").rename(tmp_path / "away")

    reports = dataset.extract_cells(masks, apply_masks=False, **KEEP_ALL)

    assert _status(reports) == {"a": "done", "b": "skipped"}
    found = {report.slide: report for report in reports.values()}
    assert found["a"].kept == 1
    assert "holds no cells" in found["b"].reason


def test_a_slide_that_fails_is_named_and_takes_no_other_along(dataset: Dataset, tmp_path: Path) -> None:
    masks = tmp_path / "masks"

    reports = dataset.cell_segmentation(8, masks, method=_by_colour(fails_on="b"))

    found = {report.slide: report for report in reports.values()}
    assert _status(reports) == {"a": "done", "b": "failed"}
    assert "not b" in found["b"].reason
    assert not (masks / "b.cells.zarr").exists()
    assert "b,failed" in (masks / "cells_report.csv").read_text()
    assert _status(dataset.cell_segmentation(8, masks, method=_by_colour(fails_on="b"))) == {
        "a": "skipped",
        "b": "failed",
    }


def test_cells_found_otherwise_are_replaced_only_on_demand(dataset: Dataset, tmp_path: Path) -> None:
    masks, only = tmp_path / "masks", dataset.filter({"slide": ["a"]})
    only.cell_segmentation(8, masks, method=_by_colour())

    other = only.cell_segmentation(8, masks, method=_by_colour(20))
    forced = only.cell_segmentation(8, masks, method=_by_colour(20), force=True)

    assert _status(other) == {"a": "failed"}
    assert "overwrite" in next(iter(other.values())).reason
    assert _status(forced) == {"a": "done"}


def test_what_a_run_left_that_was_cut_off_is_its_own(dataset: Dataset, tmp_path: Path) -> None:
    masks, only = tmp_path / "masks", dataset.filter({"slide": ["a"]})
    only.cell_segmentation(8, masks, method=_by_colour())
    note = masks / "a.cells.json"
    note.write_text(json.dumps(json.loads(note.read_text()) | {"digest": None}))

    assert counts_of(masks, "a") is None
    assert _status(only.cell_segmentation(8, masks, method=_by_colour())) == {"a": "done"}
    assert counts_of(masks, "a") is not None


def test_a_run_that_failed_claims_nothing(dataset: Dataset, tmp_path: Path) -> None:
    # Arrange: a run fails, and somebody saves cells of their own then
    masks = tmp_path / "masks"
    dataset.cell_segmentation(8, masks, method=_by_colour(fails_on="a"))
    shutil.copytree(masks / "b.cells.zarr", masks / "a.cells.zarr")

    # Act
    again = dataset.cell_segmentation(8, masks, method=_by_colour())

    # Assert
    assert _status(again) == {"a": "failed", "b": "skipped"}
    assert (masks / "a.cells.zarr" / "zarr.json").read_bytes() == (masks / "b.cells.zarr" / "zarr.json").read_bytes()


def test_masks_that_are_functions_resume(dataset: Dataset, tmp_path: Path) -> None:
    def run() -> dict[str, str]:
        options: dict[str, Any] = {"method": _by_colour(), "mask": [lambda wsi: np.zeros((4, 4), bool), "otsu"]}
        return _status(dataset.cell_segmentation(8, tmp_path / "masks", **options))

    assert (run(), run()) == ({"a": "done", "b": "done"}, {"a": "skipped", "b": "skipped"})


def test_cells_go_to_the_project(tmp_path: Path) -> None:
    (tmp_path / "slides").mkdir()
    _slide(tmp_path / "slides" / "a.tiff", 1)
    project = create_project(tmp_path / "p", slides=tmp_path / "slides")

    found = project.cell_segmentation(8, method=_by_colour())
    tiles = project.extract_cells(16, 8, **KEEP_ALL)

    assert (tmp_path / "p" / "masks" / "a.cells.zarr").is_dir()
    assert sum(next(iter(tiles.values())).counts.values()) == next(iter(found.values())).kept


def test_mistakes_are_found_before_any_work(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no folder for cells"):
        dataset.cell_segmentation(8)
    with pytest.raises(SpecError, match="nonsense"):
        dataset.cell_segmentation(8, tmp_path / "m", method="nonsense")
    with pytest.raises(SpecError, match="mask"):
        dataset.cell_segmentation(8, tmp_path / "m", mask=np.zeros((3, 3), bool))
    with pytest.raises(CellError, match="none of the 2 slides"):
        dataset.extract_cells(tmp_path)
    with pytest.raises(SpecError, match="exclude each other"):
        dataset.extract_tiles(cells=tmp_path, coordinates=tmp_path / "x.csv")


@pytest.mark.parametrize(
    "options", [{"window_px": 0}, {"workers": -1}, {"mpp": 100}, {"diam_um": -1}, {"overlap": 2}, {"diam_mean": "a"}]
)
def test_parameters_without_sense_are_found_before_any_work(
    dataset: Dataset, tmp_path: Path, options: dict[str, Any]
) -> None:
    with pytest.raises(SpecError) as caught:
        dataset.cell_segmentation(dest=tmp_path / "m", **options)

    assert caught.value.mend or "workers" in str(caught.value)
    assert not (tmp_path / "m").exists()


def test_a_folder_that_cannot_be_made_is_told_before_any_work(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    with pytest.raises(CellError, match="folder for cells"):
        dataset.cell_segmentation(8, tmp_path / "file" / "m", method=_by_colour())
    with pytest.raises(CellError, match="folder for cells"):
        import_slides(list(dataset.paths().values()), tmp_path, tmp_path / "file")


def test_artifact_regions_have_no_cells(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "rois").mkdir()
    pen = "roi_name,label,x_base,y_base\np,pen,0,0\np,pen,100,0\np,pen,100,120\np,pen,0,120\n"
    (tmp_path / "rois" / "a.csv").write_text(pen)
    marked = Dataset(slides=tmp_path / "slides", rois=tmp_path / "rois", tfrecords=tmp_path / "t").filter(
        {"slide": ["a"]}
    )

    dataset.cell_segmentation(8, tmp_path / "all", method=_by_colour())
    marked.cell_segmentation(8, tmp_path / "few", method=_by_colour(), artifact_labels="pen")
    with pytest.raises(SpecError, match="artifact_labels"):
        marked.cell_segmentation(8, tmp_path / "x", method=_by_colour(), artifact_labels="pem")

    whole = Segmentation.open(tmp_path / "all" / "a.cells.zarr").centroids()
    found = Segmentation.open(tmp_path / "few" / "a.cells.zarr").centroids()
    assert sorted(found.tolist()) == sorted(whole[whole[:, 0] > 100].tolist())
    assert 0 < len(found) < len(whole)


def test_a_damaged_store_is_told_as_such_and_found_anew_when_it_is_away(dataset: Dataset, tmp_path: Path) -> None:
    masks, only = tmp_path / "masks", dataset.filter({"slide": ["a"]})
    only.cell_segmentation(8, masks, method=_by_colour())
    store = masks / "a.cells.zarr"
    next(path for path in (store / "table/x/c").iterdir()).unlink()

    again = only.cell_segmentation(8, masks, method=_by_colour())
    cut = only.extract_cells(masks, **KEEP_ALL, tile_px=16, tile_um=8)
    shutil.rmtree(store)
    anew = only.cell_segmentation(8, masks, method=_by_colour())

    for reports in (again, cut):
        (report,) = reports.values()
        assert report.status == "failed"
        assert "damaged store of cells (1 of" in report.reason
    assert _status(anew) == {"a": "done"}


def test_a_slide_without_a_scale_says_what_to_give(tmp_path: Path) -> None:
    (tmp_path / "slides").mkdir()
    write_tiff(tmp_path / "slides" / "a.tiff", [np.full((64, 96, 3), 255, np.uint8)], mpp_x=None, mpp_y=None)
    dataset = Dataset(slides=tmp_path / "slides")

    (failed,) = dataset.cell_segmentation(8, tmp_path / "m", method=_by_colour()).values()
    (done,) = dataset.cell_segmentation(8, tmp_path / "m", method=_by_colour(), slide_mpp=0.5).values()

    assert failed.status == "failed"
    assert "slide_mpp=" in failed.reason
    assert done.status == "empty"


def test_cells_are_imported_and_exported_for_many_slides(dataset: Dataset, tmp_path: Path) -> None:
    slides, source, dest = list(dataset.paths().values()), tmp_path / "qupath", tmp_path / "cells"
    source.mkdir()
    square = np.array([[40, 40], [60, 40], [60, 60]], float)
    seg = Segmentation.from_outlines("a", [square], dimensions=(200, 120), slide_mpp=0.5, classes=["x"])
    seg.to_geojson(source / "a.geojson")

    reports = import_slides(slides, source, dest)
    again = import_slides(slides, source, dest)
    replaced = import_slides(slides, source, dest, overwrite=True)
    written = export_cells(dest, ["a", "b"], kind="outlines", csv=True)

    assert _status(reports) == _status(replaced) == {"a": "done", "b": "skipped"}
    assert _status(again) == {"a": "skipped", "b": "skipped"}
    assert again[slides[0]].reason == "Its cells are there already; overwrite=True (--overwrite) replaces them."
    assert [path.name for path in written] == ["a.cells.geojson", "a.cells.csv"]
    assert json.loads(written[0].read_text()) == json.loads((source / "a.geojson").read_text())
    assert counts_of(dest, "a") is not None


def test_slides_are_worked_on_in_children(tmp_path: Path) -> None:
    image = paint_nuclei((60, 50), 0.5, seed=3).image
    (tmp_path / "slides").mkdir()
    write_tiff(tmp_path / "slides" / "a.tiff", [image], mpp_x=0.5, mpp_y=0.5)
    dataset = Dataset(slides=tmp_path / "slides")
    events = []

    reports = dataset.cell_segmentation(8, tmp_path / "m", qc="otsu", threads=1, on_event=events.append)

    found = next(iter(reports.values()))
    assert (found.status, found.kept) == ("done", len(Segmentation.open(tmp_path / "m" / "a.cells.zarr")))
    assert {event.kind for event in events} == {"started", "tiles", "ended"}
    assert found.kept > 3


def test_a_file_of_one_slide_is_not_given_to_several(dataset: Dataset, tmp_path: Path) -> None:
    square = np.array([[40, 40], [60, 40], [60, 60]], float)
    one = Segmentation.from_outlines("a", [square], dimensions=(200, 120), slide_mpp=0.5)
    (tmp_path / "cells").mkdir()
    one.to_geojson(tmp_path / "cells" / "a.cells.geojson")
    slides = list(dataset.paths().values())

    with pytest.raises(CellError, match="holds the cells of one slide, and 2 slides are given"):
        import_slides(slides, tmp_path / "cells" / "a.cells.geojson", tmp_path / "dest")
    # The folder that slidekit itself writes is taken.
    reports = import_slides(slides, tmp_path / "cells", tmp_path / "dest")

    assert _status(reports) == {"a": "done", "b": "skipped"}
