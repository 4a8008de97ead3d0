from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label, regionprops

from slidekit.cells.measure import COLOUR_COLUMNS, SHAPE_COLUMNS, measure_labels, measure_polygons
from slidekit.cells.windows import CellFrame

FRAME = CellFrame(400, 300, (1000, 600), (0.25, 0.3))
PIXEL, UM = (2.5, 2.0), (0.625, 0.6)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000), density=st.floats(0.05, 0.7))
def test_measures_are_those_of_regionprops(seed: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    labels = label(rng.random((23, 31)) < density, connectivity=2)
    image = rng.integers(0, 256, (*labels.shape, 3)).astype(np.uint8)

    found = measure_labels(labels.astype(np.uint32), image, FRAME, (40, 70))

    cells = regionprops(labels, image, spacing=(UM[1], UM[0]))
    assert set(found) == {*SHAPE_COLUMNS, *COLOUR_COLUMNS}
    for row, cell in enumerate(cells):
        got = {name: values[row] for name, values in found.items()}
        y, x = np.nonzero(labels == cell.label)
        assert got["x"] == pytest.approx((x.mean() + 40.5) * PIXEL[0])
        assert got["y"] == pytest.approx((y.mean() + 70.5) * PIXEL[1])
        assert got["area_um2"] == pytest.approx(cell.area)
        assert got["eccentricity"] == pytest.approx(cell.eccentricity, abs=1e-6)
        assert got["major_um"] == pytest.approx(cell.axis_major_length, abs=1e-6)
        assert got["minor_um"] == pytest.approx(cell.axis_minor_length, abs=1e-6)
        assert [got[name] for name in ("red", "green", "blue")] == pytest.approx(cell.intensity_mean)
        assert [got["left"], got["right"]] == [(x.min() + 40) * PIXEL[0], (x.max() + 41) * PIXEL[0]]
        assert [got["top"], got["bottom"]] == [(y.min() + 70) * PIXEL[1], (y.max() + 71) * PIXEL[1]]


def test_stains_are_those_of_colour_deconvolution() -> None:
    from skimage.color import rgb2hed

    rng = np.random.default_rng(1)
    labels = np.zeros((12, 12), np.uint32)
    labels[2:6, 2:9], labels[8:11, 1:5] = 1, 2
    image = rng.integers(30, 230, (12, 12, 3)).astype(np.uint8)

    found = measure_labels(labels, image, FRAME, (0, 0))

    # scikit-image: natural logarithms over log(1e-6), and vectors that are not normed.
    norms = np.linalg.norm([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]], axis=1)
    separated = rgb2hed(image, channel_axis=-1)[..., :2] * -np.log10(1e-6) * norms
    for row in (0, 1):
        mean = np.maximum(separated, -np.inf)[labels == row + 1].mean(axis=0)
        alone = [found["hematoxylin"][row], found["eosin"][row]]
        # It sets negative stains of a pixel to 0, which the mean here keeps.
        assert alone[0] <= mean[0] + 1e-6
        assert alone[1] <= mean[1] + 1e-6


def test_a_pure_stain_is_its_own_density() -> None:
    unit = np.array([0.65, 0.70, 0.29]) / np.linalg.norm([0.65, 0.70, 0.29])
    image = np.round(255 * 10 ** (-0.6 * unit)).astype(np.uint8) * np.ones((4, 4, 1), np.uint8)

    found = measure_labels(np.ones((4, 4), np.uint32), image, FRAME, (0, 0))

    assert found["hematoxylin"][0] == pytest.approx(0.6, abs=0.01)
    assert found["eosin"][0] == pytest.approx(0, abs=0.01)


@settings(deadline=None, max_examples=20)
@given(
    cells=st.lists(
        st.tuples(st.floats(1, 90_000), st.floats(1, 70_000), st.integers(3, 9), st.integers(0, 1000)),
        min_size=1,
        max_size=6,
    )
)
def test_measures_of_outlines_are_those_of_their_areas(cells: list[tuple[float, float, int, int]]) -> None:
    rings = []
    for x, y, corners, seed in cells:
        rng = np.random.default_rng(seed)
        angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
        rings.append(np.stack([x + 30 * np.cos(angles), y + 20 * np.sin(angles)], axis=1))
    counts = np.array([len(ring) for ring in rings])

    found = measure_polygons(np.concatenate(rings), counts, (0.25, 0.5))

    for row, ring in enumerate(rings):
        polygon = shapely.Polygon(ring)
        assert found["area_um2"][row] == pytest.approx(polygon.area * 0.125, rel=1e-6)
        assert found["x"][row] == pytest.approx(polygon.centroid.x)
        assert found["y"][row] == pytest.approx(polygon.centroid.y)
        assert [found[side][row] for side in ("left", "top", "right", "bottom")] == list(polygon.bounds)
        # Second moments from many points in the triangles of a fan, here by midpoints of their edges (exact).
        um = ring * [0.25, 0.5]
        first, second = um[1:-1], um[2:]
        weight = _doubled(um[0], first, second)
        middles = [(um[0] + first) / 2, (first + second) / 2, (second + um[0]) / 2]
        centre = np.array([polygon.centroid.x * 0.25, polygon.centroid.y * 0.5])
        cov = sum(((m - centre).T * weight) @ (m - centre) for m in middles) / (3 * weight.sum())
        large = np.linalg.eigvalsh(cov)[1]
        assert found["major_um"][row] == pytest.approx(4 * np.sqrt(large), rel=1e-4, abs=1e-4)


def _doubled(origin: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    (ax, ay), (bx, by) = (first - origin).T, (second - origin).T
    return np.abs(ax * by - bx * ay)


def test_an_outline_of_any_orientation_and_one_without_area() -> None:
    square = np.array([[0, 0], [4, 0], [4, 4], [0, 4]], float)
    line = np.array([[1, 1], [3, 1], [5, 1]], float)

    found = measure_polygons(np.concatenate([square, square[::-1], line]), np.array([4, 4, 3]), (1, 1))

    assert found["area_um2"].tolist() == [16, 16, 0]
    assert found["eccentricity"].tolist() == pytest.approx([0, 0, 0], abs=1e-6)
    assert found["x"].tolist() == [2, 2, 3]


def test_no_cells_have_no_measures() -> None:
    nothing = measure_polygons(np.empty((0, 2)), np.empty(0, np.int64), (1, 1))

    assert {len(values) for values in nothing.values()} == {0}
