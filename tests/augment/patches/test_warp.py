"""The warp: where pixels come from, and that nothing folds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.augment.patches.warp import move_points, source_positions, warp_image, warp_labels


def moves_of(seed, shape, grid=8, displacement=1 / 80):
    return move_points(np.random.default_rng(seed).normal(size=(grid - 2, grid - 2, 2)), displacement, shape)


def test_displacements_are_as_published():
    # Arrange
    inner = np.random.default_rng(1).normal(size=(6, 6, 2))
    inner = np.clip(inner, -2, 2)

    # Act
    moves = move_points(inner, 1 / 80, (256, 512))

    # Assert
    assert moves[1:-1, 1:-1] * (512, 256) == pytest.approx(3.2 * inner)
    border = np.ones((8, 8), bool)
    border[1:-1, 1:-1] = False
    assert not moves[border].any()


@pytest.mark.parametrize("shape", [(64, 64), (40, 90), (4, 7)])
def test_positions_are_bilinear_between_the_points(shape):
    from scipy.interpolate import RegularGridInterpolator

    # Arrange
    moves = moves_of(2, shape)
    points = np.linspace(0, 1, 8)
    height, width = shape
    down, across = np.meshgrid((np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width, indexing="ij")

    # Act
    x, y = source_positions(shape, moves)

    # Assert
    dx, dy = (RegularGridInterpolator((points, points), moves[..., axis])((down, across)) for axis in (0, 1))
    assert x == pytest.approx((across + dx) * width - 0.5, abs=1e-4)
    assert y == pytest.approx((down + dy) * height - 0.5, abs=1e-4)


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(4, 90), st.integers(4, 90)),
    grid=st.integers(3, 12),
    displacement=st.sampled_from([0.01, 0.05, 0.5]),
    zoom=st.sampled_from([1, 1.7, 4]),
)
def test_nothing_folds_and_nothing_beyond_the_patch_is_seen(seed, shape, grid, displacement, zoom):
    # Arrange
    moves = moves_of(seed, shape, grid, displacement)

    # Act
    x, y = (values.astype(float) for values in source_positions(shape, moves, zoom))

    # Assert
    x_down, x_across = np.gradient(x)
    y_down, y_across = np.gradient(y)
    assert (x_across * y_down - x_down * y_across > 0).all()
    assert (np.diff(x, axis=1) > 0).all()
    assert (np.diff(y, axis=0) > 0).all()
    assert x.min() > -0.51
    assert x.max() < shape[1] - 0.49
    assert y.min() > -0.51
    assert y.max() < shape[0] - 0.49


def test_pixels_are_those_at_the_positions(tiles):
    from scipy.ndimage import map_coordinates

    # Arrange
    x, y = positions = source_positions((40, 40), moves_of(4, (40, 40), displacement=0.03))

    # Act
    warped = warp_image(tiles[0], positions)

    # Assert
    channels = [map_coordinates(tiles[0][..., c].astype(float), (y, x), order=1, mode="nearest") for c in range(3)]
    apart = np.abs(warped - np.stack(channels, axis=-1))
    assert apart.mean() < 0.6
    assert apart.max() < 4
    assert np.abs(warped.astype(int) - tiles[0]).max() > 10


def test_points_that_stay_leave_all_as_it_is(tiles):
    labels = np.arange(1600, dtype=np.uint16).astype(np.uint8).reshape(40, 40)
    for zoom in (1, 3):
        positions = source_positions((40, 40), np.zeros((8, 8, 2)), zoom)
        assert np.array_equal(warp_image(tiles[0], positions), tiles[0])
        assert np.array_equal(warp_labels(labels, positions), labels)


def test_labels_are_those_of_the_nearest_pixels():
    # Arrange
    labels = np.random.default_rng(6).choice(np.array([0, 2, 255], np.uint8), (50, 60))
    x, y = positions = source_positions((50, 60), moves_of(5, (50, 60), displacement=0.02))

    # Act
    warped = warp_labels(labels, positions)

    # Assert
    clear = (np.abs(x % 1 - 0.5) > 0.01) & (np.abs(y % 1 - 0.5) > 0.01)
    rows, columns = (np.clip(np.rint(values), 0, most).astype(int) for values, most in ((y, 49), (x, 59)))
    assert clear.mean() > 0.9
    assert np.array_equal(warped[clear], labels[rows, columns][clear])
    assert not np.array_equal(warped, labels)


def test_views_of_one_field_are_warped_by_the_same_share():
    moves = moves_of(7, (64, 64))
    small, large = source_positions((64, 64), moves), source_positions((256, 256), moves)
    for at_64, at_256 in zip(small, large, strict=True):
        # A pixel of the small view covers four by four of the large one.
        means = at_256.reshape(64, 4, 64, 4).mean((1, 3), dtype=float)
        assert (at_64 + 0.5) / 64 == pytest.approx((means + 0.5) / 256, abs=1e-3)


def test_a_wider_view_is_warped_where_the_narrow_one_lies_and_nowhere_else():
    # Arrange
    moves = moves_of(8, (32, 32), displacement=0.03)
    narrow_x, narrow_y = source_positions((32, 32), moves)
    rows, columns = np.mgrid[:128, :128]

    # Act
    wide_x, wide_y = source_positions((128, 128), moves, zoom=4.0)

    # Assert
    middle = (slice(48, 80), slice(48, 80))
    assert wide_x[middle] - 48 == pytest.approx(narrow_x, abs=1e-3)
    assert wide_y[middle] - 48 == pytest.approx(narrow_y, abs=1e-3)
    outside = np.ones((128, 128), bool)
    outside[middle] = False
    assert wide_x[outside] == pytest.approx(columns[outside], abs=1e-3)
    assert wide_y[outside] == pytest.approx(rows[outside], abs=1e-3)
