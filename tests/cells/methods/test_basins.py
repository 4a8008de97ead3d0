from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.cells.methods.basins import find_basins


def smooth_field(seed: int, shape: tuple[int, int] = (60, 70)) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return (cv2.GaussianBlur(noise, (0, 0), 3) * 60_000).astype(np.int16)


def climb(landscape: np.ndarray, row: int, column: int, inside: np.ndarray) -> tuple[int, int]:
    """Walk up by the book: to the highest neighbour, the first of equal ones, until none is higher."""
    while True:
        best, place = landscape[row, column], (row, column)
        for i in (row - 1, row, row + 1):
            for j in (column - 1, column, column + 1):
                here = 0 <= i < landscape.shape[0] and 0 <= j < landscape.shape[1] and inside[i, j]
                if here and landscape[i, j] > best:
                    best, place = landscape[i, j], (i, j)
        if place == (row, column):
            return place
        row, column = place


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 10_000))
def test_each_pixel_belongs_to_the_peak_that_it_climbs_to(seed: int) -> None:
    landscape = smooth_field(seed, (24, 30))
    # All values differ, so that there is one way up.
    order = np.argsort(np.argsort(landscape.ravel(), kind="stable"), kind="stable")
    landscape = order.reshape(landscape.shape).astype(np.int16)
    mask = (landscape > 300).astype(np.uint8)

    basins = find_basins(landscape, mask)

    peaks = {divmod(int(peak), 30): label for label, peak in enumerate(basins.peaks, 1)}
    for row, column in np.argwhere(mask):
        assert basins.labels[row, column] == peaks[climb(landscape, row, column, mask > 0)]
    assert not basins.labels[mask == 0].any()


def test_on_smooth_hills_basins_are_those_of_a_flood() -> None:
    from skimage.segmentation import watershed

    landscape = smooth_field(1)
    mask = (landscape > 0).astype(np.uint8)

    basins = find_basins(landscape, mask)

    markers = np.zeros(landscape.shape, np.int32)
    markers.ravel()[basins.peaks] = np.arange(1, len(basins.peaks) + 1)
    flooded = watershed(-landscape.astype(np.int32), markers, mask=mask > 0, connectivity=2)
    assert (basins.labels == flooded)[mask > 0].mean() > 0.95


def test_a_plateau_is_one_basin() -> None:
    landscape = np.zeros((9, 12), np.int16)
    landscape[2:7, 3:9] = 5

    basins = find_basins(landscape, (landscape > 0).astype(np.uint8))

    assert len(basins.peaks) == 1
    assert np.array_equal(basins.labels > 0, landscape > 0)


def test_an_empty_mask_has_no_basins() -> None:
    basins = find_basins(np.ones((4, 5), np.int16), np.zeros((4, 5), np.uint8))

    assert len(basins.peaks) == 0
    assert not basins.labels.any()
