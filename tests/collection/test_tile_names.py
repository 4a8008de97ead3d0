"""Names of tiles are taken apart as a regular expression does it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.collection.tile_names import parse_tile_names

NAME = re.compile(r"(.*)-([0-9]{1,18})-([0-9]{1,18})", re.DOTALL)


@given(
    st.lists(
        st.tuples(st.text("a-é1 \U0001f600", max_size=6), st.integers(0, 10**17), st.integers(0, 10**6)), min_size=1
    )
)
@settings(deadline=None, max_examples=60)
def test_names_of_tiles(tiles):
    slides, loc_x, loc_y = parse_tile_names([f"{slide}-{x}-{y}" for slide, x, y in tiles])
    assert list(zip(slides, loc_x.tolist(), loc_y.tolist(), strict=True)) == tiles


@given(st.text("a-1\n", max_size=8))
@settings(deadline=None, max_examples=150)
def test_any_text(text):
    match = NAME.fullmatch(text)
    expected = ([match[1]], [int(match[2])], [int(match[3])]) if match and "\n" not in text else None
    found = parse_tile_names([text])
    assert (found and (found[0], found[1].tolist(), found[2].tolist())) == expected


@pytest.mark.parametrize("names", [["a-1-2", 3], ["a-1-2", "b-1"], ["a-1", "-2-3-4"], [f"a-{10**18}-1"], ["a-1-2\n"]])
def test_no_names_of_tiles(names):
    assert parse_tile_names(names) is None
