from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.demo.shapes import SmoothField, blob, inside, scatter, star_shapes


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 999),
    mpp_x=st.floats(0.1, 4),
    mpp_y=st.floats(0.1, 4),
    width=st.integers(1, 40),
    height=st.integers(1, 40),
)
def test_a_field_on_a_grid_is_its_formula_at_pixel_centres(seed, mpp_x, mpp_y, width, height):
    field = SmoothField.random(np.random.default_rng(seed), 100.0)

    grid = field.on_grid(width, height, mpp_x, mpp_y)

    x, y = np.meshgrid((np.arange(width) + 0.5) * mpp_x, (np.arange(height) + 0.5) * mpp_y)
    np.testing.assert_allclose(grid, field.at(np.stack([x, y], axis=-1)), atol=2e-5)


def test_a_field_is_about_standard_normal():
    field = SmoothField.random(np.random.default_rng(1), 20.0)

    values = field.on_grid(1500, 1500, 1.0, 1.0)

    assert abs(values.mean()) < 0.05
    assert values.std() == pytest.approx(1.0, abs=0.05)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), radius=st.floats(30, 900), roughness=st.floats(0, 0.2))
def test_a_blob_is_a_simple_outline_of_about_its_size(seed, radius, roughness):
    outline = blob(np.random.default_rng(seed), (1000.0, 800.0), (radius, 0.7 * radius), roughness)

    area = shapely.Polygon(outline)
    assert area.is_valid
    assert area.contains(shapely.Point(1000, 800))
    assert 0.3 < area.area / (np.pi * 0.7 * radius**2) < 2.2


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), density=st.floats(200, 9000), margin=st.floats(-30, 30))
def test_scattered_points_lie_inside_at_their_density(seed, density, margin):
    rng = np.random.default_rng(seed)
    outline = blob(rng, (500.0, 500.0), (300.0, 300.0), 0.1)

    points = scatter(rng, outline, density)

    area = shapely.Polygon(outline)
    assert all(area.covers(shapely.Point(p)) for p in points[:50])
    assert len(points) == pytest.approx(area.area * 1e-6 * density, rel=0.12, abs=12)
    kept = inside(outline, points, margin)
    oracle = [area.buffer(-margin).contains(shapely.Point(p)) for p in points[:50]]
    assert kept[:50].tolist() == oracle


def test_star_shapes_have_their_diameters_and_directions():
    rng = np.random.default_rng(0)
    centers = rng.uniform(0, 1000, (400, 2))
    angles = rng.uniform(0, np.pi, 400)

    outlines = star_shapes(rng, centers, np.full(400, 12.0), np.full(400, 4.0), angles)

    areas = shapely.area(shapely.polygons(outlines))
    assert np.median(areas) == pytest.approx(np.pi * 6 * 2, rel=0.06)
    along = np.abs(((outlines - centers[:, None]) * np.stack([np.cos(angles), np.sin(angles)], -1)[:, None]).sum(-1))
    assert np.median(along.max(1)) == pytest.approx(6.0, rel=0.1)
