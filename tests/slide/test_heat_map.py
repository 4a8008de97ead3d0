from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.ndimage
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.errors import ROIError, SpecError
from slidekit.slide.grid import make_grid
from slidekit.slide.heat_map import GridAssembler, HeatMap, assemble_grid, heat_map_regions
from slidekit.slide.roi import ROI, load_rois
from slidekit.slide.roi.geojson_writing import write_roi_geojson


def grid_of(stride_div=1.0, *, size=(1000, 700), tile=100.0, origin=(0.0, 0.0), mpp=(0.5, 0.5)):
    return make_grid(
        size, mpp, tile_px=64, tile_size=(tile, tile * mpp[0] / mpp[1]), stride_div=stride_div, origin=origin
    )


def test_values_of_tiles_that_do_not_overlap_are_pixels():
    grid = grid_of(origin=(30.0, 10.0))
    cells = grid.cells()
    values = np.arange(len(cells), dtype=float)

    heat = assemble_grid(values, cells, grid)

    np.testing.assert_array_equal(heat.values, values.reshape(grid.rows, grid.columns))
    assert (heat.origin, heat.pixel, heat.mpp) == ((30, 10), (100, 100), (0.5, 0.5))
    assert heat.extent == (30, 930, 610, 10)


@pytest.mark.parametrize(("stride_div", "per_tile", "step"), [(2, 2, 1), (1.5, 3, 2), (4, 4, 1), (0.5, 1, 2)])
def test_overlapping_values_are_averaged_on_the_exact_lattice(stride_div, per_tile, step):
    grid = grid_of(stride_div)
    cells = grid.cells()
    values = np.random.default_rng(0).random(len(cells))

    heat = assemble_grid(values, cells, grid)

    rows, columns = (grid.rows - 1) * step + per_tile, (grid.columns - 1) * step + per_tile
    total, count = np.zeros((rows, columns)), np.zeros((rows, columns))
    for value, (i, j) in zip(values, cells, strict=True):
        total[j * step : j * step + per_tile, i * step : i * step + per_tile] += value
        count[j * step : j * step + per_tile, i * step : i * step + per_tile] += 1
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(heat.values, total / count, rtol=1e-5)
    assert heat.pixel[0] == pytest.approx(100 / per_tile)


def test_maps_show_a_function_of_the_place_and_classes_stay_apart():
    grid = grid_of(2)
    cells = grid.cells()
    place = np.arange(8) / 8 * 100
    x = grid.boxes()[:, 0, np.newaxis, np.newaxis] + np.broadcast_to(place, (8, 8))
    y = grid.boxes()[:, 1, np.newaxis, np.newaxis] + np.broadcast_to(place[:, np.newaxis], (8, 8))

    heat = assemble_grid(np.stack([x, y], axis=-1), cells, grid)

    rows, columns, _ = heat.values.shape
    np.testing.assert_allclose(heat.channel(0).values, np.broadcast_to(np.arange(columns) * 12.5, (rows, columns)))
    np.testing.assert_allclose(heat.channel(1).values.T, np.broadcast_to(np.arange(rows) * 12.5, (columns, rows)))


def test_borders_are_cut_where_another_tile_knows_better_and_kept_where_none_does():
    grid = grid_of(2, size=(300, 200))
    maps = np.zeros((len(grid), 8, 8))
    maps[:, 2:-2, 2:-2] = 1

    heat = assemble_grid(maps, grid.cells(), grid, remove_border=2)

    assert np.all(heat.values[2:-2, 2:-2] == 1)
    assert np.all(heat.values[:2] == 0)
    assert np.all(heat.values[:, -2:] == 0)


def test_tiles_without_a_prediction_say_nothing():
    grid = grid_of(2, size=(300, 100))
    cells = grid.cells()

    heat = assemble_grid([1.0, np.nan, 3.0], cells[:3], grid)

    np.testing.assert_array_equal(heat.values[0], [1, 1, 3, 3, np.nan, np.nan])


def test_batches_add_up_to_the_whole():
    grid = grid_of(2)
    cells, maps = grid.cells(), np.random.default_rng(0).random((len(grid), 6, 6))
    assembler = GridAssembler(grid, map_px=6, remove_border=1)
    order = np.random.default_rng(1).permutation(len(cells))

    for part in np.array_split(order, 5):
        assembler.add(maps[part], cells[part])

    np.testing.assert_allclose(
        assembler.finish().values, assemble_grid(maps, cells, grid, remove_border=1).values, 1e-5
    )


@pytest.mark.parametrize(("predictions", "cells", "border", "says"), [
    (np.zeros((2, 3, 4)), [[0, 0], [1, 0]], 0, "cannot be stitched"),
    (np.zeros(2), [[0, 0]], 0, "Predictions have shape"),
    (np.zeros(1), [[10, 0]], 0, "outside the grid"),
    (np.zeros(1), [[0, -1]], 0, "outside the grid"),
    (np.zeros((1, 4, 4)), [[0, 0]], 2, "remove_border=2"),
])  # fmt: skip
def test_predictions_that_do_not_fit_are_refused(predictions, cells, border, says):
    with pytest.raises(SpecError, match=says) as caught:
        assemble_grid(predictions, cells, grid_of(), remove_border=border)
    assert caught.value.mend


@settings(deadline=None, max_examples=150)
@given(st.integers(1, 9), st.integers(1, 9), st.randoms(use_true_random=False))
def test_regions_are_exactly_the_pixels_at_the_threshold(rows, columns, random):
    mask = np.array([[random.random() < 0.5 for _ in range(columns)] for _ in range(rows)])
    heat = HeatMap(np.where(mask, 0.7, 0.2).astype(np.float32), (100.0, 50.0), (8.0, 4.0), (0.25, 0.5))

    regions = heat_map_regions(heat, 0.7, label="tumor")

    boxes = [shapely.box(100 + 8 * x, 50 + 4 * y, 108 + 8 * x, 54 + 4 * y) for y, x in np.argwhere(mask).tolist()]
    assert all(region.polygon.is_valid for region in regions)
    union = shapely.union_all([region.polygon for region in regions])
    assert union.symmetric_difference(shapely.union_all(boxes)).area == pytest.approx(0, abs=1e-6)
    assert sum(region.polygon.area for region in regions) == pytest.approx(32 * mask.sum())
    assert {region.label for region in regions} <= {"tumor"}
    assert len(regions) == scipy.ndimage.label(mask)[1], "what touches at a corner is apart"


def test_small_regions_go_small_holes_are_filled_and_the_largest_comes_first():
    values = np.zeros((12, 30), np.float32)
    values[1, 1] = values[5:7, 5:7] = 1
    values[2:11, 12:28] = 1
    values[4, 14] = 0
    values[6:9, 18:24] = np.nan
    heat = HeatMap(values, (0, 0), (10.0, 10.0), (0.5, 0.5))

    regions = heat_map_regions(heat, 0.5, min_area_um2=4 * 25)

    assert [region.name for region in regions] == ["region_1", "region_2"]
    assert regions[0].polygon.area == 100 * (9 * 16 - 3 * 6)
    assert len(regions[0].polygon.interiors) == 1
    assert regions[1].polygon.bounds == (50, 50, 70, 70)


def test_simplified_outlines_stay_near_and_have_fewer_corners():
    y, x = np.mgrid[:80, :80]
    heat = HeatMap((np.hypot(x - 40, y - 40) < 30).astype(np.float32), (0, 0), (4.0, 4.0), (0.5, 0.25))

    (exact,) = heat_map_regions(heat, 0.5)
    (simple,) = heat_map_regions(heat, 0.5, simplify_um=3)

    assert len(simple.polygon.exterior.coords) < len(exact.polygon.exterior.coords) / 3
    in_um = [shapely.transform(one.polygon, lambda points: points * (0.5, 0.25)) for one in (exact, simple)]
    assert in_um[0].exterior.hausdorff_distance(in_um[1].exterior) <= 3


def test_a_map_of_classes_has_no_one_threshold():
    heat = HeatMap(np.zeros((2, 2, 3), np.float32), (0, 0), (1, 1), (1, 1))

    with pytest.raises(SpecError, match="several classes"):
        heat_map_regions(heat, 0.5)


def test_qupath_geojson_reads_back_as_the_same_regions(tmp_path):
    values = np.zeros((6, 9), np.float32)
    values[1:5, 1:5] = values[2:4, 6:8] = 1
    values[2, 2] = 0
    regions = heat_map_regions(HeatMap(values, (1000, 500), (32.0, 32.0), (0.5, 0.5)), 0.5, label="Tumor & co")
    file = tmp_path / "slide.geojson"

    write_roi_geojson(file, regions, bounds_origin=(300, 200))
    back = load_rois(file, bounds_origin=(300, 200))

    assert back.origin == (300, 200)
    assert not back.problems
    assert [(roi.name, roi.label) for roi in back] == [(roi.name, roi.label) for roi in regions]
    assert all(one.polygon.equals(other.polygon) for one, other in zip(back, regions, strict=True))
    feature = json.loads(file.read_text())["features"][0]
    assert feature["properties"]["objectType"] == "annotation"


def test_simplified_regions_are_valid_where_pixels_are_not_square():
    # Arrange: found by chance; in µm the simplified outline is valid, in level-0 pixels it crosses itself
    bits = np.frombuffer(bytes.fromhex("d4ccd27db68fce3af62d57cf34a6bdb57ae4"), np.uint8)
    values = np.unpackbits(bits).reshape(12, 12).astype(np.float32)
    heat = HeatMap(values, (0.0, 0.0), (4.0, 4.0), (0.25, 0.3))

    regions = heat_map_regions(heat, 0.5, simplify_um=2.0)

    assert regions
    assert all(region.polygon.is_valid for region in regions)


@pytest.mark.parametrize("options", [{"simplify_um": -3}, {"min_area_um2": float("nan")}])
def test_sizes_that_make_no_sense_are_said(options):
    heat = HeatMap(np.ones((2, 2), np.float32), (0.0, 0.0), (4.0, 4.0), (0.5, 0.5))

    with pytest.raises(SpecError, match="makes no sense"):
        heat_map_regions(heat, 0.5, **options)


def test_places_that_are_no_numbers_are_not_written(tmp_path):
    with np.errstate(invalid="ignore"):
        ring = shapely.Polygon([(0, 0), (4, 0), (4, float("nan")), (0, 4)])

    with pytest.raises(ROIError, match="no number"):
        write_roi_geojson(tmp_path / "rois.geojson", [ROI("a", None, ring)])
    assert not list(tmp_path.iterdir())
