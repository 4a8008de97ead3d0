"""Reading what people hand in: whole, bounded, and never for ever."""

from __future__ import annotations

import os

import pytest

from slidekit.errors import AnnotationsError, ROIError
from slidekit.io.user_file import check_regular, parse_json, read_bytes


def test_a_file_is_read_whole(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc")

    assert read_bytes(str(path), error=ROIError) == b"abc"
    assert check_regular(path, error=ROIError) == 3


def test_a_file_over_the_limit_is_not_read(tmp_path):
    path = tmp_path / "a"
    with path.open("wb") as file:
        file.truncate(3 << 20)

    with pytest.raises(AnnotationsError, match=r"The table has 3 MiB, over the limit of 2 MiB\. Cut it\.") as caught:
        read_bytes(path, error=AnnotationsError, what="The table", limit=2 << 20, too_large="Cut it.")
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("name", "said"),
    [("none", "No such file"), ("folder", "it is a folder"), ("pipe", "it is a pipe"), ("a\0b", "null byte")],
)
def test_what_cannot_be_read_is_an_error_at_once(tmp_path, name, said):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(ROIError, match=said) as caught:
        read_bytes(tmp_path / name, error=ROIError, mend="Look for it.")
    assert caught.value.mend == "Look for it."


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [("{\n,", 2, "Expecting"), ("[" * 100_000, None, "too deep"), ("9" * 5000, None, "digits"), ("", 1, "Expecting")],
)
def test_damaged_json_is_an_error(tmp_path, text, line, said):
    with pytest.raises(ROIError, match=said) as caught:
        parse_json(text, path=tmp_path / "a", error=ROIError, mend="Write it again.")

    assert (caught.value.path, caught.value.line, caught.value.mend) == (tmp_path / "a", line, "Write it again.")


def test_repeated_keys_are_told_and_the_last_one_counts(tmp_path):
    told: list[str] = []

    content = parse_json(
        '{"a": 1, "b": {"a": 2, "a": 3}, "a": 4}', path=tmp_path, error=ROIError, mend="", on_repeat=told.append
    )

    assert content == {"a": 4, "b": {"a": 3}}
    assert told == ["a", "a"]
