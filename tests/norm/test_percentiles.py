from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from slidekit.norm import percentiles
from slidekit.norm.percentiles import image_percentile, percentile

Q = st.one_of(st.sampled_from([0.0, 1.0, 50.0, 90.0, 99.0, 100.0]), st.floats(0, 100))


@given(npst.arrays(np.uint8, st.integers(1, 200)), Q)
@settings(deadline=None)
def test_image_percentile_is_numpys(values, q):
    assert image_percentile(values, q) == pytest.approx(float(np.percentile(values, q)), abs=1e-9)


def test_image_percentile_counts_alike_beyond_the_exact_range_of_float32(monkeypatch):
    values = np.random.default_rng(0).integers(0, 256, (50, 40, 3), dtype=np.uint8)
    monkeypatch.setattr(percentiles, "_EXACT_IN_FLOAT32", 10)

    assert image_percentile(values, 90) == np.percentile(values, 90)


@given(npst.arrays(np.float32, st.integers(1, 200), elements=st.floats(-100, 100, width=32)), Q)
@settings(deadline=None)
def test_percentile_is_numpys(values, q):
    assert percentile(values, q) == pytest.approx(float(np.percentile(values.astype(float), q)), abs=1e-9)


@given(npst.arrays(np.float32, st.integers(1, 50), elements=st.floats(-100, 100, width=32)), Q)
@settings(deadline=None)
def test_percentile_of_an_increasing_function(values, q):
    expected = np.percentile(np.arctan(values.astype(float)), q)

    assert percentile(values, q, np.arctan) == pytest.approx(float(expected), abs=1e-9)


@pytest.mark.parametrize("q", [0.0, 0.3, 1.0, 2.5, 97.5, 99.0, 99.99, 100.0])
@pytest.mark.parametrize(
    "arrange",
    [
        np.random.default_rng(1).permutation,
        np.sort,
        lambda values: np.sort(values)[::-1],
        # What every 16th value says of the rest is wrong.
        lambda values: np.where(np.arange(values.size) % 16 == 0, -values, values + 3),
        lambda values: np.where(np.arange(values.size) % 16 == 0, values + 3, -values),
        np.round,
        np.zeros_like,
    ],
)
def test_many_values_in_any_order(arrange, q):
    values = arrange(np.random.default_rng(0).gamma(2, size=20_011)).astype(np.float32)
    assert percentile(values, q) == pytest.approx(float(np.percentile(values.astype(float), q)), rel=1e-9)
