"""TFRecord files: framing, damage, tiles, the index beside the file."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.errors import RecordError
from slidekit.io.example import encode_example
from slidekit.io.tfrecord import (
    FRAMING,
    RecordIndex,
    TileRecord,
    frame,
    index_path,
    iter_records,
    read_index,
    read_record_at,
    write_index,
)

INT64 = st.integers(-(2**63), 2**63 - 1)
TILE = TileRecord("胃癌 é", b"\xff\xd8 not really", -5, 2**40, 3, 4, "Läsion", "tümor")


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli) bit by bit, from its definition in RFC 3720."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> bytes:
    crc = crc32c(data)
    rotated = (crc >> 15 | crc << 17) & 0xFFFFFFFF
    return struct.pack("<I", (rotated + 0xA282EAD8) & 0xFFFFFFFF)


# --- framing ----------------------------------------------------------------------------------------------------


@given(st.binary(max_size=60))
@settings(deadline=None)
def test_a_frame_is_length_crc_payload_crc(payload: bytes) -> None:
    length = struct.pack("<Q", len(payload))
    assert frame(payload) == length + masked(length) + payload + masked(payload)
    assert len(frame(payload)) == len(payload) + FRAMING


@given(payloads=st.lists(st.binary(max_size=40), max_size=5))
@settings(deadline=None)
def test_records_come_back_with_their_offsets(tmp_path_factory: pytest.TempPathFactory, payloads: list[bytes]) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip.tfrecords"
    path.write_bytes(b"".join(frame(payload) for payload in payloads))
    read = list(iter_records(str(path)))
    assert [payload for _, payload in read] == payloads
    assert [offset for offset, _ in read] == [
        sum(len(payload) + FRAMING for payload in payloads[:k]) for k in range(len(payloads))
    ]


@pytest.fixture
def small(tmp_path: Path) -> tuple[Path, bytes, list[int]]:
    """Three records; with the file's content and the ends of its records."""
    frames = [frame(b"one"), frame(b"the second record"), frame(b"")]
    path = tmp_path / "small.tfrecords"
    path.write_bytes(b"".join(frames))
    return path, path.read_bytes(), np.cumsum([len(one) for one in frames]).tolist()


def test_every_flipped_bit_is_found(small: tuple[Path, bytes, list[int]]) -> None:
    path, content, ends = small
    for place in range(len(content)):
        for bit in (0, 3, 7):
            damaged = bytearray(content)
            damaged[place] ^= 1 << bit
            path.write_bytes(damaged)
            read = []
            with pytest.raises(RecordError, match="Extract the slide again") as caught:
                read.extend(iter_records(path))
            begin = max((end for end in ends if end <= place), default=0)
            assert f"byte {begin} " in caught.value.message
            assert caught.value.path == path


def test_every_truncation_is_found_but_one_between_two_records(small: tuple[Path, bytes, list[int]]) -> None:
    """A file that ends after a whole record is a whole TFRecord file: only the index knows that some are missing."""
    path, content, ends = small
    for length in range(len(content)):
        path.write_bytes(content[:length])
        if length in (0, *ends):
            assert len(list(iter_records(path))) == sum(end <= length for end in ends)
            continue
        with pytest.raises(RecordError, match="damaged or cut off"):
            list(iter_records(path))


def test_an_absurd_length_with_a_right_crc_is_not_allocated(tmp_path: Path) -> None:
    length = struct.pack("<Q", 1 << 60)
    path = tmp_path / "huge.tfrecords"
    path.write_bytes(length + masked(length) + b"abcd")
    with pytest.raises(RecordError, match=f"claims {1 << 60} bytes"):
        list(iter_records(path))


# --- tiles ------------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
grids = st.one_of(st.tuples(INT64, INT64), st.just((None, None)))


@given(texts, st.binary(max_size=50), INT64, INT64, grids, st.none() | texts, st.none() | texts)
@settings(deadline=None)
def test_a_tile_comes_back_as_it_was(slide, image, x, y, grid, roi_name, label) -> None:
    record = TileRecord(slide, image, x, y, *grid, roi_name, label)
    assert TileRecord.decode(record.encode()) == record


def test_a_record_of_slideflows_four_features_is_read() -> None:
    payload = encode_example({"image_raw": b"jpeg", "slide": b"s", "loc_x": 10, "loc_y": 20})
    assert TileRecord.decode(payload) == TileRecord("s", b"jpeg", 10, 20)


def test_without_roi_and_grid_we_write_slideflows_four_features() -> None:
    assert TileRecord("s", b"jpeg", 10, 20).encode() == encode_example(
        {"image_raw": b"jpeg", "slide": b"s", "loc_x": 10, "loc_y": 20}
    )


@pytest.mark.parametrize("missing", ["image_raw", "slide"])
def test_records_that_are_no_tiles(missing: str, tmp_path: Path) -> None:
    features = {"image_raw": b"jpeg", "slide": b"s", "loc_x": 10, "loc_y": 20}
    del features[missing]
    with pytest.raises(RecordError, match=missing):
        TileRecord.decode(encode_example(features), path=tmp_path / "a")


def test_a_record_is_read_at_its_offset(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecords"
    first, second = frame(TileRecord("s", b"1", 1, 1).encode()), frame(TILE.encode())
    path.write_bytes(first + second)
    assert read_record_at(path, len(first)) == TILE
    for wrong in (1, len(first) - 1, len(first) + 5):
        with pytest.raises(RecordError):
            read_record_at(path, wrong)
    with pytest.raises(RecordError, match="no record at byte"):
        read_record_at(path, len(first + second))


# --- the index --------------------------------------------------------------------------------------------------


def make_index(count: int = 3, *, locations: bool = True) -> RecordIndex:
    numbers = np.arange(2 * count, dtype=np.int64).reshape(count, 2)
    return RecordIndex(numbers, numbers * 7 - 5 if locations else None)


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("locations", [True, False])
def test_an_index_comes_back(tmp_path: Path, count: int, locations: bool) -> None:
    path, index = tmp_path / "a.index.npz", make_index(count, locations=locations)
    write_index(path, index)
    read = read_index(path)
    assert len(read) == count
    assert np.array_equal(read.extents, index.extents)
    assert (read.locations is None) is not locations
    if locations:
        assert np.array_equal(read.locations, index.locations)
    assert read.extents.dtype == np.int64


def test_an_index_has_slideflows_names_and_is_the_same_each_time(tmp_path: Path) -> None:
    write_index(tmp_path / "a.index.npz", make_index())
    write_index(tmp_path / "b.index.npz", make_index())
    assert (tmp_path / "a.index.npz").read_bytes() == (tmp_path / "b.index.npz").read_bytes()
    with np.load(tmp_path / "a.index.npz") as arrays:
        assert sorted(arrays.files) == ["arr_0", "locations"]


def test_an_old_index_without_locations_is_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "old.npz", np.array([[0, 100], [100, 50]]))
    read = read_index(tmp_path / "old.npz")
    assert read.locations is None
    assert read.extents.tolist() == [[0, 100], [100, 50]]


def test_where_an_index_stands() -> None:
    assert index_path(Path("d/slide.1.tfrecords")) == Path("d/slide.1.index.npz")


def zip_of(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, b"nothing")
    return file.getvalue()


def npz_of(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        b"PK\x03\x04 and no more",
        zip_of("arr_0.npy"),
        zip_of("other"),
        npz_of(other=np.zeros((2, 2))),
        npz_of(arr_0=np.zeros(4)),
        npz_of(arr_0=np.zeros((2, 3))),
        npz_of(arr_0=np.zeros((2, 2)), locations=np.zeros((3, 2))),
        npz_of(arr_0=np.array([["a", "b"]])),
        npz_of(arr_0=np.array([[0.5, 1.0]])),
    ],
    ids=range(11),
)
def test_what_is_no_index_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.index.npz"
    path.write_bytes(content)
    with pytest.raises(RecordError, match="not an index") as caught:
        read_index(path)
    assert caught.value.path == path
    assert caught.value.mend


def test_a_damaged_index_is_an_error_or_still_right(tmp_path: Path) -> None:
    path, index = tmp_path / "a.index.npz", make_index()
    write_index(path, index)
    content = path.read_bytes()
    noticed = 0
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            read = read_index(path)
        except RecordError:
            noticed += 1
            continue
        # Bytes such as the file's date do not matter; what is read must be what was written.
        assert np.array_equal(read.extents, index.extents)
        assert read.locations is None or np.array_equal(read.locations, index.locations)
    assert noticed > len(content) / 3
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(RecordError):
            read_index(path)


def test_a_missing_index_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="not an index"):
        read_index(tmp_path / "none.npz")


@pytest.mark.tensorflow
def test_tensorflow_reads_what_we_write(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    records = [TILE, TileRecord("s", b"x" * 1000, 0, -1)]
    path = tmp_path / "a.tfrecords"
    path.write_bytes(b"".join(frame(record.encode()) for record in records))

    read = list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())

    assert read == [record.encode() for record in records]
    layout = {
        **{name: tf.io.FixedLenFeature([], tf.string) for name in ("slide", "image_raw", "roi_name", "label")},
        **{name: tf.io.FixedLenFeature([], tf.int64) for name in ("loc_x", "loc_y", "grid_x", "grid_y")},
    }
    parsed = {name: value.numpy() for name, value in tf.io.parse_single_example(read[0], layout).items()}
    assert parsed["slide"].decode() == TILE.slide
    assert (parsed["roi_name"].decode(), parsed["label"].decode()) == (TILE.roi_name, TILE.label)
    assert (parsed["loc_x"], parsed["loc_y"], parsed["grid_x"], parsed["grid_y"]) == (-5, 2**40, 3, 4)


@pytest.mark.tensorflow
def test_we_read_what_tensorflow_writes(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    path = tmp_path / "a.tfrecords"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(TILE.encode())
    assert path.read_bytes() == frame(TILE.encode())
    assert read_record_at(path, 0) == TILE
