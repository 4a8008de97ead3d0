"""Labels of slides by columns, and of tiles by regions of interest."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.annotations import Annotations
from slidekit.collection.label_values import classes_of
from slidekit.collection.tile_labels import settle_labels
from slidekit.dataset import Dataset
from slidekit.errors import AnnotationsError, DatasetError, RecordError
from slidekit.io.record_index import RecordIndex, index_path, write_index
from slidekit.io.tfrecord import TileRecord, frame

ROWS = pd.DataFrame(
    {
        "patient": ["p1", "p1", "p2", "p3"],
        "slide": ["a", "b", "c", "d"],
        "category": ["tumor", "tumor", "normal", "atypia"],
        "grade": ["2", "1.5", "3", "1"],
        "mixed": ["1", "x", "", "2"],
    }
)


def write_records(path, tiles, *, with_index=True):
    """A TFRecord of (x, y, label), as slidekit writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = [frame(TileRecord(path.stem, b"image", x, y, label=label).encode()) for x, y, label in tiles]
    path.write_bytes(b"".join(frames))
    lengths = np.array([len(one) for one in frames], np.int64)
    extents = np.stack([np.cumsum(lengths) - lengths, lengths], axis=1)
    places = np.array([tile[:2] for tile in tiles], np.int64).reshape(-1, 2)
    if with_index:
        write_index(index_path(path), RecordIndex(extents, places))


@pytest.fixture
def dataset(tmp_path):
    for name in "abcd":
        write_records(tmp_path / "tfrecords" / "256px_128um" / f"{name}.tfrecords", [(128, 128, None)])
    return Dataset(tfrecords=tmp_path / "tfrecords", annotations=ROWS, tile_px=256, tile_um=128)


class TestLabels:
    def test_indices_of_sorted_names(self, dataset):
        labels, classes = dataset.labels("category")
        assert labels == {"a": 2, "b": 2, "c": 1, "d": 0}
        assert classes == ["atypia", "normal", "tumor"]

    def test_names(self, dataset):
        assert dataset.labels("category", format="name")[0] == dict(zip("abcd", ROWS["category"], strict=True))

    @pytest.mark.parametrize("use_float", [True, "auto", {"grade": True}])
    def test_numbers(self, dataset, use_float):
        assert dataset.labels("grade", use_float) == ({"a": 2, "b": 1.5, "c": 3, "d": 1}, [1, 1.5, 2, 3])

    def test_several_columns(self, dataset):
        labels, unique = dataset.labels(["category", "grade"], "auto")
        assert labels == {"a": [2, 2], "b": [2, 1.5], "c": [1, 3], "d": [0, 1]}
        assert unique == {"category": ["atypia", "normal", "tumor"], "grade": [1, 1.5, 2, 3]}

    def test_only_filtered_slides_and_their_classes(self, dataset):
        labels, classes = dataset.filter({"category": ["tumor", "normal"]}).labels("category")
        assert labels == {"a": 1, "b": 1, "c": 0}
        assert classes == ["normal", "tumor"]

    @pytest.mark.parametrize("assign", [{"tumor": 0, "normal": 1, "atypia": 2}, {0: "tumor", 1: "normal", 2: "atypia"}])
    def test_indices_that_are_given(self, dataset, assign):
        assert dataset.labels("category", assign=assign) == (
            {"a": 0, "b": 0, "c": 1, "d": 2},
            ["tumor", "normal", "atypia"],
        )

    def test_several_datasets_number_classes_alike(self, dataset):
        few, rest = dataset.filter({"slide": ["a", "b"]}), dataset.filter({"category": ["normal", "atypia"]})
        assign = few.harmonize_labels(rest, header="category")
        assert assign == {"atypia": 0, "normal": 1, "tumor": 2}
        assert few.labels("category", assign=assign)[0] == {"a": 2, "b": 2}

    def test_what_holds_numbers(self, dataset):
        assert dataset.is_float("grade")
        assert not dataset.is_float("mixed")
        assert dataset.filter({"slide": ["a", "d", "c"]}).is_float("mixed")

    @pytest.mark.parametrize(
        ("options", "error", "words"),
        [
            ({"headers": "mixed"}, DatasetError, r"blank for 1 slides: c.*filter\(filter_blank='mixed'\)"),
            ({"headers": "category", "use_float": True}, DatasetError, "'atypia', 'normal', 'tumor', not numbers"),
            ({"headers": "category", "assign": {"tumor": 0}}, DatasetError, "no index for 'atypia', 'normal'"),
            ({"headers": "category", "assign": {"tumor": 1}}, DatasetError, "does not number"),
            ({"headers": "category", "format": "id"}, DatasetError, "format='id'"),
            ({"headers": []}, DatasetError, "no column"),
            ({"headers": "category", "assign": ["tumor"]}, DatasetError, "assign= cannot be a list"),
            ({"headers": "colour"}, AnnotationsError, "no column 'colour'"),
        ],
    )
    def test_mistakes(self, dataset, options, error, words):
        with pytest.raises(error, match=words):
            dataset.labels(**options)

    @given(st.lists(st.text("abcXYZ 09", min_size=1, max_size=3).map(str.strip).filter(bool), min_size=1, max_size=8))
    @settings(deadline=None, max_examples=40)
    def test_an_index_leads_back_to_its_name(self, names):
        classes = classes_of(names)
        assert list(classes) == sorted(set(names))
        frame = pd.DataFrame({"patient": "p", "slide": [f"s{n}" for n in range(len(names))], "x": names})

        class Table:
            slides = tuple(frame["slide"])

        labels = settle_labels("x", Table(), Annotations.read(frame), use_float=False)
        assert [labels.classes[index] for index in labels.values] == names


class TestLabelsOfRegions:
    TILES = ((128, 128, "tumor"), (384, 128, None), (128, 384, "stroma"))

    def test_from_the_table_or_the_records(self, tmp_path):
        place = tmp_path / "tfrecords" / "256px_128um"
        write_records(place / "a.tfrecords", self.TILES, with_index=False)
        write_records(place / "b.tfrecords", [(640, 640, "tumor"), (128, 128, None)])
        (place / "b.tiles.csv").write_text(
            "loc_x,loc_y,grid_x,grid_y,roi_name,label,reason,gray_fraction,white_fraction,normalized,edge\n"
            "640,640,2,2,r,NA,kept,0.1,0.1,0,0\n"
            "128,128,0,0,,,kept,0.1,0.1,0,0\n"
            "384,128,1,0,r,tumor,whitespace,0.1,0.9,0,0\n"
            "896,896,3,3,r,tumor,kept,0.1,0.1,0,0\n"
        )
        dataset = Dataset(tfrecords=tmp_path / "tfrecords", tile_px=256, tile_um=128)

        labels = dataset.roi_labels()

        assert labels.to_dict("index") == {
            "a-128-128": {"slide": "a", "loc_x": 128, "loc_y": 128, "label": "tumor"},
            "a-128-384": {"slide": "a", "loc_x": 128, "loc_y": 384, "label": "stroma"},
            # The last row of the table is of a tile that the TFRecord has not.
            "b-640-640": {"slide": "b", "loc_x": 640, "loc_y": 640, "label": "NA"},
        }

    def test_no_tile_with_a_label(self, dataset):
        labels = dataset.roi_labels()
        assert list(labels.columns) == ["slide", "loc_x", "loc_y", "label"]
        assert labels.empty

    def test_mistakes(self, dataset, tmp_path):
        place = tmp_path / "tfrecords" / "256px_128um"
        with pytest.raises(DatasetError, match="no TFRecords of 512px"):
            Dataset(tfrecords=tmp_path / "tfrecords", tile_px=512, tile_um=128).roi_labels()
        (place / "a.tiles.csv").write_text("loc_x,loc_y\n1,2\n")
        with pytest.raises(DatasetError, match="not a table of tiles"):
            dataset.roi_labels()
        (place / "a.tiles.csv").write_text("loc_x,loc_y,label,reason\n1,2,x,kept\n1,2,x,\n")
        with pytest.raises(DatasetError, match=r"line 3: .*a row without a reason"):
            dataset.roi_labels()
        (place / "a.tiles.csv").unlink()
        (place / "a.tfrecords").write_bytes(b"damage")
        with pytest.raises(RecordError):
            dataset.roi_labels()
