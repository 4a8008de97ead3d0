"""Cutting an image into windows, and putting their results together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from slidekit.norm.generator.base import InputShape
from slidekit.norm.generator.windows import LARGEST_WINDOW, MULTIPLE, apply_in_windows, plan_axis


class Network:
    """A formula in place of a network; remembers what it was given."""

    def __init__(self, formula=lambda batch: batch, shape=None):
        self.formula, self.shape, self.seen = formula, shape or InputShape(), []

    def __call__(self, batch):
        assert batch.dtype == np.float32
        assert batch.flags.c_contiguous
        self.seen.append(batch.shape)
        return self.formula(batch)


def draw(height, width, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (height, width, 3)).astype(np.float32)


class TestAxis:
    @given(length=st.integers(1, 3000), window=st.none() | st.integers(1, 300))
    @settings(deadline=None, max_examples=150)
    def test_every_pixel_of_the_image_has_weights_that_add_up_to_one(self, length, window):
        axis = plan_axis(length, window)

        total = np.zeros(axis.before + length + axis.after)
        for start, weights in zip(axis.starts, axis.weights, strict=True):
            assert weights.min() > 0
            total[start : start + axis.size] += weights
        np.testing.assert_allclose(total, 1, atol=1e-6)
        assert axis.starts[-1] + axis.size == total.size

    @given(length=st.integers(1, 3000))
    @settings(deadline=None, max_examples=60)
    def test_windows_of_any_size_are_a_multiple_and_not_too_large(self, length):
        axis = plan_axis(length, None)

        assert axis.size % MULTIPLE == 0
        assert axis.size <= LARGEST_WINDOW
        assert len(axis.starts) == 1 or length > LARGEST_WINDOW
        assert (
            axis.before + axis.after < MULTIPLE if length <= LARGEST_WINDOW else axis.before + axis.after < length / 3
        )

    def test_an_image_of_the_size_of_the_window_is_taken_as_it_is(self):
        axis = plan_axis(256, 256)

        assert (axis.before, axis.after, axis.starts) == (0, 0, (0,))

    def test_weights_fall_smoothly_to_the_edges(self):
        axis = plan_axis(600, 256)

        first, second = axis.weights[:2]
        assert np.abs(np.diff(first)).max() < np.pi / 2 / 64 * 1.01
        assert first[-1] < 1e-3
        assert second[0] < 1e-3
        assert first[0] == 1


class TestImages:
    @given(
        size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
        window=st.none() | st.tuples(st.integers(1, 40), st.integers(1, 40)),
        batch=st.none() | st.integers(1, 5),
    )
    @settings(deadline=None, max_examples=80)
    def test_a_formula_of_each_pixel_is_the_same_in_windows(self, size, window, batch):
        image = draw(*size)
        network = Network(lambda values: 0.25 - 0.5 * values[..., ::-1], InputShape(batch, *(window or (None, None))))

        result = apply_in_windows(network, image)

        np.testing.assert_allclose(result, 0.25 - 0.5 * image[..., ::-1], atol=2e-6)
        assert result.dtype == np.float32
        assert not batch or {shape[0] for shape in network.seen} == {batch}
        assert not window or {shape[1:3] for shape in network.seen} == {window}

    def test_sides_are_mirrored_up_to_a_multiple(self):
        image = draw(30, 29)
        seen = []

        apply_in_windows(Network(lambda batch: seen.append(batch) or batch), image)

        (batch,) = seen
        assert batch.shape == (1, 32, 32, 3)
        np.testing.assert_array_equal(batch[0, 30], batch[0, 28])
        np.testing.assert_array_equal(batch[0, :, 29:32], batch[0, :, [27, 26, 25]].swapaxes(0, 1))

    def test_no_seam_shows_where_each_window_has_colours_of_its_own(self):
        """An instance normalisation makes windows differ by a constant; here by up to 1 of 2."""
        image = np.zeros((200, 200, 3), np.float32)
        shifts = iter(np.random.default_rng(1).uniform(0, 1, 100))

        def formula(batch):
            return batch + np.array([next(shifts) for _ in batch], np.float32)[:, None, None, None]

        result = apply_in_windows(Network(formula, InputShape(None, 64, 64)), image)

        assert np.ptp(result) > 0.5
        steepest = np.pi / 2 / 16
        assert np.abs(np.diff(result, axis=0)).max() < steepest * 1.01
        assert np.abs(np.diff(result, axis=1)).max() < steepest * 1.01

    def test_what_a_convolution_makes_of_borders_stays_faint(self):
        """A blur that takes what is beyond the border of its window for zeros, against the blur of the image."""
        image = np.ones((150, 130, 3), np.float32)

        def blur(batch):
            return ndimage.uniform_filter(batch, (1, 5, 5, 1), mode="constant")

        result = apply_in_windows(Network(blur, InputShape(None, 64, 64)), image)

        # In one window, 64 % are lost in a corner and 40 % at an edge.
        assert np.abs(result - 1).max() < 0.02

    def test_windows_come_a_few_at_a_time(self):
        network = Network()

        apply_in_windows(network, np.zeros((600, 1200, 3), np.float32))

        assert network.seen == [(1, 400, 400, 3)] * 2 * 4

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_what_is_not_finite_is_not_hidden(self, value):
        result = apply_in_windows(Network(lambda batch: batch + value, InputShape(None, 8, 8)), draw(20, 20))

        assert not np.isfinite(result).any()

    def test_infinities_of_both_signs_warn_of_nothing(self):
        signs = iter([1, -1] * 50)

        def formula(batch):
            return batch + np.array([next(signs) * np.inf for _ in batch], np.float32)[:, None, None, None]

        result = apply_in_windows(Network(formula, InputShape(None, 8, 8)), draw(20, 20))

        assert np.isnan(result).any()
