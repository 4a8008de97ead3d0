"""Labels of slides and tiles, as loaders ask for them."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.annotations import Annotations
from slidekit.collection.tile_join import join_tiles, tile_keys
from slidekit.collection.tile_labels import settle_labels
from slidekit.errors import DatasetError


@dataclass(frozen=True)
class Places:
    slides: tuple[str, ...]
    starts: np.ndarray
    locations: np.ndarray


def places_of(tiles: dict[str, list[tuple[int, int]]]) -> Places:
    counts = [len(found) for found in tiles.values()]
    locations = [place for found in tiles.values() for place in found]
    return Places(tuple(tiles), np.cumsum([0, *counts]), np.array(locations, np.int64).reshape(-1, 2))


TABLE = places_of({"b": [(64, 64), (192, 64)], "a-1": [(64, 64)], "c": [(64, 192), (0, 0)]})
ANNOTATIONS = Annotations.read(
    pd.DataFrame(
        {
            "patient": ["p1", "p2", "p3", "p4"],
            "slide": ["a-1", "b", "c", "elsewhere"],
            "category": ["tumor", "normal", "tumor", "atypia"],
            "grade": ["2", "1", "3.5", "1"],
            "stage": ["I", "", "II", "I"],
        }
    )
)


def settle(labels, **options):
    return settle_labels(labels, TABLE, ANNOTATIONS, **options)


class TestColumns:
    def test_no_labels(self):
        assert settle(None) is None

    def test_names_become_indices_of_all_sorted_names(self):
        labels = settle("category")
        assert (labels.classes, labels.per_tile, labels.used) == (("atypia", "normal", "tumor"), False, None)
        assert labels.values.dtype == np.int64
        assert labels.values.tolist() == [1, 2, 2]

    def test_numbers_become_floats(self):
        labels = settle("grade")
        assert (labels.classes, labels.values.dtype) == (None, np.float32)
        assert labels.values.tolist() == [1, 2, 3.5]

    def test_numbers_as_names(self):
        labels = settle("grade", use_float=False)
        assert labels.classes == ("1", "2", "3.5")
        assert labels.values.tolist() == [0, 1, 2]

    def test_several_outcomes(self):
        labels = settle(["category", "patient"])
        assert labels.values.tolist() == [[1, 1], [2, 0], [2, 2]]
        assert labels.classes is None
        assert labels.outcomes == {"category": ("atypia", "normal", "tumor"), "patient": ("p1", "p2", "p3", "p4")}

    @pytest.mark.parametrize(
        ("labels", "words"),
        [
            ("stage", r"blank for 1 slides: b.*filter\(filter_blank='stage'\)"),
            ("colour", "no column 'colour'.*patient, slide, category"),
            (["category", "grade"], "only grade are numbers"),
            ([], "names no column"),
            (3, "cannot be a int"),
            ("labels.txt", "no column 'labels.txt'"),
            ("labels.csv", "cannot be read"),
        ],
    )
    def test_mistakes(self, labels, words):
        with pytest.raises(DatasetError, match=words):
            settle(labels)

    def test_floats_of_names(self):
        with pytest.raises(DatasetError, match="'atypia', 'normal', 'tumor', not numbers"):
            settle("category", use_float=True)


class TestMappings:
    def test_integers_stay(self):
        labels = settle({"a-1": 1, "b": 0, "c": 7})
        assert (labels.values.dtype, labels.values.tolist(), labels.classes) == (np.int64, [0, 1, 7], None)
        assert settle({"a-1": 1, "b": 0, "c": 7}, use_float=True).values.dtype == np.float32

    def test_slides_without_a_label_are_left_out_and_counted_once(self, caplog):
        with caplog.at_level(logging.WARNING, logger="slidekit"):
            labels = settle({"a-1": "x", "b": None, "zz": "y"})
        assert labels.used.tolist() == [False, True, False]
        assert labels.values.tolist() == [-1, 0, -1]
        assert labels.classes == ("x", "y")
        assert [record.getMessage() for record in caplog.records] == [
            "2 of 3 slides have no label and are left out: b, c."
        ]

    def test_whole_numbers_stay_whole_beside_missing_ones(self):
        for first, second in ((0, 1), (False, True), (np.int32(0), np.int8(1))):
            labels = settle({"a-1": first, "b": second, "c": None})
            assert (labels.values.dtype, labels.values.tolist()) == (np.int64, [1, 0, -1])
            assert labels.used.tolist() == [True, True, False]
        assert settle({"a-1": np.array(3), "b": np.array(1), "c": None}).values.tolist() == [1, 3, -1]

    def test_all_that_is_given_counts(self):
        assert settle({"a-1": 0, "b": 1, "c": 1, "elsewhere": 4}).num_classes == 5
        assert settle({"a-1": 0.5, "b": 1, "c": 1}).num_classes is None
        for found in ({"b": 1, "a-1": 0}, {"b": "y", "a-1": "x"}):
            labels = settle((found, ["x", "y", "z"]))
            assert (labels.values.tolist(), labels.classes, labels.num_classes) == ([1, 0, -1], ("x", "y", "z"), 3)

    def test_codes_are_no_numbers(self):
        rows = Annotations.read(pd.DataFrame({"patient": "p", "slide": ["b", "c"], "code": ["1_1", "1_2"]}))
        assert settle_labels("code", TABLE, rows).classes == ("1_1", "1_2")

    def test_numbers_of_a_column_are_said(self, caplog):
        with caplog.at_level(logging.INFO, logger="slidekit"):
            settle("grade")
        assert "Labels are numbers: grade. use_float=False" in caplog.text

    def test_names_are_compared_as_they_look(self):
        table = places_of({"e\u0301": [(1, 1)], "7": [(1, 1)], "P 1": [(1, 1)]})
        labels = settle_labels({"\u00e9 ": " x", 7: "x ", "P\u00a01": "\u200bx"}, table, ANNOTATIONS)
        assert (labels.values.tolist(), labels.classes, labels.used) == ([0, 0, 0], ("x",), None)
        frame = pd.DataFrame({"Slide": ["\u00e9", "7", "P 1"], "Label ": ["x", " ", np.float32("nan")]})
        assert settle_labels(frame, table, ANNOTATIONS).used.tolist() == [True, False, False]
        frame = pd.DataFrame({"slide": [7.0, None], "label": [1, 2]})
        assert settle_labels(frame, table, ANNOTATIONS).values.tolist() == [-1, 1, -1]

    def test_lists_are_several_outcomes(self):
        labels = settle({"a-1": [1, 2], "b": [3, 4], "c": [5, 6]})
        assert labels.values.tolist() == [[3, 4], [1, 2], [5, 6]]

    def test_floats(self):
        labels = settle({"a-1": 0.5, "b": np.float32(2), "c": float("nan")})
        assert labels.values.dtype == np.float32
        assert labels.used.tolist() == [True, True, False]
        assert labels.values[:2].tolist() == [2, 0.5]

    @pytest.mark.parametrize(
        ("labels", "words"),
        [
            ({"zz": 1}, "None of the 3 slides has a label.*b, a-1, c.*zz"),
            ({}, "None of the 3 slides"),
            ({"b": [1, 2], "c": 3}, "different numbers"),
            ({"b": b"x", "c": b"y"}, "type bytes"),
            ({"b": float("inf")}, "infinite"),
            ({"b": -1, "c": 0}, r"hold -1 \(at 'b'\), which is no class index"),
            ({"b": np.uint64(2**63), "c": np.uint64(1)}, r"9223372036854775808 \(at 'b'\)"),
            ({"b": 1j, "c": 2j}, "complex"),
            ({"b": "x", "c": 1}, "are texts and values of type int, such as 1 at 'c'"),
            ({"b": 2**70, "c": 1}, "int64 or float can hold"),
            ({"b": np.zeros((1, 2)), "c": np.zeros((1, 2))}, "lists or the like"),
            ({"7": 1, 7: 2}, "two labels: 7"),
            (({"b": 2}, ["x", "y"]), "more classes than the 2"),
            ([{"b": 2}], "names of columns"),
        ],
    )
    def test_mistakes(self, labels, words):
        with pytest.raises(DatasetError, match=words):
            settle(labels)


class TestTiles:
    FRAME = pd.DataFrame(
        {"label": ["tumor", "stroma", None, "necrosis"]}, index=["b-192-64", "a-1-64-64", "b-64-64", "other-1-1"]
    )

    def check(self, labels):
        assert labels.per_tile
        assert labels.classes == ("necrosis", "stroma", "tumor")
        assert labels.values.tolist() == [-1, 2, 1, -1, -1]
        assert labels.used.tolist() == [False, True, True, False, False]

    def test_index(self, caplog):
        with caplog.at_level(logging.WARNING, logger="slidekit"):
            self.check(settle(self.FRAME))
        assert [record.getMessage() for record in caplog.records] == [
            "3 of 5 tiles have no label and are left out: all of c."
        ]

    def test_columns(self):
        keys = tile_keys(self.FRAME)
        self.check(settle(keys.assign(outcome=self.FRAME["label"].to_numpy())))

    @pytest.mark.parametrize("suffix", ["csv", "parquet"])
    @pytest.mark.parametrize("by_index", [False, True])
    def test_files(self, tmp_path, suffix, by_index):
        if suffix == "parquet":
            pytest.importorskip("pyarrow")
        frame = self.FRAME if by_index else tile_keys(self.FRAME).assign(label=self.FRAME["label"].to_numpy())
        path = tmp_path / f"labels.{suffix}"
        frame.to_csv(path, index=by_index) if suffix == "csv" else frame.to_parquet(path)
        self.check(settle(path))
        self.check(settle(str(path)))

    def test_several_outcomes(self):
        frame = pd.DataFrame({"x": [0.5, 1], "y": [2.5, 3]}, index=["b-64-64", "c-64-192"])
        labels = settle(frame)
        assert labels.values[labels.used].tolist() == [[0.5, 2.5], [1, 3]]

    def test_rows_of_slides(self, tmp_path):
        (tmp_path / "labels.csv").write_text("slide,outcome\nb,NA\na-1,x\nc,x\n")
        labels = settle(tmp_path / "labels.csv")
        assert (labels.per_tile, labels.classes, labels.values.tolist()) == (False, ("NA", "x"), [0, 1, 1])

    def test_a_tile_at_an_unknown_place_has_no_label(self):
        frame = pd.DataFrame({"label": ["x", "x"]}, index=["c-0-0", "c-64-192"])
        assert settle(frame).used.tolist() == [False, False, False, True, False]

    @pytest.mark.parametrize(
        ("frame", "words"),
        [
            (pd.DataFrame({"label": ["x", "y"]}, index=["b-64-64", "b-64-64"]), "b-64-64 has two different labels"),
            (pd.DataFrame({"label": ["x"]}, index=["q-64-64"]), "None of the 5 tiles.*name q"),
            (pd.DataFrame({"label": ["x"]}), "which tiles its rows are"),
            (pd.DataFrame({"slide": ["b"]}), "no column of labels"),
            (pd.DataFrame({"slide": ["b", "b"], "label": [1, 2]}), "two labels: b"),
            (pd.DataFrame({"slide": ["b"], "loc_x": [0.5], "loc_y": [1], "label": [1]}), "'loc_x'.*no whole number"),
            (pd.DataFrame({"slide": ["b"], "loc_x": [np.inf], "loc_y": [1], "label": [1]}), "no whole number"),
            (pd.DataFrame({"label": ["x", None]}, index=["b-64-64", "b-64-64"]), "in one row and none in another"),
            (pd.DataFrame({"label": ["x"]}, index=["a-1"]), "where rows are slides, the column slide"),
            (pd.DataFrame({"label": ["x"]}, index=["BX-2019-0001"]), "If rows are slides"),
            (pd.DataFrame([["b", 1, 2]], columns=["slide", "label", "label"]), "two columns named 'label'"),
        ],
    )
    def test_mistakes(self, frame, words):
        with pytest.raises(DatasetError, match=words):
            settle(frame)

    def test_a_column_of_slides_is_believed_before_the_index(self):
        table = places_of({"BX-2019-0001": [(5, 5)], "BX-2019-0002": [(5, 5)]})
        frame = pd.DataFrame({"slide": ["BX-2019-0001", "BX-2019-0002"], "label": [1, 0]})
        labels = settle_labels(frame.set_index("slide", drop=False), table, ANNOTATIONS)
        assert (labels.per_tile, labels.values.tolist()) == (False, [1, 0])
        tiles = self.FRAME.assign(slide=["b", "a-1", "b", "other"])
        self.check(settle(tiles))
        self.check(settle(tiles.set_index(pd.CategoricalIndex(tiles.index))))

    def test_patients_and_indexes_are_no_outcomes(self, caplog):
        frame = pd.DataFrame({"Unnamed: 0": [0, 1], "patient": ["p", "q"], "slide": ["b", "c"], "cat": ["x", "y"]})
        with caplog.at_level(logging.INFO, logger="slidekit"):
            labels = settle(frame)
        assert labels.outcomes == {"cat": ("x", "y")}
        assert "Outcomes of the table of labels: cat." in caplog.text

    def test_equal_rows_are_one(self):
        frame = pd.DataFrame({"label": ["x", "x"]}, index=["b-64-64", "b-64-64"])
        assert settle(frame).used.sum() == 1

    @given(st.data())
    @settings(deadline=None, max_examples=40)
    def test_the_join_finds_what_a_loop_finds(self, data):
        place = st.tuples(st.integers(0, 5), st.integers(0, 5))
        tiles = data.draw(st.dictionaries(st.sampled_from("abc"), st.lists(place, unique=True, max_size=6)))
        rows = data.draw(st.lists(st.tuples(st.sampled_from("abcd"), place), unique=True, max_size=20))
        keys = pd.DataFrame([(slide, x, y) for slide, (x, y) in rows], columns=["slide", "loc_x", "loc_y"])
        expected = [
            rows.index((slide, spot)) if (slide, spot) in rows and spot != (0, 0) else -1
            for slide, spots in tiles.items()
            for spot in spots
        ]
        assert join_tiles(keys, places_of(tiles)).tolist() == expected

    def test_many_tiles_are_joined_by_arrays(self):
        grid = np.stack(np.meshgrid(np.arange(1, 201), np.arange(1, 126)), axis=-1).reshape(-1, 2) * 512
        slides = tuple(f"s{number}" for number in range(10))
        places = Places(slides, np.arange(11) * len(grid), np.tile(grid, (10, 1)))
        order = np.random.default_rng(0).permutation(10 * len(grid))
        names = pd.Series(np.repeat(slides, len(grid)))[order].reset_index(drop=True)
        spots = places.locations[order]
        keys = pd.DataFrame({"slide": names, "loc_x": spots[:, 0], "loc_y": spots[:, 1]})
        assert np.array_equal(order[join_tiles(keys, places)], np.arange(len(order)))
