"""Pairs of outlines inside each other, and where looking for them ends."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from slidekit.errors import ROIError
from slidekit.slide.roi.containment import containing, group_of, without_copies
from slidekit.slide.roi.drawing import Drawing, Piece, ProblemLog


def piece(number, box, label=None, negative=False, layer=0):
    return Piece(Drawing(f"r{number}", label, (), number + 1, layer, negative), number, shapely.box(*box))


def pairs_of(pieces):
    polygons = np.array([one.polygon for one in pieces], dtype=object)
    outer, inner = containing(pieces, polygons, group_of(pieces), ProblemLog(None))
    return set(zip(outer.tolist(), inner.tolist(), strict=True))


def test_pairs_are_those_that_shapely_finds_one_by_one():
    chance = np.random.default_rng(3)
    corners = chance.integers(0, 60, (200, 2))
    sizes = chance.integers(1, 40, (200, 2))
    pieces = [
        piece(n, (*corner, *(corner + size)), "ab"[n % 2], negative=n % 7 == 0, layer=n % 3)
        for n, (corner, size) in enumerate(zip(corners, sizes, strict=True))
    ]

    expected = {
        (m, n)
        for m, first in enumerate(pieces)
        for n, second in enumerate(pieces)
        if m != n
        and first.polygon.covers(second.polygon)
        and (
            first.drawing.layer == second.drawing.layer
            if first.drawing.negative or second.drawing.negative
            else first.drawing.label == second.drawing.label
        )
    }

    assert pairs_of(pieces) == expected


def test_no_outlines_have_no_pairs():
    assert pairs_of([]) == set()


def test_depth_without_end_is_an_error_that_names_a_region():
    pieces = [piece(n, (n, n, 9000 - n, 9000 - n)) for n in range(1500)]

    with pytest.raises(ROIError, match="lies inside at least") as caught:
        pairs_of(pieces)

    assert caught.value.mend
    assert caught.value.line is not None


def test_copies_are_left_out_whatever_their_first_vertex():
    square = shapely.box(0, 0, 9, 9)
    turned = shapely.Polygon([*square.exterior.coords[1:], square.exterior.coords[1]])
    drawings = [
        Drawing("a", "t", ()),
        Drawing("b", "t", ()),
        Drawing("c", "s", ()),
        Drawing("d", "t", (), negative=True),
    ]
    pieces = [
        Piece(drawing, n, polygon)
        for n, (drawing, polygon) in enumerate(zip(drawings, [square, turned] * 2, strict=True))
    ]
    log = ProblemLog(None)

    kept = without_copies(pieces, log)

    assert [one.drawing.name for one in kept] == ["a", "c", "d"]
    assert [(problem.name, problem.kind) for problem in log.problems] == [("b", "skipped")]
