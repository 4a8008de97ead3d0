"""The grid against exact rational arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from slidekit.errors import SpecError
from slidekit.slide.grid import Grid, make_grid

# What people write has a few decimals; the text is the exact number, its float is the one next to it.
mpps = st.integers(500, 200_000).map(lambda k: f"{k / 10_000:.4f}")
microns = st.integers(100, 20_000).map(lambda k: f"{k / 10:.1f}")
strides = st.sampled_from(["1", "2", "3", "4", "0.5", "1.5", "7"])
sides = st.integers(1, 3000)
origins = st.integers(0, 4000).map(lambda k: f"{k / 8}")


def lay(size, mpp, tile_um, stride_div, origin, *, edge) -> Grid:
    tile = (float(tile_um) / float(mpp[0]), float(tile_um) / float(mpp[1]))
    return make_grid(
        size,
        (float(mpp[0]), float(mpp[1])),
        tile_px=256,
        tile_size=tile,
        stride_div=float(stride_div),
        origin=(float(origin[0]), float(origin[1])),
        use_edge_tiles=edge,
    )


def exact_count(side: int, mpp: str, tile_um: str, stride_div: str, origin: str, *, edge: bool) -> int:
    """Cells that exist along an axis: counted one after the other, by the rule and in fractions."""
    tile = Fraction(tile_um) / Fraction(mpp)
    stride = tile / Fraction(stride_div)
    reach = side - Fraction(origin)
    if edge:
        return max(0, math.ceil(reach / stride))
    return 0 if reach < tile else (reach - tile) // stride + 1


@given(st.tuples(sides, sides), st.tuples(mpps, mpps), microns, strides, st.tuples(origins, origins), st.booleans())
@example((512, 512), ("0.2500", "0.2500"), "128.0", "1", ("0", "0"), False)
@example((1000, 1000), ("0.1000", "0.1000"), "0.3", "1", ("0", "0"), False)
@example((1280, 640), ("0.2000", "0.2000"), "128.0", "3", ("0", "0"), True)
# In floats the last cell seems to reach over the edge, or a cell more to begin before it.
@example((1600, 800), ("0.1200", "0.1200"), "32.0", "2", ("0", "0"), False)
@example((1792, 896), ("0.0500", "0.0500"), "89.6", "2", ("0", "0"), True)
# A cell that does reach over by a two-hundredth of a pixel is none; one that begins so little before it is one.
@example((100, 200), ("0.2000", "0.2000"), "20.001", "1", ("0", "0"), False)
@example((100, 200), ("0.2000", "0.2000"), "19.999", "1", ("0", "0"), True)
@settings(deadline=None, max_examples=150)
def test_every_cell_that_fits_exists_and_no_other(size, mpp, tile_um, stride_div, origin, edge) -> None:
    assume(
        all(
            Fraction(side * 30) * Fraction(one) / Fraction(tile_um) < 100_000
            for side, one in zip(size, mpp, strict=True)
        )
    )

    grid = lay(size, mpp, tile_um, stride_div, origin, edge=edge)

    expected = [exact_count(size[a], mpp[a], tile_um, stride_div, origin[a], edge=edge) for a in (0, 1)]
    assert grid.shape == (tuple(expected) if all(expected) else (0, 0))
    assert len(grid) == math.prod(grid.shape)


@given(st.tuples(mpps, mpps), microns, strides, st.tuples(origins, origins), st.data())
@settings(deadline=None, max_examples=150)
def test_a_cell_spans_its_microns_and_its_location_is_the_floor_of_its_centre(
    mpp, tile_um, stride_div, origin, data
) -> None:
    # Arrange
    grid = Grid(
        256,
        float(tile_um) / float(mpp[0]),
        float(tile_um) / float(mpp[1]),
        float(stride_div),
        float(origin[0]),
        float(origin[1]),
        10_000,
        10_000,
        float(mpp[0]),
        float(mpp[1]),
        1_000_000,
        1_000_000,
    )
    cell = data.draw(st.tuples(st.integers(0, 200), st.integers(0, 200)))

    # Act
    corner, location = grid.corner(*cell), grid.location(*cell)

    # Assert
    for axis in (0, 1):
        begin_um = cell[axis] * Fraction(tile_um) / Fraction(stride_div)
        begin = begin_um / Fraction(mpp[axis]) + Fraction(origin[axis])
        centre = (begin_um + Fraction(tile_um) / 2) / Fraction(mpp[axis]) + Fraction(origin[axis])
        assert corner[axis] == pytest.approx(float(begin), rel=1e-12, abs=1e-9)
        assert location[axis] == math.floor(centre)


def test_a_centre_on_a_whole_pixel_is_not_rounded_down_by_one_ulp() -> None:
    # Arrange: 0.3 / 0.1 is one ulp below 3 in binary; the centre of cell 1 is at pixel 4.5, of cell (0) at 1.5
    whole = [(tile_um, mpp) for tile_um, mpp in ((0.6, 0.1), (1.4, 0.1), (89.6, 0.35), (76.8, 0.3))]
    for tile_um, mpp in whole:
        tile = tile_um / mpp

        # Act
        grid = make_grid((10_000, 10_000), (mpp, mpp), tile_px=256, tile_size=(tile, tile))

        # Assert
        exact = Fraction(str(tile_um)) / Fraction(str(mpp))
        for i in range(grid.columns):
            assert grid.location(i, 0)[0] == math.floor(i * exact + exact / 2)
    just_below = np.nextafter(256.0, 0)
    assert make_grid((600, 600), (1, 1), tile_px=8, tile_size=(just_below,) * 2).location(0, 0) == (128, 128)


@pytest.mark.parametrize("stride_div", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("edge", [False, True])
def test_cells_boxes_and_locations_say_the_same_in_raster_order(stride_div: float, edge: bool) -> None:
    grid = lay((1003, 777), ("0.2472", "0.2600"), "32.0", str(stride_div), ("3", "5.5"), edge=edge)

    cells, boxes, locations = grid.cells(), grid.boxes(), grid.locations()

    assert cells.shape == (len(grid), 2)
    assert boxes.shape == (len(grid), 4)
    assert [tuple(cell) for cell in cells] == [(i, j) for j in range(grid.rows) for i in range(grid.columns)]
    for k, (i, j) in enumerate(cells.tolist()):
        assert grid.index(i, j) == k
        assert tuple(boxes[k, :2]) == grid.corner(i, j)
        assert tuple(boxes[k, 2:] - boxes[k, :2]) == pytest.approx((grid.tile_width, grid.tile_height))
        assert tuple(locations[k]) == grid.location(i, j)
    assert grid.tile_um == pytest.approx((32.0, 32.0))


@pytest.mark.parametrize("cell", [(-1, 0), (0, -1), (4, 0), (0, 3)])
def test_a_cell_that_does_not_exist_is_an_index_error(cell: tuple[int, int]) -> None:
    grid = make_grid((400, 300), (1, 1), tile_px=8, tile_size=(100, 100))
    assert grid.shape == (4, 3)
    with pytest.raises(IndexError, match="outside the grid of 4 × 3"):
        grid.index(*cell)


def test_edge_tiles_cover_the_slide_and_all_begin_on_it() -> None:
    grid = make_grid((401, 300), (1, 1), tile_px=8, tile_size=(100, 100), use_edge_tiles=True)
    assert grid.shape == (5, 3)
    assert grid.boxes()[:, 0].max() < 401


def test_a_slide_smaller_than_a_tile_has_no_cell() -> None:
    grid = make_grid((99, 500), (1, 1), tile_px=8, tile_size=(100, 100))
    assert grid.shape == (0, 0)
    assert grid.cells().shape == (0, 2)
    assert grid.boxes().shape == (0, 4)
    assert grid.locations().shape == (0, 2)


@pytest.mark.parametrize("origin", [(-1.0, 0.0), (0.0, -0.5), (math.nan, 0.0), (0.0, math.inf)])
def test_an_origin_outside_the_slide_is_refused(origin: tuple[float, float]) -> None:
    with pytest.raises(SpecError, match="origin"):
        make_grid((400, 300), (1, 1), tile_px=8, tile_size=(100, 100), origin=origin)


def test_edge_cells_are_those_that_reach_over_the_edge() -> None:
    grid = make_grid((1000, 512), (0.5, 0.5), tile_px=256, tile_size=(256.0, 256.0), use_edge_tiles=True)

    edge = {(i, j) for i, j in grid.cells().tolist() if grid.is_edge(i, j)}

    assert grid.shape == (4, 2)
    assert edge == {(3, 0), (3, 1)}
