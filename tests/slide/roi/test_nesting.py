"""Holes of equal labels against even-odd filling (symmetric differences), and the rules around it."""

from __future__ import annotations

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.slide.roi.drawing import Drawing, Piece, ProblemLog
from slidekit.slide.roi.nesting import cut_out, nest


def piece(number, box, label=None, negative=False, layer=0):
    drawing = Drawing(f"r{number}", label, (), number + 1, layer, negative)
    return Piece(drawing, number, shapely.box(*box))


def area_of(pieces):
    return shapely.union_all([found.polygon for found in pieces])


@st.composite
def nested_boxes(draw, depth=4):
    """Boxes that are apart or inside each other, never crossing: a half of a box may hold a smaller one."""
    found = []

    def fill(x0, y0, x1, y1, level):
        if level == 0 or x1 - x0 < 8 or not draw(st.booleans()):
            return
        margin = draw(st.sampled_from([0, 1, 2]))
        box = (x0 + margin, y0 + margin, x1 - margin, y1 - margin)
        if margin or draw(st.booleans()):
            found.append(box)
            box = (box[0] + 1, box[1] + 1, box[2] - 1, box[3] - 1)
        middle = (box[0] + box[2]) / 2
        fill(box[0], box[1], middle - 1, box[3], level - 1)
        fill(middle + 1, box[1], box[2], box[3], level - 1)

    fill(0, 0, 100, 100, depth)
    return draw(st.permutations(found))


@settings(deadline=None, max_examples=60)
@given(boxes=nested_boxes())
def test_equal_labels_fill_even_odd(boxes):
    pieces = [piece(number, box) for number, box in enumerate(boxes)]
    expected = shapely.Polygon()
    for found in pieces:
        expected = expected.symmetric_difference(found.polygon)

    log = ProblemLog(None)
    regions = nest(pieces, log)

    assert area_of(regions).symmetric_difference(expected).area == pytest.approx(0, abs=1e-9)
    assert sum(region.polygon.area for region in regions) == pytest.approx(expected.area)
    assert log.problems == []


@settings(deadline=None, max_examples=40)
@given(boxes=nested_boxes(), labels=st.lists(st.sampled_from(["a", None]), min_size=30, max_size=30))
def test_each_label_is_filled_by_itself(boxes, labels):
    pieces = [piece(n, box, label) for n, (box, label) in enumerate(zip(boxes, labels, strict=False))]

    regions = nest(pieces, ProblemLog(None))

    for label in ("a", None):
        expected = shapely.Polygon()
        for found in pieces:
            if found.drawing.label == label:
                expected = expected.symmetric_difference(found.polygon)
        mine = area_of([region for region in regions if region.drawing.label == label])
        assert mine.symmetric_difference(expected).area == pytest.approx(0, abs=1e-9)


def test_overlapping_regions_stay_and_a_hole_in_both_stays_a_hole():
    regions = nest([piece(0, (0, 0, 20, 20)), piece(1, (5, 5, 40, 30)), piece(2, (8, 8, 12, 12))], ProblemLog(None))

    assert [region.drawing.name for region in regions] == ["r0", "r1"]
    assert not area_of(regions).intersects(shapely.Point(10, 10))


def test_an_outline_drawn_twice_counts_once():
    log = ProblemLog(None)

    regions = nest([piece(0, (0, 0, 9, 9)), piece(1, (0, 0, 9, 9)), piece(2, (0, 0, 9, 9), "a")], log)

    assert [region.drawing.name for region in regions] == ["r0", "r2"]
    assert [(problem.name, problem.kind, problem.line) for problem in log.problems] == [("r1", "skipped", 2)]


def test_a_negative_region_is_a_hole_in_its_layer_whatever_its_label():
    pieces = [
        piece(0, (0, 0, 50, 50), "tumor"),
        piece(1, (10, 10, 40, 40), "necrosis", negative=True),
        piece(2, (20, 20, 30, 30), "tumor"),
        piece(3, (45, -10, 60, 5), None, negative=True),
        piece(4, (0, 0, 50, 50), "other", layer=1),
    ]

    regions = nest(pieces, ProblemLog(None))

    assert [region.drawing.name for region in regions] == ["r0", "r2", "r4"]
    assert [region.polygon.area for region in regions] == [2500 - 900 - 25, 100, 2500]


def test_a_negative_region_alone_is_said():
    log = ProblemLog(None)

    assert nest([piece(0, (0, 0, 5, 5), negative=True)], log) == []
    assert [problem.kind for problem in log.problems] == ["skipped"]


def test_a_negative_region_can_take_all():
    log = ProblemLog(None)

    assert nest([piece(0, (0, 0, 5, 5)), piece(1, (0, 0, 5, 5), negative=True)], log) == []
    assert "Nothing is left" in log.problems[0].what


def test_a_hole_that_cuts_a_region_apart_gives_parts():
    regions = nest([piece(0, (0, 0, 30, 10)), piece(1, (10, 0, 15, 10))], ProblemLog(None))

    assert [region.polygon.area for region in regions] == [150, 100]


def test_exclusions_cut_every_label_and_islands_in_them_too():
    log = ProblemLog(None)
    pieces = [
        piece(0, (0, 0, 50, 50), "tumor"),
        piece(1, (10, 10, 40, 40), "Exclusion", negative=True),
        piece(2, (20, 20, 30, 30), "stroma"),
        piece(3, (12, 0, 20, 60), "stroma"),
        piece(4, (900, 900, 901, 901), "Exclusion", negative=True),
    ]

    regions = cut_out(pieces, log)

    assert [(region.drawing.name, region.polygon.area) for region in regions] == [
        ("r0", 1600),
        ("r3", 160),
        ("r3", 80),
    ]
    assert [(problem.name, problem.kind) for problem in log.problems] == [
        ("r2", "skipped"),
        ("r4", "skipped"),
    ]


def test_many_rings_inside_each_other_take_little_time():
    pieces = [piece(n, (n, n, 2000 - n, 2000 - n)) for n in range(600)]

    regions = nest(pieces, ProblemLog(None))

    assert len(regions) == 300
    assert all(len(region.polygon.interiors) == 1 for region in regions)
