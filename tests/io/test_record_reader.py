"""Reading records from threads and forked processes, of many files, while files are cut off or replaced."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from record_files import slideflow_folder

from slidekit.errors import RecordError
from slidekit.io.record_reader import RecordReader
from slidekit.io.record_table import RecordTable


def make(folder: Path, files: int, tiles: int = 3, *, bytes_each: int = 10) -> RecordReader:
    """Image of tile t of file f: ``f-t``, as often as it takes."""
    content = {
        f"s{file:04}": [(f"{file}-{tile}".encode() * bytes_each, tile, file) for tile in range(tiles)]
        for file in range(files)
    }
    return RecordReader(RecordTable.open(slideflow_folder(folder, content)))


def is_right(reader: RecordReader, number: int, tiles: int = 3) -> bool:
    (record,) = reader.records([number])
    file, tile = divmod(number, tiles)
    return record.image_raw.startswith(f"{file}-{tile}".encode()) and (record.loc_x, record.loc_y) == (tile, file)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - as plain as can be


def test_more_files_than_a_process_may_open_can_be_read(tmp_path: Path) -> None:
    reader = make(tmp_path, 300, 1)
    before = open_files()

    assert all(is_right(reader, number, 1) for number in np.random.default_rng(0).permutation(300))

    assert before + 100 < open_files() <= before + 128
    reader.close()
    assert open_files() == before


def test_a_file_without_tiles_between_others_does_not_matter(tmp_path: Path) -> None:
    paths = slideflow_folder(tmp_path, {"a": [(b"1", 1, 1)], "b": [], "c": [(b"2", 2, 2)]})

    records = RecordReader(RecordTable.open(paths)).records([1, 0, 1])

    assert [(record.slide, record.image_raw) for record in records] == [("c", b"2"), ("a", b"1"), ("c", b"2")]


def test_threads_share_a_reader(tmp_path: Path) -> None:
    # More files than are kept open: threads take each other's places all the time.
    reader = make(tmp_path, 140)
    numbers = np.random.default_rng(1).integers(0, 140 * 3, 2000).tolist()

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda number: is_right(reader, number), numbers))

    assert all(results)


def _in_child(check: Callable[[int], bool], numbers: list[int], queue: multiprocessing.SimpleQueue[bool]) -> None:
    queue.put(all(check(number) for number in numbers))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_forked_processes_read_what_the_parent_has_open(tmp_path: Path) -> None:
    reader = make(tmp_path, 20, bytes_each=3000)
    assert is_right(reader, 0)
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    numbers = np.random.default_rng(2).integers(0, 60, 200).tolist()
    check = lambda number: is_right(reader, number)  # noqa: E731 - a closure over what was forked

    children = [context.Process(target=_in_child, args=(check, numbers[::step], queue)) for step in (1, -1)]
    for child in children:
        child.start()
    here = all(check(number) for number in numbers)

    assert here
    assert queue.get()
    assert queue.get()
    for child in children:
        child.join()


def test_a_copy_by_pickle_opens_the_files_anew(tmp_path: Path) -> None:
    reader = make(tmp_path, 3)
    assert is_right(reader, 4)

    copy = pickle.loads(pickle.dumps(reader))

    assert all(is_right(copy, number) for number in range(9))


def test_a_file_that_is_cut_off_while_it_is_open_is_an_error(tmp_path: Path) -> None:
    # Through a memory map this would be SIGBUS, and the end of the process.
    reader = make(tmp_path, 1, bytes_each=50_000)
    assert is_right(reader, 2)
    path = reader.table.paths[0]
    os.truncate(path, 1000)

    with pytest.raises(RecordError, match=r"s0000\.tfrecords: the record at byte \d{5,} is damaged or cut off"):
        is_right(reader, 2)


def test_a_file_that_changed_before_it_was_opened_is_an_error(tmp_path: Path) -> None:
    reader = make(tmp_path, 1)
    path = reader.table.paths[0]
    path.write_bytes(path.read_bytes() + b"more")

    with pytest.raises(RecordError, match="when it was looked through"):
        is_right(reader, 0)


def test_a_file_that_is_replaced_while_it_is_open_is_read_as_it_was(tmp_path: Path) -> None:
    reader = make(tmp_path, 1)
    assert is_right(reader, 0)
    path = reader.table.paths[0]
    other = tmp_path / "other"
    other.write_bytes(b"something else")
    other.replace(path)

    assert is_right(reader, 1)


def test_a_file_that_vanished_is_an_error(tmp_path: Path) -> None:
    reader = make(tmp_path, 1)
    reader.table.paths[0].unlink()

    with pytest.raises(RecordError, match="cannot be read"):
        is_right(reader, 0)
