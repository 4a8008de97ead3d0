"""Files appear whole with their index, or not at all."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from slidekit.errors import RecordError, SpecError
from slidekit.io.tfrecord import frame, index_path, iter_records, read_index
from slidekit.record_tools import writing
from slidekit.record_tools.batch import count_threads, for_each, try_each
from slidekit.record_tools.writing import RecordWriter


def test_records_and_index(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.tfrecords"
    with RecordWriter(path) as writer:
        for number, payload in enumerate((b"one", b"", b"three" * 9)):
            writer.append(payload, (number, -number))

    index = read_index(index_path(path))
    assert path.read_bytes() == frame(b"one") + frame(b"") + frame(b"three" * 9)
    assert index.extents.tolist() == [[0, 19], [19, 16], [35, 61]]
    assert np.array_equal(index.locations, [[0, 0], [1, -1], [2, -2]])
    assert sorted(p.name for p in path.parent.iterdir()) == ["a.index.npz", "a.tfrecords"]


def test_no_record_no_file(tmp_path: Path) -> None:
    with RecordWriter(tmp_path / "new" / "a.tfrecords"):
        pass

    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecords"
    with RecordWriter(path) as writer:
        writer.append(b"old", (1, 1))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def fail_half_way() -> None:
        with RecordWriter(path, overwrite=True) as writer:
            writer.append(b"new", (2, 2))
            raise KeyError

    with pytest.raises(KeyError):
        fail_half_way()

    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_an_index_that_cannot_be_written_takes_its_file_along(tmp_path: Path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "write_index", full)
    with pytest.raises(OSError, match="No space"), RecordWriter(tmp_path / "a.tfrecords") as writer:
        writer.append(b"x", (1, 1))

    assert list(tmp_path.iterdir()) == []


def test_nothing_is_replaced_unless_it_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecords"
    path.write_bytes(b"theirs")
    with pytest.raises(RecordError, match="overwrite=True"):
        RecordWriter(path)

    with RecordWriter(path, overwrite=True) as writer:
        writer.append(b"x", (1, 1))

    assert [payload for _, payload in iter_records(path)] == [b"x"]


def test_a_file_is_replaced_by_nothing_only_if_that_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecords"
    with RecordWriter(path) as writer:
        writer.append(b"old", (1, 1))
    (tmp_path / "b.tfrecords").touch()

    with RecordWriter(path, overwrite=True):
        pass
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.index.npz", "a.tfrecords", "b.tfrecords"]
    with RecordWriter(path, overwrite=True, by_nothing=True):
        pass

    assert [file.name for file in tmp_path.iterdir()] == ["b.tfrecords"]


def test_an_index_without_its_file_counts_as_there(tmp_path: Path) -> None:
    index_path(tmp_path / "a.tfrecords").touch()

    with pytest.raises(RecordError, match="exists already"):
        RecordWriter(tmp_path / "a.tfrecords")


def test_a_folder_of_an_extraction_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "extraction.json").write_text("{}")

    with pytest.raises(RecordError, match="folder of slidekit extract"):
        RecordWriter(tmp_path / "a.tfrecords", overwrite=True)


# --- many files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_workers", [None, 0, 3])
def test_what_fails_is_named_and_stops_no_other(num_workers: int | None, caplog) -> None:
    worked, finished = [], []

    def work(number: int) -> int:
        if number in (2, 4):
            raise RecordError(f"bad {number}.", mend="Do it.", path=f"{number}.tfrecords")
        if number == 5:
            raise OSError(28, "No space left on device", "/disk/5")
        worked.append(number)
        return -number

    with caplog.at_level(logging.ERROR), pytest.raises(RecordError) as caught:
        for_each(work, range(8), name=str, num_workers=num_workers, after=lambda done: finished.extend(done))

    assert sorted(worked) == [0, 1, 3, 6, 7]
    assert finished == [(n, -n) for n in (0, 1, 3, 6, 7)]
    assert str(caught.value) == "2.tfrecords: bad 2. 3 of 8 failed; the others: 4, 5. Do it."
    assert len(caplog.records) == 3
    assert "No space left" in caplog.text


def test_the_only_error_is_raised_as_it_is() -> None:
    error = SpecError("no")

    def work(_: int) -> None:
        raise error

    with pytest.raises(SpecError) as caught:
        for_each(work, [1], name=str)
    assert caught.value is error


def test_an_error_that_is_not_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        try_each(lambda n: 1 // n, [1, 0, 1], num_workers=2)


def test_threads() -> None:
    assert (count_threads(0), count_threads(1), count_threads(7)) == (1, 1, 7)
    assert count_threads(None) >= 1
    with pytest.raises(SpecError, match="below 0"):
        count_threads(-1)
