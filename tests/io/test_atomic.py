"""Files that appear whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from slidekit.io.atomic import PART, atomic_write, atomic_write_text, is_private_part


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_its_name_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with atomic_write(path) as file:
        file.write(b"1234")
        file.seek(1)
        assert file.read(2) == b"23"
        assert names(tmp_path) == [f"a.bin{PART}"]
    assert names(tmp_path) == ["a.bin"]
    assert path.read_bytes() == b"1234"


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
@pytest.mark.parametrize("old", [None, b"old"])
def test_an_error_leaves_the_old_file_and_no_part(tmp_path: Path, error: type, old: bytes | None) -> None:
    # Arrange
    path = tmp_path / "a.bin"
    if old is not None:
        path.write_bytes(old)

    def write_half() -> None:
        with atomic_write(path) as file:
            file.write(b"new")
            raise error

    # Act
    with pytest.raises(error):
        write_half()

    # Assert
    assert (path.read_bytes() if path.exists() else None) == old
    assert names(tmp_path) == (["a.bin"] if old else [])


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_fails_at_the_end_leaves_the_old_file(tmp_path: Path, monkeypatch, call: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os if call == "fsync" else Path, call, full)
    with pytest.raises(OSError, match="No space"):
        atomic_write_text(path, "new")
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_name_with_dots_and_other_scripts(tmp_path: Path) -> None:
    path = tmp_path / "胃癌.v1.2.txt"
    atomic_write_text(str(path), "é\n")
    assert path.read_bytes() == b"\xc3\xa9\n"


def test_what_is_asked_before_the_name_is_taken_may_refuse(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def refuse() -> None:
        assert (tmp_path / "a.part").read_bytes() == b"new"
        raise LookupError

    with pytest.raises(LookupError), atomic_write(path, before=refuse) as file:
        file.write(b"new")

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_temporary_file_that_another_run_has_begun_anew_stays(tmp_path: Path) -> None:
    path = tmp_path / "a"

    def lose() -> None:
        (tmp_path / "a.part").unlink()
        (tmp_path / "a.part").write_bytes(b"of another")
        raise LookupError

    with pytest.raises(LookupError), atomic_write(path, before=lose) as file:
        file.write(b"new")

    assert (tmp_path / "a.part").read_bytes() == b"of another"
    assert not path.exists()


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "none" / "a"):
        pytest.fail("the block must not run")


@pytest.mark.parametrize("private", [False, True])
def test_what_a_link_points_at_is_never_written(tmp_path: Path, monkeypatch, private: bool) -> None:
    # Arrange: a link at the very name that is used
    monkeypatch.setattr("slidekit.io.atomic.secrets.token_hex", lambda _: "01234567")
    precious = tmp_path / "precious"
    precious.write_bytes(b"three years")
    (tmp_path / ("a.01234567.part" if private else "a.part")).symlink_to(precious)

    # Act, Assert
    with pytest.raises(OSError):  # noqa: PT011 - systems call it differently
        atomic_write_text(tmp_path / "a", "new", private=private)
    assert precious.read_bytes() == b"three years"
    assert not (tmp_path / "a").exists()


def test_a_private_name_is_nobody_elses(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a", private=True) as one, atomic_write(tmp_path / "a", private=True) as two:
        one.write(b"1")
        two.write(b"2")
        assert len(names(tmp_path)) == 2
        assert all(is_private_part(name) for name in names(tmp_path))

    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"1"
    assert not any(map(is_private_part, ("a.part", "a.0123.part", "a.0123456g.part", ".01234567.part")))
