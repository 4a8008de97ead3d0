"""Slides, rows and TFRecords belong together by name, and none is lost without a word."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from slidekit.dataset import Dataset
from slidekit.errors import DatasetError
from slidekit.io.record_index import RecordIndex, index_path, write_index
from slidekit.io.tfrecord import TileRecord, frame
from slidekit.project import create_project, load_project

LABEL = "8px_8um"


def records(folder: Path, tiles: dict[str, int]) -> Path:
    """TFRecords with so many tiles each, and their indexes."""
    (folder / LABEL).mkdir(parents=True)
    for name, count in tiles.items():
        frames = [frame(TileRecord(name, b"image", 10 * tile + 4, 4).encode()) for tile in range(count)]
        path = folder / LABEL / f"{name}.tfrecords"
        path.write_bytes(b"".join(frames))
        lengths = np.array([len(one) for one in frames], np.int64)
        places = np.array([(10 * tile + 4, 4) for tile in range(count)], np.int64).reshape(-1, 2)
        write_index(index_path(path), RecordIndex(np.stack([np.cumsum(lengths) - lengths, lengths], axis=1), places))
    return folder


def rows(slides: str, **columns: object) -> pd.DataFrame:
    return pd.DataFrame({"patient": list(slides), "slide": list(slides), **columns})


def dataset(folder: Path, annotations: pd.DataFrame | None = None, **options: object) -> Dataset:
    return Dataset(tfrecords=folder, tile_px=8, tile_um=8, annotations=annotations, **options)


def weights(loader) -> list[float]:
    found = np.asarray(loader.stream.order.weights)
    return (found / found.sum()).round(6).tolist()


class TestNames:
    def test_two_records_of_one_slide_are_an_error(self, tmp_path: Path) -> None:
        sources = {name: {"tfrecords": str(records(tmp_path / name, {"a": 1}))} for name in ("one", "two")}
        with pytest.raises(DatasetError, match=r"two TFRecords of the slide 'a', or .*: .*one.*two") as error:
            Dataset(sources, tile_px=8, tile_um=8).slides()
        assert error.value.mend
        assert Dataset(sources, "one", tile_px=8, tile_um=8).num_tiles == 1
        with pytest.raises(DatasetError, match="or of what looks like it"):
            dataset(records(tmp_path / "alike", {"e\u0301": 1, "\u00e9": 1})).slides()

    def test_a_name_that_ends_like_a_file(self, tmp_path: Path) -> None:
        folder = tmp_path / "slides"
        folder.mkdir()
        for name in ("a.svs.tif", "b.tif"):
            (folder / name).touch()
        create_project(tmp_path / "study", slides=folder)
        assert load_project(tmp_path / "study").dataset().slides() == ["a.svs", "b"]
        given = pd.DataFrame({"patient": ["p", "q"], "slide": ["a.svs", "b.tif"], "mpp": ["0.5", ""]})
        by_rows = Dataset(slides=folder, annotations=given)
        assert by_rows.patients() == {"a.svs": "p", "b": "q"}
        assert by_rows.mpp() == {"a.svs": 0.5}

    @pytest.mark.parametrize(("file", "row"), [("e\u0301", "\u00e9"), ("\u00e9", "e\u0301")])
    def test_names_that_look_alike(self, tmp_path: Path, file: str, row: str) -> None:
        folder = tmp_path / "slides"
        folder.mkdir()
        (folder / f"{file}.svs").touch()
        place = records(tmp_path / "tfrecords", {row: 3})
        given = pd.DataFrame({"patient": ["p"], "slide": [row], "x": ["y"]})
        found = Dataset(slides=folder, tfrecords=place, tile_px=8, tile_um=8, annotations=given)
        assert (found.slides(), found.num_tiles) == ([file], 3)
        assert found.paths()[file].exists()
        assert found.filter({"slide": row}).slides() == [file]
        assert found.numpy({row: "x"}).num_tiles == found.numpy("x").num_tiles == 3
        (folder / f"{row}.tif").touch()
        with pytest.raises(DatasetError, match="look alike"):
            Dataset(slides=folder).slides()

    def test_records_without_a_row_are_said(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        found = dataset(records(tmp_path, {"a": 1, "zz": 2}), rows("a"))
        with caplog.at_level(logging.WARNING, logger="slidekit"):
            assert found.num_tiles == 1
        assert found.unmatched.slides_without_rows == ("zz",)
        assert "have no row in the annotations and are left out: zz" in caplog.text


class TestCounts:
    def test_an_index_is_believed_before_a_manifest(self, tmp_path: Path) -> None:
        place = records(tmp_path, {"a": 1, "b": 1})
        (place / LABEL / "manifest.json").write_text(
            json.dumps({"a.tfrecords": {"total": 99}, "b.tfrecords": {"total": 0}})
        )
        found = dataset(place, rows("ab"))
        assert found.num_tiles == found.numpy().num_tiles == 2
        assert found.filter(min_tiles=1).slides() == ["a", "b"]
        assert weights(found.balance(strategy="slide").numpy()) == [0.5, 0.5]
        index_path(place / LABEL / "b.tfrecords").unlink()
        assert dataset(place, rows("ab")).balance(strategy="slide").clip(5).numpy().num_tiles == 2

    def test_an_empty_side_is_no_missing_extraction(self, tmp_path: Path) -> None:
        found = dataset(records(tmp_path, {"a": 1, "b": 1}), rows("ab"))
        for call in (found.filter(min_tiles=100).numpy, found.split(val_strategy="none")[1].roi_labels):
            with pytest.raises(DatasetError, match="holds no slide, and there are TFRecords of 8px_8um for 2 slides"):
                call()


class TestLabelsOfLoaders:
    def test_shares_are_those_of_tiles_with_a_label(self, tmp_path: Path) -> None:
        place = records(tmp_path, dict.fromkeys("abcdef", 10))
        found = dataset(place, rows("abcdef", cat=list("xxyyyz"))).balance("cat")
        third, ninth = round(1 / 3, 6), round(1 / 9, 6)
        assert weights(found.numpy(dict.fromkeys("acdef", 0))) == [third, 0, ninth, ninth, ninth, third]
        tiles = pd.DataFrame({"label": [0, 1, 0]}, index=["a-4-4", "c-94-4", "f-4-4"])
        assert weights(found.numpy(tiles)) == [third, 0, third, 0, 0, third]
        assert weights(found.clip(5).numpy(tiles)) == [0.5, 0, 0, 0, 0, 0.5]
        table = pd.DataFrame({"label": 0}, index=["a-4-4", *(f"c-{10 * tile + 4}-4" for tile in range(10))])
        assert weights(found.balance(strategy="tile").numpy(table))[:3] == [round(1 / 11, 6), 0, round(10 / 11, 6)]

    def test_the_width_of_classes_is_that_of_all_labels(self, tmp_path: Path) -> None:
        found = dataset(records(tmp_path, dict.fromkeys("abcd", 1)), rows("abcd", cat=list("xyxz"), num=list("0101")))
        labels = {"a": 0, "b": 2, "c": 0, "d": 1}
        parts = [found.filter({"slide": ["a", "b"]}), found.filter({"slide": ["c", "d"]})]
        assert [part.numpy(labels, onehot=True).stream.num_classes for part in parts] == [3, 3]
        assign = found.harmonize_labels(header="cat")
        few = found.filter({"cat": "x"})
        assert few.numpy(few.labels("cat", assign=assign), onehot=True).stream.num_classes == 3
        with pytest.raises(DatasetError, match="use_float=False"):
            found.numpy("num", onehot=True)
        assert found.numpy("num", onehot=True, use_float=False).stream.num_classes == 2

    def test_clip_comes_before_labels(self, tmp_path: Path) -> None:
        found = dataset(records(tmp_path, {"a": 9}), rows("a")).clip(3)
        with pytest.raises(DatasetError, match="clip, which takes the first tiles of each file whether"):
            found.numpy(pd.DataFrame({"label": [1]}, index=["a-84-4"]))
