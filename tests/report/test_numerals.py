from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slidekit.report.numerals import mpp_text, nice_length, percent, significant


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.2528, "0.2528"), (0.25, "0.25"), (128.0, "128"), (1234.567, "1,235"), (0.000123456, "0.0001235"), (0, "0")],
)
def test_significant_digits_without_exponent(number, text):
    assert significant(number) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0.0 %"), (0.0004, "< 0.1 %"), (0.05, "5.0 %"), (0.9999, "> 99.9 %"), (1, "100.0 %")]
)
def test_percent_never_rounds_something_to_nothing(share, text):
    assert percent(share) == text


@pytest.mark.parametrize(
    ("x", "y", "text"), [(None, None, "–"), (0.25, None, "0.25"), (0.25, 0.25, "0.25"), (0.25, 0.26, "0.25 × 0.26")]
)
def test_mpp_shows_both_axes_only_where_they_differ(x, y, text):
    assert mpp_text(x, y) == text


@given(st.floats(1e-3, 1e6))
def test_a_nice_length_is_1_2_or_5_and_close_below(at_most):
    length = nice_length(at_most)

    digit = length / 10 ** math.floor(math.log10(length) + 1e-9)
    assert round(digit, 6) in (1, 2, 5)
    assert length <= at_most * (1 + 1e-8)
    assert length > at_most / 2.5 * (1 - 1e-8)
