"""A fit in a JSON file."""

from __future__ import annotations

import json

import numpy as np
import pytest

from slidekit import norm
from slidekit.errors import NormalizerError
from slidekit.norm.methods import NEEDS_SOURCE

GOOD = {
    "format": "slidekit.normalizer",
    "version": 1,
    "method": "reinhard",
    "preset": None,
    "tiles": None,
    "fit": {"target_means": [70.0, 20.0, -10.0], "target_stds": [15.0, 9.0, 6.0]},
}


@pytest.mark.parametrize("method", [method for method in norm.METHODS if method not in NEEDS_SOURCE])
def test_comes_back_to_the_last_digit(method, he_tile, tmp_path):
    normalizer = norm.autoselect(method) if method == "augment" else norm.autoselect(method, he_tile(1))

    path = normalizer.save(tmp_path / "fit.json")
    copy = norm.load(path)

    assert copy.method == method
    assert copy.get_fit(as_list=True) == normalizer.get_fit(as_list=True)
    assert np.array_equal(copy.transform(he_tile(2)), normalizer.transform(he_tile(2)))
    assert [file.name for file in tmp_path.iterdir()] == ["fit.json"]


def test_says_where_the_fit_comes_from(he_tile, tmp_path):
    norm.autoselect("macenko", "v2").save(tmp_path / "preset.json")
    norm.autoselect("macenko", [he_tile(1, 32)]).save(tmp_path / "tiles.json")

    preset, tiles = (json.loads((tmp_path / name).read_text()) for name in ("preset.json", "tiles.json"))

    assert (preset["preset"], preset["tiles"]) == ("v2", None)
    assert (tiles["preset"], tiles["tiles"]) == (None, {"used": 1, "left_out": 0})


def test_a_file_that_is_there_is_replaced(tmp_path):
    norm.autoselect("macenko", "v1").save(tmp_path / "fit.json")

    norm.autoselect("reinhard", "v2").save(tmp_path / "fit.json")

    assert norm.load(tmp_path / "fit.json").method == "reinhard"


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        norm.autoselect("macenko").save(tmp_path / "nowhere" / "fit.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "damaged"),
        ("{", "damaged"),
        ("[1]", "not a JSON object"),
        ("{}", "not a file of a stain normaliser"),
        ({"version": 2}, "of version 2"),
        ({"method": "khan"}, "'khan' is not a method"),
        ({"method": 5}, "not text"),
        ({"fit": [1]}, "not an object"),
        ({"fit": {"target_means": [1, 2, 3]}}, "consists of target_means, target_stds"),
        ({"fit": {"target_means": [1, 2, "a"], "target_stds": [1, 1, 1]}}, "not numbers"),
        ({"fit": {"target_means": [1, 2, 3], "target_stds": [1, 1, 0]}}, "above zero"),
    ],
)
def test_a_damaged_file_is_an_error_that_names_it(content, message, tmp_path):
    path = tmp_path / "fit.json"
    path.write_text(content if isinstance(content, str) else json.dumps({**GOOD, **content}))

    with pytest.raises(NormalizerError, match=message) as caught:
        norm.load(path)

    assert caught.value.path == path
    assert caught.value.mend


def test_numbers_that_are_not_finite_are_an_error(tmp_path):
    path = tmp_path / "fit.json"
    path.write_text(json.dumps(GOOD).replace("70.0", "NaN"))

    with pytest.raises(NormalizerError, match="finite"):
        norm.load(path)


def test_bytes_that_are_not_text(tmp_path):
    path = tmp_path / "fit.json"
    path.write_bytes(b"\xff\xfe{}")

    with pytest.raises(NormalizerError, match="UTF-8"):
        norm.load(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(NormalizerError, match=r"nowhere\.json"):
        norm.load(tmp_path / "nowhere.json")


def test_a_file_of_params_says_where_it_belongs(tmp_path):
    path = tmp_path / "params.json"
    path.write_text('{"hp": {}}')

    with pytest.raises(NormalizerError, match="from_params"):
        norm.load(path)
