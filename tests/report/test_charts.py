from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.report.charts import blur_histogram, tiles_histogram


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=50))
def test_every_slide_is_in_the_bin_of_its_tiles(kept):
    chart = tiles_histogram(kept)

    assert sum(chart.counts) == len(kept)
    assert len(chart.counts) * chart.width >= max(kept)
    first = sum(number < chart.width for number in kept)
    assert chart.counts[0] == first or len(chart.counts) == 1


@settings(deadline=None)
@given(st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.05, 0.025, 0.1])), min_size=1, max_size=50))
def test_bars_behind_the_line_are_the_slides_over_it(burdens):
    chart = blur_histogram(burdens)

    assert chart.line is not None
    line = round(chart.line / chart.width)
    assert line * chart.width == pytest.approx(chart.line)
    assert sum(chart.counts[line:]) == sum(burden * 100 > 5 for burden in burdens)
    assert sum(chart.counts) == len(burdens)
