"""What is mended, skipped or worth a word, whatever the format."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.slide.roi.drawing import Drawing, Piece, ProblemLog
from slidekit.slide.roi.validate import mend, name_regions, on_slide


def drawing(*rings, name="a"):
    return Drawing(name, None, (tuple(np.array(ring, float) for ring in rings),), 7)


def star(points):
    return [(math.cos(math.tau * 2 * k / points), math.sin(math.tau * 2 * k / points)) for k in range(points)]


def test_a_bow_tie_becomes_two_parts_with_all_of_its_area():
    log = ProblemLog(None)

    pieces = mend([drawing([(0, 0), (10, 10), (10, 0), (0, 10)])], log)
    rois = name_regions(pieces, log)

    assert [(roi.name, roi.polygon.area) for roi in rois] == [("a", 25), ("a_part2", 25)]
    (problem,) = log.problems
    assert (problem.kind, problem.name, problem.line) == ("mended", "a", 7)
    assert "2 parts" in problem.what


def test_area_that_an_outline_goes_around_twice_is_no_hole():
    (piece,) = mend([drawing(star(5))], ProblemLog(None))

    inner = math.cos(math.radians(72)) / math.cos(math.radians(36))
    assert piece.polygon.area == pytest.approx(5 * inner * math.sin(math.radians(36)))


def test_a_line_has_no_area():
    log = ProblemLog(None)

    assert mend([drawing([(0, 0), (5, 5), (9, 9)])], log) == []
    assert [(problem.kind, "no area" in problem.what) for problem in log.problems] == [("skipped", True)]


def test_points_that_are_no_numbers_are_left_out_and_said():
    log = ProblemLog(None)

    (piece,) = mend([drawing([(0, 0), (4, 0), (np.nan, 2), (4, 4), (np.inf, 0), (0, 4), (1e12, 0)])], log)

    assert piece.polygon.area == 16
    assert [(problem.kind, problem.what[:5]) for problem in log.problems] == [("mended", "3 of ")]


def test_a_hole_that_is_none_is_left_out_and_said():
    log = ProblemLog(None)

    (piece,) = mend([drawing([(0, 0), (4, 0), (4, 4), (0, 4)], [(1, 1), (2, 2)])], log)

    assert piece.polygon.area == 16
    assert [problem.kind for problem in log.problems] == ["mended"]


def test_a_drawing_without_rings_is_said():
    log = ProblemLog(None)

    assert mend([Drawing("a", None, ((),))], log) == []
    assert [problem.kind for problem in log.problems] == ["skipped"]


@settings(deadline=None, max_examples=80)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=0, max_size=12))
def test_anything_becomes_valid_polygons_or_a_problem(points):
    log = ProblemLog(None)

    pieces = mend([drawing(points)] if points else [Drawing("a", None, ((np.empty((0, 2)),),))], log)

    assert all(piece.polygon.is_valid and piece.polygon.area > 0 for piece in pieces)
    assert pieces or log.problems
    if not log.problems:
        x, y = np.array(points, float).T
        shoelace = abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2
        assert sum(piece.polygon.area for piece in pieces) == pytest.approx(shoelace)


def boxes(*bounds):
    from shapely import box

    return [Piece(Drawing(f"r{number}", None, (), number), number, box(*found)) for number, found in enumerate(bounds)]


def test_outside_of_the_slide_is_skipped_and_partly_outside_is_said():
    log = ProblemLog(None)
    pieces = boxes((0, 0, 100, 50), (-5, 0, 5, 5), (100, 0, 110, 9), (200, 200, 210, 210), (-0.5, 0, 100.5, 50.5))

    kept = on_slide(pieces, (100, 50), log)

    assert [piece.drawing.name for piece in kept] == ["r0", "r1", "r4"]
    assert [(problem.name, problem.kind) for problem in log.problems] == [
        ("r1", "warning"),
        ("r2", "skipped"),
        ("r3", "skipped"),
    ]
    assert "100 x 50 pixels" in log.problems[0].what


def test_without_the_size_of_the_slide_nothing_is_checked():
    log = ProblemLog(None)

    assert len(on_slide(boxes((-5, -5, -1, -1)), None, log)) == 1
    assert not log.problems


def test_names_become_unique_without_taking_names_of_others():
    log = ProblemLog(None)
    pieces = [
        Piece(Drawing(name, None, ()), number, boxes((0, 0, 1, 1))[0].polygon)
        for number, name in enumerate(["a", "a", "a_2", "a"])
    ]

    rois = name_regions(pieces, log)

    assert [roi.name for roi in rois] == ["a", "a_3", "a_2", "a_4"]
    assert [(problem.name, problem.kind) for problem in log.problems] == [("a", "mended")]
