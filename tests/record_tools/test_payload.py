"""An image is replaced in a record; everything else stays, byte by byte."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tool_records import example

from slidekit.errors import RecordError
from slidekit.io.example import _example_class, encode_example
from slidekit.record_tools.payload import replace_image

numbers = st.integers(-(2**63), 2**63 - 1)
values = st.one_of(
    st.binary(max_size=20),
    numbers,
    st.lists(numbers, min_size=1, max_size=3),
    st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=3),
    st.lists(st.binary(max_size=5), min_size=1, max_size=3),
)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8).filter(
    lambda name: name not in ("image_raw", "slide", "loc_x", "loc_y")
)


@given(st.dictionaries(names, values, max_size=5), st.binary(max_size=300), st.binary(max_size=300))
@settings(deadline=None)
def test_all_other_features_stay(features, old: bytes, new: bytes) -> None:
    payload = example("s", old, 3, -4, **features)

    replaced = replace_image(payload, new)

    # Protobuf writes the entries of a map in the order of their keys: equal bytes are equal records.
    assert replaced == example("s", new, 3, -4, **features)


def test_fields_of_later_versions_and_repeated_keys() -> None:
    unknown = b"\x18\x96\x01" + b"\x25abcd" + b"\x29abcdefgh"  # fields 3, 4 and 5: varint, 32 and 64 bits
    payload = encode_example({"image_raw": b"1", "x": 5}) + encode_example({"image_raw": b"2"}) + unknown

    replaced = replace_image(payload, b"new")

    read = _example_class().FromString(replaced)
    assert replaced.endswith(unknown)
    assert replaced.count(b"image_raw") == 1
    assert list(read.features.feature["image_raw"].bytes_list.value) == [b"new"]
    assert list(read.features.feature["x"].int64_list.value) == [5]


def test_a_record_without_an_image() -> None:
    with pytest.raises(RecordError, match="no feature 'image_raw'"):
        replace_image(encode_example({"slide": b"s"}), b"new")


@given(st.binary(max_size=40), st.integers(0, 60))
@settings(deadline=None)
def test_rubbish_is_an_error_of_ours(rubbish: bytes, cut: int) -> None:
    for payload in (rubbish, example("s", b"image", 1, 2)[:cut] + rubbish):
        try:
            replaced = replace_image(payload, b"new")
        except RecordError:
            continue
        assert b"new" in replaced
