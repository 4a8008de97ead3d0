from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slidekit.collection.jobs import take_shard
from slidekit.errors import SpecError


@given(names=st.lists(st.text(min_size=1), unique=True, max_size=40), parts=st.integers(1, 12))
def test_parts_are_apart_and_add_up_and_differ_in_length_by_one(names: list[str], parts: int) -> None:
    found = [take_shard(names, (part, parts)) for part in range(1, parts + 1)]

    assert sorted(name for part in found for name in part) == sorted(names)
    assert max(map(len, found)) - min(map(len, found)) <= 1


def test_a_part_does_not_depend_on_the_order_of_the_names() -> None:
    assert take_shard(["b", "c", "a"], (2, 2)) == take_shard(["a", "b", "c"], (2, 2)) == ["b"]


@pytest.mark.parametrize("shard", [(0, 3), (4, 3), (1, 0), (-1, -1)])
def test_a_part_that_is_none(shard: tuple[int, int]) -> None:
    with pytest.raises(SpecError, match=r"no part .* counted from 1, such as 1/16"):
        take_shard(["a"], shard)
