"""Selection of cells against a brute-force oracle: one shapely intersection for each cell and region."""

from __future__ import annotations

import time

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely import Polygon

from slidekit.errors import MissingROIError, SpecError
from slidekit.slide.roi import ROI, select_cells
from slidekit.slide.roi.shares import subdivide

SIZE = 64


def grid(cell=8.0, stride=8.0, origin=(0.0, 0.0)):
    starts = np.arange(0, SIZE - cell + 1e-9, stride)
    x, y = (axis.ravel() for axis in np.meshgrid(starts + origin[0], starts + origin[1]))
    return np.column_stack([x, y, x + cell, y + cell])


@st.composite
def polygons(draw):
    """Star-shaped outlines around a point, some with a hole; vertices partly on the lines of the grid."""
    center = np.array([draw(st.integers(8, 56)), draw(st.integers(8, 56))], float)
    corners = draw(st.integers(3, 9))
    radii = [draw(st.floats(4, 30)) for _ in range(corners)]
    angles = np.sort([draw(st.floats(0, 6.28)) for _ in range(corners)])
    ring = center + np.column_stack([radii * np.cos(angles), radii * np.sin(angles)])
    if draw(st.booleans()):
        ring = np.round(ring / 4) * 4
    polygon = shapely.make_valid(Polygon(ring))
    if draw(st.booleans()):
        polygon = polygon.difference(shapely.box(*(center - 3), *(center + draw(st.floats(0.5, 5)))))
    return [part for part in shapely.get_parts(polygon) if part.geom_type == "Polygon" and part.area > 1e-3]


@st.composite
def region_lists(draw):
    parts = [part for found in draw(st.lists(polygons(), min_size=1, max_size=5)) for part in found]
    names = draw(st.permutations([f"r{index}" for index in range(len(parts))]))
    labels = [draw(st.sampled_from(["tumor", "stroma", None])) for _ in parts]
    return [ROI(name, label, part) for name, label, part in zip(names, labels, parts, strict=True)]


def oracle(rois, boxes, filter_method):
    """Inside, outside, and the region, by the words of the rule; a loop over cells and regions."""
    union = shapely.union_all([roi.polygon for roi in rois])
    inside, outside, index = [], [], []
    for x0, y0, x1, y1 in boxes:
        cell = shapely.box(x0, y0, x1, y1)
        if filter_method == "center":
            center = shapely.Point((x0 + x1) / 2, (y0 + y1) / 2)
            weights = [1.0 if roi.polygon.covers(center) else 0.0 for roi in rois]
            taken = max(weights, default=0) > 0
            free = not taken
        else:
            weights = [cell.intersection(roi.polygon).area / cell.area for roi in rois]
            share = cell.intersection(union).area / cell.area
            taken, free = share > filter_method + 1e-9, 1 - share > filter_method + 1e-9
        best = max(weights, default=0)
        claims = [number for number, weight in enumerate(weights) if weight > 0 and weight >= best - 1e-9]
        claims.sort(key=lambda number: (round(rois[number].polygon.area, 7), rois[number].name))
        inside.append(taken)
        outside.append(free)
        index.append(claims[0] if taken else -1)
    return np.array(inside), np.array(outside), np.array(index)


@settings(deadline=None, max_examples=75, suppress_health_check=[HealthCheck.too_slow])
@given(
    rois=region_lists(),
    filter_method=st.one_of(st.just("center"), st.sampled_from([0.0, 0.25, 0.5, 0.75]), st.floats(0, 0.99)),
    boxes=st.sampled_from([grid(), grid(8, 4), grid(10.5, 7.3, (0.37, -3.1)), grid(20, 5)]),
)
def test_every_method_agrees_with_the_oracle(rois, filter_method, boxes):
    inside, outside, index = oracle(rois, boxes, filter_method)

    for method, expected in {
        "inside": inside,
        "auto": inside if rois else np.ones(len(boxes), bool),
        "outside": outside,
        "ignore": np.ones(len(boxes), bool),
    }.items():
        if method in ("inside", "outside") and not rois:
            continue
        selection = select_cells(rois, boxes, method=method, filter_method=filter_method)
        np.testing.assert_array_equal(selection.inside, expected)
        np.testing.assert_array_equal(selection.roi_index, index)
        assert selection.inside.dtype == np.bool_
        assert selection.roi_index.dtype == np.int64


def test_a_center_on_the_boundary_is_inside():
    rois = [ROI("a", None, Polygon([(4, 0), (20, 0), (20, 20), (4, 20)]))]
    boxes = np.array([[0, 0, 8, 8], [-0.001, 0, 7.999, 8]], float)

    assert select_cells(rois, boxes, method="inside").inside.tolist() == [True, False]
    assert select_cells(rois, boxes, method="outside").inside.tolist() == [False, True]


def test_a_share_must_be_strictly_greater():
    rois = [ROI("a", None, shapely.box(0, 0, 5, 10))]
    cell = np.array([[0, 0, 10, 10]], float)

    assert not select_cells(rois, cell, method="inside", filter_method=0.5).inside[0]
    assert not select_cells(rois, cell, method="outside", filter_method=0.5).inside[0]
    assert select_cells(rois, cell, method="inside", filter_method=0.4999).inside[0]
    assert select_cells(rois, cell, method="outside", filter_method=0.4999).inside[0]


def test_the_share_is_of_the_union_not_the_sum():
    rois = [ROI("a", None, shapely.box(0, 0, 4, 10)), ROI("b", None, shapely.box(0, 0, 4, 9))]
    cell = np.array([[0, 0, 10, 10]], float)

    assert not select_cells(rois, cell, method="inside", filter_method=0.5).inside[0]


def test_ties_go_to_the_smaller_polygon_then_to_the_earlier_name():
    large, small = shapely.box(0, 0, 30, 30), shapely.box(0, 0, 20, 20)
    rois = [ROI("a", "tissue", large), ROI("z", "tumor", small), ROI("b", "tumor", small)]
    cell = np.array([[2, 2, 10, 10], [21, 21, 29, 29], [40, 40, 48, 48]], float)

    for filter_method in ("center", 0.5):
        assert select_cells(rois, cell, filter_method=filter_method).roi_index.tolist() == [2, 0, -1]


def test_the_largest_share_wins_the_label():
    rois = [ROI("a", "left", shapely.box(0, 0, 3, 10)), ROI("b", "right", shapely.box(3, 0, 10, 10))]
    cell = np.array([[0, 0, 10, 10]], float)

    assert select_cells(rois, cell, filter_method=0.5).roi_index.tolist() == [1]


def test_the_order_of_the_regions_does_not_matter():
    rois = [ROI("a", "x", shapely.box(0, 0, 40, 40)), ROI("b", "y", shapely.box(10, 10, 50, 50))]
    boxes = grid()

    for filter_method in ("center", 0.3):
        first = select_cells(rois, boxes, filter_method=filter_method).roi_index
        second = select_cells(rois[::-1], boxes, filter_method=filter_method).roi_index
        np.testing.assert_array_equal(np.where(first < 0, -1, first), np.where(second < 0, -1, 1 - second))


def test_without_regions():
    boxes = grid()
    for method in ("auto", "ignore"):
        selection = select_cells([], boxes, method=method)
        assert selection.inside.all()
        assert (selection.roi_index == -1).all()
    for method in ("inside", "outside"):
        with pytest.raises(MissingROIError, match="auto"):
            select_cells([], boxes, method=method)


def test_without_cells():
    selection = select_cells([ROI("a", None, shapely.box(0, 0, 1, 1))], np.empty((0, 4)), filter_method=0.5)

    assert selection.inside.shape == selection.roi_index.shape == (0,)


@pytest.mark.parametrize("filter_method", [-0.1, 1, 1.0, float("nan"), "centre", True])
def test_a_senseless_filter_method_is_refused(filter_method):
    with pytest.raises(SpecError, match="roi_filter_method"):
        select_cells([], grid(), filter_method=filter_method)


@pytest.mark.parametrize("boxes", [[[0, 0, 0, 1]], [[0, 0, 1, float("nan")]], [[0, 0, 1]]])
def test_senseless_cells_are_refused(boxes):
    with pytest.raises(SpecError):
        select_cells([], np.array(boxes, float))


def test_an_unknown_method_is_refused():
    with pytest.raises(SpecError, match="roi_method"):
        select_cells([], grid(), method="within")


def wavy(center, radius, vertices):
    angle = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    wave = radius * (1 + 0.2 * np.sin(5 * angle) + 0.02 * np.sin(90 * angle))
    return Polygon(np.column_stack([center[0] + wave * np.cos(angle), center[1] + wave * np.sin(angle)]))


def test_large_polygons_are_cut_without_loss():
    polygon = wavy((500, 500), 400, 20_000).difference(wavy((500, 500), 100, 3_000))

    pieces, owner = subdivide([polygon, shapely.box(0, 0, 1, 1)])

    assert shapely.get_num_coordinates(pieces).max() <= 256
    assert np.bincount(owner, weights=shapely.area(pieces)) == pytest.approx([polygon.area, 1], rel=1e-12)
    boxes = grid(40, 40) * 15
    inside, _, index = oracle([ROI("a", None, polygon)], boxes, 0.37)
    found = select_cells([ROI("a", None, polygon)], boxes, method="inside", filter_method=0.37)
    np.testing.assert_array_equal(found.inside, inside)
    np.testing.assert_array_equal(found.roi_index, index)


@pytest.mark.parametrize("filter_method", ["center", 0.5])
def test_a_whole_slide_takes_seconds(filter_method):
    rng = np.random.default_rng(3)
    rois = [ROI(f"r{n}", None, wavy(rng.random(2) * 60_000, 2500, 500)) for n in range(200)]
    start = np.arange(0, 316) * 200.0
    x, y = (axis.ravel() for axis in np.meshgrid(start, start))

    began = time.process_time()
    selection = select_cells(rois, np.column_stack([x, y, x + 200, y + 200]), filter_method=filter_method)
    seconds = time.process_time() - began

    assert 0 < selection.inside.mean() < 1
    assert seconds < 12, f"{seconds:.1f} s of CPU time; about 2 s on the machine that this was written on"
