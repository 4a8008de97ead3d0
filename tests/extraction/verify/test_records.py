"""Records that are damaged, of another slide, or whose image does not decode."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from verify_helpers import PX, damaged_pixels, faults, image, said, tiles, write_ours, write_records

from slidekit.extraction.verify.folder import verify_folder
from slidekit.io.example import encode_example
from slidekit.io.tfrecord import frame, index_path, read_index


def cut_jpeg(data: bytes) -> bytes:
    return data[:-9]


def without_end(data: bytes) -> bytes:
    return data.removesuffix(b"\xff\xd9")


def without_rows(data: bytes) -> bytes:
    """A PNG whose checksums are all right, and that holds fewer rows than it says."""
    start = data.index(b"IDAT")
    (length,) = struct.unpack(">I", data[start - 4 : start])
    pixels = zlib.decompress(data[start + 4 : start + 4 + length])
    body = b"IDAT" + zlib.compress(pixels[: len(pixels) // 2])
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[: start - 4] + chunk + data[start + 8 + length :]


@pytest.mark.parametrize(("kind", "damage", "says"), [
    ("jpg", cut_jpeg, "Premature end"),
    ("jpg", without_end, "Premature end"),
    ("png", damaged_pixels, "checksum of its IDAT chunk"),
    ("png", without_rows, "Not enough image data"),
    ("png", lambda data: data[:-12], "it is cut off"),
    ("png", lambda data: data[:12], "it is cut off"),
    ("png", lambda data: b"", "neither a JPEG nor a PNG"),
    ("jpg", lambda data: b"<html>", "neither a JPEG nor a PNG"),
    ("png", lambda data: image(1, px=5), "has 5 × 5 pixels, not 2 × 2"),
])  # fmt: skip
@pytest.mark.parametrize("ours", [True, False])
def test_an_image_that_does_not_decode_is_named_though_its_crc_is_right(
    tmp_path: Path, kind: str, damage, says: str, ours: bool
) -> None:
    # Arrange
    records = tiles(kind=kind, ours=ours)
    first_size = len(records[0].encode()) + 16
    records[1] = replace(records[1], image_raw=damage(records[1].image_raw))
    if ours:
        write_ours(tmp_path, records=records)
    else:
        write_records(tmp_path / "a.tfrecords", records)

    # Act
    found = verify_folder(tmp_path)

    # Assert
    ((name, what),) = said(found)
    assert name == "a.tfrecords"
    assert "1 of 3 images" in what
    assert f"first record 1 at byte {first_size}" in what
    assert says in what
    assert ("--no-skip-extracted" in found.faults[0].mend) == ours
    assert verify_folder(tmp_path, fast=True).is_whole


def test_a_header_that_claims_gigabytes_is_not_decoded(tmp_path: Path) -> None:
    records = tiles()
    header = b"IHDR" + struct.pack(">II", 60000, 60000) + b"\x08\x02\x00\x00\x00"
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    old = records[0].image_raw
    records[0] = replace(records[0], image_raw=old[:8] + chunk + old[33:])
    write_records(tmp_path / "a.tfrecords", records)

    ((_, what),) = faults(tmp_path)

    assert "claims 60000 × 60000 pixels" in what


def test_gray_and_deep_images_of_other_makers_are_no_faults(tmp_path: Path) -> None:
    pixels = np.arange(PX * PX).reshape(PX, PX)
    records = [
        replace(tile, image_raw=cv2.imencode(f".{kind}", pixels.astype(depth))[1].tobytes())
        for tile, (kind, depth) in zip(
            tiles(ours=False), (("png", np.uint8), ("png", np.uint16), ("jpg", np.uint8)), strict=True
        )
    ]
    write_records(tmp_path / "a.tfrecords", records)

    assert faults(tmp_path) == []


def test_the_place_of_a_damaged_record_is_named(tmp_path: Path) -> None:
    path = write_ours(tmp_path)
    offset = int(read_index(index_path(path)).extents[2, 0])
    content = bytearray(path.read_bytes())
    content[offset + 30] ^= 1
    path.write_bytes(content)

    found = verify_folder(tmp_path)

    ((name, what),) = said(found)
    assert name == "a.tfrecords"
    assert f"record at byte {offset} is damaged" in what
    assert "Whole records before it: 2." in what
    assert "--verify" in found.faults[0].mend
    assert (found.files, found.records) == (1, 2)


def test_another_whole_file_in_its_place_is_found_by_the_checksum(tmp_path: Path) -> None:
    path = write_ours(tmp_path)
    swapped = tiles()
    swapped[0] = replace(swapped[0], image_raw=swapped[1].image_raw)
    before = path.stat().st_size
    write_records(path, swapped)
    if path.stat().st_size != before:
        pytest.fail("the file must have kept its size for this test")

    ((name, what),) = faults(tmp_path, fast=True)

    assert name == "a.tfrecords"
    assert "SHA-256" in what


@pytest.mark.parametrize("ours", [True, False])
def test_a_record_of_another_slide_is_found(tmp_path: Path, ours: bool) -> None:
    records = tiles(ours=ours)
    records[2] = replace(records[2], slide="b")
    if ours:
        write_ours(tmp_path, records=records)
    else:
        write_records(tmp_path / "a.tfrecords", records)

    ((name, what),) = faults(tmp_path, fast=True)

    assert name == "a.tfrecords"
    assert "1 of 3 records" in what
    assert "record 2" in what
    assert "'b'" in what


def test_records_that_are_no_tiles_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.tfrecords").write_bytes(frame(encode_example({"x": 1})) + frame(b"\xff\xff\xff") + frame(b""))

    ((_, what),) = faults(tmp_path)

    assert "3 of 3 records are no tiles" in what


@pytest.mark.parametrize("ours", [True, False])
def test_an_empty_file_is_found(tmp_path: Path, ours: bool) -> None:
    if ours:
        path = write_ours(tmp_path)
    else:
        path = tmp_path / "a.tfrecords"
        write_records(path, tiles(ours=False))
    path.write_bytes(b"")

    ((name, what),) = faults(tmp_path)

    assert name == "a.tfrecords"
    assert "is empty" in what
