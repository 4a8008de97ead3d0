"""Indexes and manifests are made from the records; tiles are found by their place."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from tool_records import damage, encoded, example, pixels, read_file

from slidekit.errors import RecordError
from slidekit.io.tfrecord import RecordIndex, frame, index_path, read_index, write_index
from slidekit.record_tools.indexing import build_indexes, write_manifest
from slidekit.record_tools.lookup import has_locations, locations_of, record_at

PLACES = [[5, 7], [15, 7], [25, 7]]


def test_an_index_says_where_records_are(write) -> None:
    path = write()

    assert build_indexes([path]) == [index_path(path)]

    index, content = read_index(index_path(path)), path.read_bytes()
    assert index.locations.tolist() == PLACES
    for (offset, length), record in zip(index.extents, read_file(path), strict=True):
        assert record.features["image_raw"][0] in content[offset : offset + length]
    assert index.extents[:, 1].sum() == len(content)


def test_without_force_only_what_is_missing_or_wrong_is_made(write) -> None:
    good, stale, missing, no_places = (write(name, seed=n) for n, name in enumerate("abcd"))
    build_indexes([good, stale, no_places])
    write("b", [example("b", encoded(pixels(9)), 1, 2)])
    write_index(index_path(no_places), RecordIndex(read_index(index_path(no_places)).extents, None))

    made = build_indexes([good, stale, missing, no_places], force=False, num_workers=0)

    assert made == [index_path(path) for path in (stale, missing, no_places)]
    assert read_index(index_path(stale)).locations.tolist() == [[1, 2]]
    assert read_index(index_path(no_places)).locations.tolist() == PLACES
    assert build_indexes([good, stale, missing, no_places], force=False) == []


def test_a_damaged_file_keeps_its_index_and_stops_no_other(write) -> None:
    bad, good = write("a"), write("b")
    build_indexes([bad])
    before = index_path(bad).read_bytes()
    place = damage(bad)

    with pytest.raises(RecordError, match=f"byte {place} "):
        build_indexes([bad, good])

    assert index_path(bad).read_bytes() == before
    assert index_path(good).exists()


def test_an_index_of_another_file_is_not_believed(write) -> None:
    path = write()
    write_index(index_path(path), RecordIndex(np.array([[0, 10], [10, 6]]), np.array([[1, 1], [2, 2]])))

    assert locations_of(path).tolist() == PLACES
    assert write_manifest(path.parent) == {"a.tfrecords": 3}


def test_a_manifest_counts_and_removes_nothing(write, folder: Path, caplog) -> None:
    write("a"), write("b", [])
    damage(write("c"))
    (folder / "d.tfrecords").write_bytes(b"1234")
    build_indexes([folder / "a.tfrecords"])
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    with caplog.at_level(logging.WARNING):
        totals = write_manifest(folder)

    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert json.loads(after.pop("manifest.json")) == {"a.tfrecords": {"total": 3}}
    assert totals == {"a.tfrecords": 3}
    assert after == before
    assert [name for name in "bcd" if f"{name}.tfrecords is left out" in caplog.text] == ["b", "c", "d"]


def test_a_manifest_that_cannot_be_written(write, folder: Path) -> None:
    write()
    (folder / "manifest.json").mkdir()

    with pytest.raises(RecordError, match="cannot be written"):
        write_manifest(folder)


def test_tiles_by_their_place(write) -> None:
    path = write()

    assert locations_of(path).tolist() == PLACES
    assert has_locations(path)
    assert (record_at(path, (15, 7)).grid_x, record_at(path, (25, 7)).grid_x) == (1, 2)
    with pytest.raises(RecordError, match=r"no tile at \(16, 7\)\. The nearest is at \(15, 7\)"):
        record_at(path, (16, 7))


def test_slideflows_files_without_places(write) -> None:
    image = encoded(pixels(1))
    none = write("none", [example("none", image, None, None)] * 2)
    some = write("some", [example("some", image, 1, 2), example("some", image, None, None)])

    assert locations_of(none).tolist() == [[0, 0], [0, 0]]
    assert not has_locations(none)
    assert not has_locations(some)
    assert has_locations(write("empty", []))
    with pytest.raises(RecordError, match="The file is empty"):
        record_at(write("empty", []), (1, 1))


def test_records_that_are_no_tiles(folder: Path) -> None:
    path = folder / "a.tfrecords"
    path.write_bytes(frame(b""))

    with pytest.raises(RecordError, match="not tiles"):
        build_indexes([path])
    assert not index_path(path).exists()
