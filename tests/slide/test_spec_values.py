from __future__ import annotations

from pathlib import Path

import pytest

from slidekit.slide.spec_values import read_folder


@pytest.mark.parametrize("given", ["~/fast", Path("~/fast")])
def test_a_folder_may_begin_at_home(monkeypatch, tmp_path, given) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    assert read_folder(given) == tmp_path / "fast"


@pytest.mark.parametrize("given", ["", "  ", "~nobody-of-this-name/fast"])
def test_what_names_no_folder(given) -> None:
    with pytest.raises(ValueError, match=r"empty|home"):
        read_folder(given)


def test_other_kinds_of_values_are_left_to_the_spec() -> None:
    assert read_folder(None) is None
    assert read_folder(3) == 3
