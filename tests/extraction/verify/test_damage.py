"""Every byte of a small TFRecord and of its index is damaged, and every cut made: `verify_folder` finds them all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verify_helpers import is_found, tiles, write_manifest, write_ours, write_records

from slidekit.extraction.verify.folder import verify_folder
from slidekit.extraction.verify.index import index_faults
from slidekit.io.tfrecord import RecordIndex, index_path, read_index

LAYOUTS = ["ours", "ours without .json", "slideflow"]
EACH_LAYOUT = ["ours", pytest.param("ours without .json", marks=pytest.mark.long), "slideflow"]


def make(folder: Path, layout: str) -> Path:
    if layout == "slideflow":
        path = folder / "a.tfrecords"
        write_records(path, tiles(ours=False))
        return path
    path = write_ours(folder)
    if layout == "ours without .json":
        # As copied to where a network is trained, with nothing but the records.
        for name in ("a.json", "a.tiles.csv", "extraction.json", "manifest.json"):
            (folder / name).unlink()
    return path


def flipped(content: bytes, place: int, mask: int) -> bytes:
    return content[:place] + bytes([content[place] ^ mask]) + content[place + 1 :]


@pytest.mark.parametrize("layout", EACH_LAYOUT)
def test_every_flipped_byte_of_the_records_is_found(tmp_path: Path, layout: str) -> None:
    # Arrange
    path = make(tmp_path, layout)
    content = path.read_bytes()
    assert verify_folder(tmp_path).is_whole

    # Act
    missed = []
    for place in range(len(content)):
        path.write_bytes(flipped(content, place, 1 << place % 8))
        if not is_found(tmp_path):
            missed.append(place)

    # Assert
    assert missed == []
    assert len(content) > 400


@pytest.mark.long
@pytest.mark.parametrize("layout", ["ours", "slideflow"])
def test_every_bit_of_jpeg_records_is_found(tmp_path: Path, layout: str) -> None:
    path = make(tmp_path, layout)
    records = tiles(kind="jpg", ours=layout != "slideflow")
    if layout == "ours":
        write_ours(tmp_path, records=records)
    else:
        write_records(path, records)
    content = path.read_bytes()
    assert verify_folder(tmp_path).is_whole

    missed = []
    for place in range(len(content)):
        for bit in range(8):
            path.write_bytes(flipped(content, place, 1 << bit))
            if not is_found(tmp_path):
                missed.append((place, bit))

    assert missed == []


@pytest.mark.parametrize("layout", [*EACH_LAYOUT, "manifest alone"])
def test_every_truncation_is_found(tmp_path: Path, layout: str) -> None:
    # Arrange
    path = make(tmp_path, "slideflow" if layout == "manifest alone" else layout)
    if layout == "manifest alone":
        index_path(path).unlink()
        write_manifest(tmp_path)
    content = path.read_bytes()
    assert verify_folder(tmp_path).is_whole

    # Act
    missed = []
    for length in range(len(content)):
        path.write_bytes(content[:length])
        if not is_found(tmp_path):
            missed.append(length)

    # Assert
    assert missed == []


@pytest.mark.parametrize("layout", EACH_LAYOUT)
@pytest.mark.parametrize("added", [1, 7, 8, 11, 12, 16, 40, 4096])
def test_trailing_zeros_are_found(tmp_path: Path, layout: str, added: int) -> None:
    path = make(tmp_path, layout)

    path.write_bytes(path.read_bytes() + bytes(added))

    assert is_found(tmp_path)


def same(one: RecordIndex, other: RecordIndex) -> bool:
    if one.locations is None or other.locations is None:
        return one.locations is other.locations and np.array_equal(one.extents, other.extents)
    return np.array_equal(one.extents, other.extents) and np.array_equal(one.locations, other.locations)


def missed_in_index(path: Path, masks: list[int], *, claimed: bool, start: int = 0) -> list[tuple[int, int]]:
    """Damage of the index that changes what it says, and is not found."""
    index = index_path(path)
    content, truth = index.read_bytes(), read_index(index)
    missed = []
    for place in range(start, len(content)):
        for mask in masks:
            index.write_bytes(flipped(content, place, mask))
            if index_faults(path, truth, claimed=claimed):
                continue
            if not same(read_index(index), truth):
                missed.append((place, mask))
    index.write_bytes(content)
    return missed


@pytest.mark.parametrize("layout", ["ours", "slideflow"])
def test_every_flip_that_changes_what_the_index_says_is_found(tmp_path: Path, layout: str) -> None:
    path = make(tmp_path, layout)

    # 0x3B makes of an empty comment one that is as long as the entry of the second array, which hides it.
    assert missed_in_index(path, [0x3B, 0x80], claimed=layout == "ours") == []
    assert verify_folder(tmp_path).is_whole


@pytest.mark.long
@pytest.mark.parametrize("layout", ["ours", "slideflow"])
def test_every_bit_and_every_change_of_the_table_of_contents_is_found(tmp_path: Path, layout: str) -> None:
    path = make(tmp_path, layout)
    contents = index_path(path).read_bytes().index(b"PK\x01\x02")

    assert missed_in_index(path, [1 << bit for bit in range(8)], claimed=layout == "ours") == []
    assert missed_in_index(path, list(range(1, 256)), claimed=layout == "ours", start=contents) == []


@pytest.mark.parametrize("layout", ["ours", "slideflow"])
def test_every_truncation_of_the_index_is_found(tmp_path: Path, layout: str) -> None:
    index = index_path(make(tmp_path, layout))
    content = index.read_bytes()

    missed = []
    for length in range(0, len(content), 9):
        index.write_bytes(content[:length])
        if not is_found(tmp_path):
            missed.append(length)

    assert missed == []


@given(start=st.integers(0, 400), junk=st.binary(min_size=1, max_size=60), layout=st.sampled_from(LAYOUTS))
@settings(deadline=None, max_examples=60)
def test_bytes_that_were_overwritten_are_found(
    tmp_path_factory: pytest.TempPathFactory, start: int, junk: bytes, layout: str
) -> None:
    folder = tmp_path_factory.mktemp("overwritten")
    path = make(folder, layout)
    content = path.read_bytes()
    damaged = (content[:start] + junk + content[start + len(junk) :])[: len(content)]

    path.write_bytes(damaged)

    assert is_found(folder) == (damaged != content)
