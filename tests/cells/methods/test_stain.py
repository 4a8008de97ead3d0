from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.cells.methods.scale_space import blob_response, box_sum, smooth
from slidekit.cells.methods.stain import UNIT, StainFacts, measure_stain, nuclear_stain
from slidekit.demo.nuclei import paint_nuclei
from slidekit.errors import SpecError

WHITE = (250.0, 245.0, 248.0)


@settings(deadline=None, max_examples=20)
@given(weights=st.tuples(*[st.floats(-1.5, 2.5)] * 3), seed=st.integers(0, 1000))
def test_the_stain_is_the_formula_in_counts(weights: tuple[float, float, float], seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (9, 11, 3)).astype(np.uint8)

    counts = nuclear_stain(image, StainFacts(WHITE, weights, 0, 1, False))

    density = np.maximum(-np.log10(np.maximum(image, 1) / np.array(WHITE)), 0)
    exact = np.clip(density @ np.array(weights), 0, (4 * UNIT - 1) / UNIT)
    assert counts.dtype == np.uint16
    # Each channel is rounded to a count.
    assert np.abs(counts / UNIT - exact).max() <= 2 / UNIT


def test_the_stain_of_nuclei_stands_out_and_that_of_blood_does_not() -> None:
    drawn = paint_nuclei((128, 128), seed=3, red_cells_per_mm2=5000, noise=0)

    facts = measure_stain([drawn.image], (243.0, 243.0, 243.0))

    counts = nuclear_stain(drawn.image, facts)
    blood = (drawn.image[..., 0] > 150) & (drawn.image[..., 1] < 90)
    assert blood.sum() > 300
    assert np.median(counts[drawn.labels > 0]) > facts.background + 0.5 * facts.contrast
    assert np.median(counts[blood]) < facts.background + 0.25 * facts.contrast


def test_stains_of_the_slide_are_taken_where_they_are_plausible() -> None:
    drawn = paint_nuclei((128, 128), seed=3)

    own = measure_stain([drawn.image], (243.0, 243.0, 243.0))
    # In other channels they are no hematoxylin and eosin.
    turned = measure_stain([np.ascontiguousarray(drawn.image[..., ::-1])], (243.0, 243.0, 243.0))

    assert own.found
    assert not turned.found


def test_brown_counts_where_nuclei_are_brown() -> None:
    density = np.array([0.268, 0.570, 0.776]) * 0.9
    image = np.full((40, 40, 3), 250, np.uint8)
    image[10:20, 10:20] = np.rint(250 * 10**-density)

    he, ihc, nuclear = (
        nuclear_stain(image, measure_stain([image], WHITE, word)) for word in ("he", "hdab", "hdab-nuclear")
    )

    assert nuclear[15, 15] > 0.7 * UNIT
    assert he[15, 15] < 0.2 * UNIT
    assert ihc[15, 15] < 0.2 * UNIT


def test_stains_that_are_none_are_refused() -> None:
    with pytest.raises(SpecError, match="hdab"):
        measure_stain([np.zeros((4, 4, 3), np.uint8)], WHITE, "pas")


@pytest.mark.parametrize("sigma", [1.5, 3.3, 6.4])
def test_three_boxes_come_close_to_a_gaussian(sigma: float) -> None:
    image = np.zeros((101, 101), np.uint16)
    image[40:60, 45:52] = 12_000

    smoothed = smooth(image, sigma).astype(np.float64)

    exact = cv2.GaussianBlur(image.astype(np.float64), (0, 0), sigma)
    assert np.abs(smoothed - exact).max() < 0.05 * 12_000


@settings(deadline=None, max_examples=15)
@given(x=st.integers(0, 30), y=st.integers(0, 30), sigma=st.floats(0.8, 4))
def test_smoothing_is_the_same_to_the_last_bit_in_any_window(x: int, y: int, sigma: float) -> None:
    image = np.random.default_rng(2).integers(0, 16_384, (150, 150)).astype(np.uint16)

    whole, part = blob_response(image, sigma), blob_response(image[y : y + 111, x : x + 113], sigma)

    # Three boxes twice, of at most 2 σ and 2.5 σ to each side.
    reach = 40
    assert np.array_equal(
        part[reach:-reach, reach:-reach], whole[y + reach : y + 111 - reach, x + reach : x + 113 - reach]
    )


def test_blobs_answer_most_at_their_own_scale() -> None:
    y, x = np.mgrid[:81, :81]
    disk = np.where((x - 40) ** 2 + (y - 40) ** 2 <= 8.5**2, 8000, 0).astype(np.uint16)

    answers = [int(blob_response(disk, 8.5 / np.sqrt(2) * factor)[40, 40]) for factor in (0.3, 0.8, 2.5)]

    assert max(answers) == answers[1]


def test_box_sums_are_exact() -> None:
    image = np.random.default_rng(4).integers(0, 16_384, (40, 50)).astype(np.uint16)

    sums = box_sum(image, 3)

    assert sums[20, 25] == image[17:24, 22:29].astype(np.int64).sum()
