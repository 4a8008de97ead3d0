"""Indexes that are missing, of another file, or none at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from verify_helpers import faults, said, tiles, write_ours, write_records

from slidekit.extraction.verify.folder import verify_folder
from slidekit.io.tfrecord import RecordIndex, index_path, read_index, write_index


def test_an_index_is_missed_only_where_it_was_written(tmp_path: Path) -> None:
    path = write_ours(tmp_path)
    index_path(path).unlink()

    assert faults(tmp_path) == [("a.index.npz", "is missing.")]


def shorter(index: RecordIndex) -> RecordIndex:
    return RecordIndex(index.extents[:2], None if index.locations is None else index.locations[:2])


def moved(index: RecordIndex) -> RecordIndex:
    extents = index.extents.copy()
    extents[1] += (1, -1)
    return RecordIndex(extents, index.locations)


def misplaced(index: RecordIndex) -> RecordIndex:
    assert index.locations is not None
    locations = index.locations.copy()
    locations[2, 1] += 1
    return RecordIndex(index.extents, locations)


@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize(("change", "says"), [
    (shorter, "lists 2 records, the file holds 3"),
    (moved, "record 1 has"),
    (misplaced, "puts the tile of record 2 at (10, 41), the record at (10, 40)"),
])  # fmt: skip
def test_an_index_of_another_file_is_found(tmp_path: Path, ours: bool, change, says: str) -> None:
    if ours:
        path = write_ours(tmp_path)
    else:
        path = tmp_path / "a.tfrecords"
        write_records(path, tiles(ours=False))
    write_index(index_path(path), change(read_index(index_path(path))))

    found = verify_folder(tmp_path, fast=True)

    ((name, what),) = said(found)
    assert name == "a.index.npz"
    assert says in what
    assert ("slidekit extract" in found.faults[0].mend) == ours


def test_locations_that_were_lost_are_missed_only_where_they_were_written(tmp_path: Path) -> None:
    path = write_ours(tmp_path)
    write_index(index_path(path), replace(read_index(index_path(path)), locations=None))

    assert faults(tmp_path) == [("a.index.npz", "has no locations of tiles.")]


def test_an_index_whose_records_are_gone_is_found(tmp_path: Path) -> None:
    write_records(tmp_path / "a.tfrecords", tiles(ours=False))
    (tmp_path / "a.tfrecords").unlink()

    assert faults(tmp_path) == [("a.index.npz", "has no a.tfrecords.")]


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x05\x06" + bytes(18), "array"])
def test_what_is_no_index_is_found(tmp_path: Path, content: bytes | str) -> None:
    path = write_ours(tmp_path)
    if content == "array":
        with index_path(path).open("wb") as file:
            np.save(file, np.zeros((3, 2), np.int64))
    else:
        index_path(path).write_bytes(content)

    ((name, _),) = faults(tmp_path)

    assert name == "a.index.npz"
