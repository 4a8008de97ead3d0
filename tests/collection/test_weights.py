"""What is drawn how often, how many tiles are used, and which slides have enough of them."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.collection.balance import slide_weights
from slidekit.collection.clip import level_off, scale_down
from slidekit.collection.shares import apportion
from slidekit.dataset import Dataset
from slidekit.errors import AnnotationsError, DatasetError
from slidekit.project import create_project

TILES = {"a": 10, "b": 2, "c": 6, "d": 4, "e": 0}
ROWS = pd.DataFrame(
    {
        "patient": ["p1", "p1", "p2", "p3", "p3"],
        "slide": list("abcde"),
        "category": ["x", "x", "x", "y", "y"],
        "site": ["n", "s", "n", "n", "s"],
        "number": ["1", "2", "3", "4", "5"],
        "stage": ["I", "", "II", "I", "I"],
    }
)
COUNTS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 50), min_size=1)


@pytest.fixture
def place(tmp_path):
    place = tmp_path / "tfrecords" / "256px_128um"
    place.mkdir(parents=True)
    for name in TILES:
        (place / f"{name}.tfrecords").touch()
    entries = ", ".join(f'"{name}.tfrecords": {{"total": {count}}}' for name, count in TILES.items())
    (place / "manifest.json").write_text(f"{{{entries}}}")
    return place


@pytest.fixture
def dataset(place):
    return Dataset(tfrecords=place.parent, annotations=ROWS, tile_px=256, tile_um=128)


def weights(dataset):
    found = dataset.prob_weights
    assert sum(found.values()) == pytest.approx(1)
    return {path.rpartition("/")[2][0]: weight for path, weight in found.items()}


def used(dataset):
    return {path.rpartition("/")[2][0]: entry["clipped"] for path, entry in dataset.manifest().items()}


class TestBalance:
    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({"strategy": "tile"}, {"a": 10 / 22, "b": 2 / 22, "c": 6 / 22, "d": 4 / 22, "e": 0}),
            ({"strategy": "slide"}, {"a": 1 / 4, "b": 1 / 4, "c": 1 / 4, "d": 1 / 4, "e": 0}),
            ({"strategy": "patient"}, {"a": 1 / 6, "b": 1 / 6, "c": 1 / 3, "d": 1 / 3, "e": 0}),
            ({"headers": "category"}, {"a": 1 / 6, "b": 1 / 6, "c": 1 / 6, "d": 1 / 2, "e": 0}),
            ({"headers": ["category", "site"]}, {"a": 1 / 6, "b": 1 / 3, "c": 1 / 6, "d": 1 / 3, "e": 0}),
            ({"headers": "number", "force": True}, {"a": 1 / 4, "b": 1 / 4, "c": 1 / 4, "d": 1 / 4, "e": 0}),
        ],
    )
    def test_strategies(self, dataset, options, expected):
        assert weights(dataset.balance(**options)) == pytest.approx(expected)

    def test_a_dataset_does_not_change(self, dataset):
        balanced = dataset.balance("category")
        assert dataset.prob_weights is None
        assert balanced.balance(strategy=None).prob_weights is None

    def test_a_narrower_dataset_has_weights_of_its_own(self, dataset):
        narrow = dataset.balance("category").filter({"slide": ["a", "c", "d"]})
        assert weights(narrow) == pytest.approx({"a": 1 / 4, "c": 1 / 4, "d": 1 / 2})

    def test_weights_count_tiles_that_are_used(self, dataset):
        assert weights(dataset.balance(strategy="tile").clip(4))["a"] == pytest.approx(4 / 14)

    @pytest.mark.parametrize(
        ("options", "error", "words"),
        [
            ({"strategy": "random"}, DatasetError, "category, tile, slide, patient"),
            ({}, DatasetError, "Give headers="),
            ({"headers": "site", "strategy": "slide"}, DatasetError, "do not go with"),
            ({"headers": "number"}, DatasetError, "holds numbers.*force=True"),
            ({"headers": "stage"}, DatasetError, r"blank for 1 slides: b.*filter_blank='stage'"),
            ({"headers": "colour"}, AnnotationsError, "no column 'colour'"),
        ],
    )
    def test_mistakes(self, dataset, options, error, words):
        with pytest.raises(error, match=words):
            dataset.balance(**options)

    @given(tiles=COUNTS, data=st.data())
    @settings(deadline=None, max_examples=60)
    def test_groups_have_equal_shares(self, tiles, data):
        groups = {slide: data.draw(st.sampled_from("xyz")) for slide in tiles}
        found = slide_weights(tiles, groups)
        shares, members = defaultdict(float), defaultdict(set)
        for slide, weight in found.items():
            assert (weight > 0) == (tiles[slide] > 0)
            if weight:
                shares[groups[slide]] += weight
                members[groups[slide]].add(weight)
        assert all(share == pytest.approx(1 / len(shares)) for share in shares.values())
        assert all(len(equal) == 1 for equal in members.values())


class TestClip:
    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({"max_tiles": 5}, {"a": 5, "b": 2, "c": 5, "d": 4, "e": 0}),
            ({"strategy": "slide"}, {"a": 2, "b": 2, "c": 2, "d": 2, "e": 0}),
            ({"strategy": "slide", "max_tiles": 1}, {"a": 1, "b": 1, "c": 1, "d": 1, "e": 0}),
            ({"strategy": "patient"}, {"a": 2, "b": 2, "c": 4, "d": 4, "e": 0}),
            ({"strategy": "patient", "max_tiles": 3}, {"a": 2, "b": 1, "c": 3, "d": 3, "e": 0}),
            ({"strategy": "category", "headers": "category"}, {"a": 2, "b": 1, "c": 1, "d": 4, "e": 0}),
        ],
    )
    def test_strategies(self, dataset, options, expected):
        clipped = dataset.clip(**options)
        assert used(clipped) == expected
        assert clipped.num_tiles == sum(expected.values())
        assert [entry["total"] for entry in clipped.manifest().values()] == list(TILES.values())

    def test_unclip(self, dataset):
        assert dataset.clip(1).unclip().num_tiles == dataset.num_tiles == 22

    def test_a_narrower_dataset_is_clipped_by_its_own_slides(self, dataset):
        assert used(dataset.clip(strategy="slide").filter({"slide": ["a", "c"]})) == {"a": 6, "c": 6}

    def test_summary_says_it(self, dataset, capsys):
        dataset.clip(1).balance(strategy="slide").filter(min_tiles=1, filter_blank="site").summary()
        text = " ".join(capsys.readouterr().out.replace("│", " ").split())
        assert "Tiles 4 after clipping, of 22, balanced" in text
        assert "Filter: tiles at least 1 in a slide" in text
        assert "Filter: not blank site" in text

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({}, "Nothing is said"),
            ({"max_tiles": -1}, "no number of tiles"),
            ({"strategy": "tile"}, "slide, patient, category"),
            ({"strategy": "category"}, "Give headers="),
            ({"strategy": "category", "headers": "stage"}, "blank for 1 slides"),
        ],
    )
    def test_mistakes(self, dataset, options, words):
        with pytest.raises(DatasetError, match=words):
            dataset.clip(**options)

    @given(tiles=COUNTS, most=st.integers(0, 120))
    @settings(deadline=None, max_examples=60)
    def test_levelling_is_even(self, tiles, most):
        taken = level_off(tiles, most)
        assert sum(taken.values()) == min(most, sum(tiles.values()))
        assert all(0 <= taken[slide] <= tiles[slide] for slide in tiles)
        cut = [count for slide, count in taken.items() if count < tiles[slide]]
        assert not cut or max(taken.values()) <= min(cut) + 1

    @given(tiles=COUNTS, most=st.integers(0, 120))
    @settings(deadline=None, max_examples=60)
    def test_scaling_keeps_proportions(self, tiles, most):
        taken, total = scale_down(tiles, most), sum(tiles.values())
        assert sum(taken.values()) == min(most, total)
        assert all(taken[slide] <= count for slide, count in tiles.items())
        if total > most:
            assert all(abs(Fraction(count * most, total) - taken[slide]) < 1 for slide, count in tiles.items())

    def test_whole_shares_are_not_rounded_up(self):
        assert apportion({"a": Fraction(1), "b": Fraction(1, 2)}, 2) == {"a": 1, "b": 1}


class TestMinTiles:
    def test_slides_with_too_few_are_left_out(self, dataset, place):
        assert dataset.filter(min_tiles=4).slides() == ["a", "c", "d"]
        assert dataset.filter(min_tiles=6).filter(min_tiles=4).slides() == ["a", "c"]
        given = Dataset(tfrecords=place.parent, annotations=ROWS, tile_px=256, tile_um=128, min_tiles=1)
        assert (given.slides(), given.min_tiles) == (["a", "b", "c", "d"], 1)
        assert given.remove_filter(min_tiles=True).slides() == given.clear_filters().slides() == list("abcde")

    def test_of_a_project(self, place, tmp_path):
        project = create_project(tmp_path / "study", annotations=ROWS, tfrecords=place.parent)
        assert project.dataset(256, 128, min_tiles=5).slides() == ["a", "c"]

    def test_all_tiles_count_and_not_those_that_are_used(self, dataset):
        assert dataset.clip(1).filter(min_tiles=4).slides() == ["a", "c", "d"]

    def test_slides_without_records_are_left_out(self, dataset, place):
        (place / "a.tfrecords").unlink()
        assert dataset.filter(min_tiles=1).slides() == ["b", "c", "d"]

    def test_a_file_that_changes_is_counted_again(self, dataset, place):
        assert dataset.filter(min_tiles=10).slides() == ["a"]
        (place / "manifest.json").write_text('{"a.tfrecords": {"total": 3}}')
        (place / "a.tfrecords").write_bytes(b"x")
        assert dataset.filter(min_tiles=10).slides() == []

    def test_numbers_of_numpy(self, dataset):
        assert dataset.filter(min_tiles=np.int64(4)).slides() == ["a", "c", "d"]
        assert dataset.clip(np.int64(1)).num_tiles == 4

    @pytest.mark.parametrize("wrong", [-1, 1.5, True])
    def test_no_number(self, dataset, wrong):
        with pytest.raises(DatasetError, match="no number of tiles"):
            dataset.filter(min_tiles=wrong)

    def test_a_size_is_needed(self, place):
        with pytest.raises(DatasetError, match="tile_px="):
            Dataset(tfrecords=place.parent, annotations=ROWS, min_tiles=3)


class TestBlank:
    def test_it_can_be_removed_again(self, dataset):
        filled = dataset.filter(filter_blank="stage")
        assert (filled.slides(), filled.filter_blank) == (["a", "c", "d", "e"], ["stage"])
        assert filled.remove_filter(filter_blank="stage").slides() == list("abcde")
        assert filled.filter({"site": "n"}).remove_filter(filters="site").slides() == ["a", "c", "d", "e"]
        with pytest.raises(DatasetError, match=r"There is no filter that 'site' is not blank.*stage"):
            filled.remove_filter(filter_blank=["site"])

    def test_both_conditions_on_a_column(self, dataset):
        assert dataset.filter({"stage": ["", "I"]}, filter_blank="stage").slides() == ["a", "d", "e"]
