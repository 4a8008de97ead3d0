"""Points, names and problems as they come out of any file."""

from __future__ import annotations

import json

import numpy as np
import pytest

from slidekit.slide.roi import load_rois
from slidekit.slide.roi.drawing import ProblemLog, clean_text, read_points

NAN = float("nan")


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([[1, 2], [3.5, 4]], [[1, 2], [3.5, 4]]),
        ([[1, 2, 9], [3, 4, 9]], [[1, 2], [3, 4]]),
        ([("1", " 2.5 "), ("3", "4")], [[1, 2.5], [3, 4]]),
        ([("1_0", "2"), ("3", "4")], [[NAN, 2], [3, 4]]),
        ([("1", None), ("3", "4")], [[1, NAN], [3, 4]]),
        ([[True, 2], [3, 4]], [[NAN, 2], [3, 4]]),
        ([["12", 5], "34", {}, None, [7]], [[12, 5], *[[NAN, NAN]] * 4]),
        ([[1, 2], [1, 1, 2], [3, 4]], [[1, 2], [NAN, NAN], [3, 4]]),
        ([[1e9, 0], [-1e308, 10**400]], [[1e9, 0], [NAN, NAN]]),
        ([[float("inf"), 1]], [[NAN, 1]]),
        ([], np.empty((0, 2))),
    ],
)
def test_what_is_no_position_becomes_nan(points, expected):
    np.testing.assert_array_equal(read_points(points), expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("tumour Ä 腫瘍", "tumour Ä 腫瘍"), ("a\nb\0c", "a b c"), ("\ud800x", "\ufffdx"), ("x" * 500, "x" * 199 + "…")],
)
def test_names_become_fit_for_a_line(text, expected):
    assert clean_text(text) == expected


def test_problems_beyond_a_thousand_are_counted():
    log = ProblemLog(None)
    for number in range(1500):
        log.add(f"Number {number}.", "skipped" if number % 5 else "mended")

    problems = log.finish()

    assert len(problems) == 1002
    assert {(problem.kind, problem.what.split()[0]) for problem in problems[1000:]} == {
        ("skipped", "400"),
        ("mended", "100"),
    }


def test_odd_names_and_repeated_keys_are_said(tmp_path):
    ring = [[0, 0], [9, 0], [9, 9], [0, 0]]
    feature = {"geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": {"name": "a\ud800\nb"}}
    text = json.dumps(feature).replace('"properties"', '"properties": 1, "properties"')
    (tmp_path / "s.geojson").write_text(text)

    found = load_rois(tmp_path / "s.geojson")

    assert [roi.name for roi in found] == ["a\ufffd b"]
    assert [problem.kind for problem in found.problems] == ["warning", "mended"]
    assert "'properties' twice" in found.problems[0].what
