"""Runs with concentric tiles: folders, what is finished before, what is replaced, and what `verify` finds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slidekit.dataset import Dataset
from slidekit.demo.slides import DemoData
from slidekit.extraction.verify.records import check_records
from slidekit.extraction.verify.slide import check_slide
from slidekit.io.tfrecord import FurtherImage, TileRecord
from slidekit.record_tools.writing import RecordWriter
from slidekit.slide.report_model import SlideReport

OPTIONS = {"qc": "otsu", "save_tiles": True, "report": False, "workers": 1, "max_tiles": 4}


@pytest.fixture
def dataset(demo: DemoData, tmp_path: Path) -> Dataset:
    slide = demo.slides[0].path
    return Dataset(slides=slide, tfrecords=tmp_path / "r", tiles=tmp_path / "t", tile_px=64, tile_um=[64, 256])


def test_a_run_is_finished_replaced_and_verified(dataset: Dataset, tmp_path: Path) -> None:
    # Act: a run, and the same again
    (first,) = dataset.extract_tiles(**OPTIONS).values()
    (again,) = dataset.extract_tiles(**OPTIONS).values()

    # Assert
    folder, loose = tmp_path / "r" / "64px_64um+256um", tmp_path / "t" / "64px_64um+256um" / first.slide
    assert (first.status, again.status) == ("done", "skipped")
    assert json.loads((folder / "extraction.json").read_text())["spec"]["more_um"] == [256.0]
    assert first.further == ("256um",)
    assert "256um: " in first.resampling
    assert len(list(loose.iterdir())) == 8
    assert (dataset.tile_um, dataset.more_um) == (64, (256,))
    report = SlideReport.model_validate_json((folder / f"{first.slide}.json").read_text())
    assert check_slide(folder, report, loose=loose).faults == ()

    # Act: a loose tile of the further size is lost
    lost = next(loose.glob("*_256um.jpg"))
    lost.unlink()
    (fault,) = check_slide(folder, report, loose=loose).faults
    assert lost.stem in fault.what

    # Act: other parameters replace all files of both sizes
    (other,) = dataset.extract_tiles(**{**OPTIONS, "max_tiles": 2, "overwrite": True}).values()
    assert other.kept == 2
    assert len(list(loose.iterdir())) == 4


def test_records_that_lack_a_size_are_found(tmp_path: Path) -> None:
    # Arrange: one that has both sizes, one that has not
    path = tmp_path / "a.tfrecords"
    with RecordWriter(path) as writer:
        for number, further in enumerate([(FurtherImage("256um", b"image"),), ()]):
            writer.append(TileRecord("a", b"image", number, 0, further=further).encode(), (number, 0))

    # Act / Assert
    (fault,) = check_records(path).faults
    assert "1 of 2 records have not the sizes" in fault.what
    assert "has no image of 256um" in fault.what
    (fault,) = check_records(path, further=["512um"]).faults
    assert "2 of 2" in fault.what


def test_images_of_all_sizes_are_decoded(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecords"
    with RecordWriter(path) as writer:
        record = TileRecord("a", b"good", 0, 0, further=(FurtherImage("256um", b"bad"),))
        writer.append(record.encode(), (0, 0))

    def decode(image: bytes) -> tuple[int, int]:
        if image != b"good":
            raise ValueError("broken")
        return 64, 64

    (fault,) = check_records(path, decode=decode).faults
    assert "256um: broken" in fault.what
