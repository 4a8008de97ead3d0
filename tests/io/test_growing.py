"""A column that grows holds what was added, in order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.io import growing


@given(parts=st.lists(st.integers(0, 9), max_size=12), left=st.floats(0, 40))
@settings(deadline=None, max_examples=40)
def test_a_column_holds_what_was_added(parts: list[int], left: float) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(growing, "_FIRST", 3)
        column = growing.GrowingColumn()
        for number, count in enumerate(parts):
            column.add(np.arange(count, dtype=np.int64) + 10 * number, left=left)

    expected = [10 * number + step for number, count in enumerate(parts) for step in range(count)]
    assert column.total == len(expected)
    joined = column.joined()
    assert joined.tolist() == expected
    assert joined.dtype == np.uint32
