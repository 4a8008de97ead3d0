"""`slidekit.TFRecord`: tiles by number and by place, of Slideflow's files and ours; damage is never silent."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from record_files import example, framed, slideflow_folder

import slidekit
from slidekit.errors import RecordError, SpecError
from slidekit.io.tfrecord import RecordIndex, TileRecord, frame, index_path, write_index
from slidekit.record_tools.lookup import record_at

IMAGE = np.arange(6 * 4 * 3, dtype=np.uint8).reshape(6, 4, 3)
PNG = cv2.imencode(".png", IMAGE[..., ::-1])[1].tobytes()
JPEG = cv2.imencode(".jpg", np.full((8, 8, 3), 200, np.uint8))[1].tobytes()
TILES = [(JPEG, 10, 20), (PNG, 30, -40), (JPEG, 50, 60)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return slideflow_folder(tmp_path, {"胃 1": TILES})[0]


def test_tiles_come_by_number(path: Path) -> None:
    tiles = slidekit.TFRecord(path)

    assert len(tiles) == 3
    assert tiles[1] == {"slide": "胃 1", "image_raw": PNG, "loc_x": 30, "loc_y": -40}
    assert tiles[-1] == tiles[np.int64(2)] == {"slide": "胃 1", "image_raw": JPEG, "loc_x": 50, "loc_y": 60}
    assert [tile["loc_x"] for tile in tiles] == [10, 30, 50]
    assert tiles.locations.tolist() == [[10, 20], [30, -40], [50, 60]]
    assert tiles.fields == ("image_raw", "loc_x", "loc_y", "slide")
    assert tiles.img_format == "jpeg"
    for number in (3, -4):
        with pytest.raises(IndexError, match="3 tiles"):
            tiles[number]


def test_images_come_decoded(path: Path) -> None:
    tiles = slidekit.TFRecord(path, decode_images=True)

    assert np.array_equal(tiles[1]["image"], IMAGE)
    assert "image_raw" not in tiles[1]
    expected = cv2.imdecode(np.frombuffer(JPEG, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.array_equal(tiles[0]["image"], expected)


def test_tiles_come_by_place(path: Path) -> None:
    tiles = slidekit.TFRecord(path)

    assert tiles.get_record_by_xy(30, -40) == tiles[1]
    assert np.array_equal(tiles.get_record_by_xy(30, -40, decode=True)["image"], IMAGE)
    with pytest.raises(RecordError, match=r"no tile at \(-40, 30\)"):
        tiles.get_record_by_xy(-40, 30)


def test_our_features_come_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "s.tfrecords"
    data = frame(TileRecord("s", PNG, 1, 2, 3, 4, "Läsion", "tumour").encode())
    path.write_bytes(data)
    write_index(index_path(path), RecordIndex(np.array([[0, len(data)]]), np.array([[1, 2]])))

    tile = slidekit.TFRecord(path)[0]

    assert tile == {
        "slide": "s",
        "image_raw": PNG,
        "loc_x": 1,
        "loc_y": 2,
        "grid_x": 3,
        "grid_y": 4,
        "roi_name": "Läsion",
        "label": "tumour",
    }


def test_an_index_may_be_given(path: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere.npz"
    index_path(path).rename(moved)
    with np.load(moved) as arrays:
        extents = arrays["arr_0"]

    by_path, by_array = slidekit.TFRecord(path, moved), slidekit.TFRecord(path, extents[::-1])

    assert [tile["loc_x"] for tile in by_path] == [tile["loc_x"] for tile in by_array] == [10, 30, 50]
    assert by_path.locations.tolist() == by_array.locations.tolist() == [[10, 20], [30, -40], [50, 60]]
    with pytest.raises(RecordError, match="not what its index says"):
        slidekit.TFRecord(path, extents[:2])


def test_it_is_pickled_closed_and_used_in_a_with_statement(path: Path) -> None:
    with slidekit.TFRecord(path, decode_images=True) as tiles:
        first = tiles[1]
        copy = pickle.loads(pickle.dumps(tiles))

    assert np.array_equal(copy[1]["image"], first["image"])
    with pytest.raises(RecordError, match="is closed"):
        tiles[0]


def test_an_empty_file_has_no_tiles(tmp_path: Path) -> None:
    path = tmp_path / "empty.tfrecords"
    path.write_bytes(b"")

    tiles = slidekit.TFRecord(path)

    assert (len(tiles), tiles.fields, tiles.img_format, list(tiles)) == (0, (), None, [])


@pytest.mark.parametrize("place", [0, 5, 9, 14, 60, -1])
def test_a_flipped_bit_is_an_error_that_names_file_and_byte(path: Path, place: int) -> None:
    start = len(framed(example(slide="胃 1".encode(), image_raw=JPEG, loc_x=10, loc_y=20)))
    size = len(framed(example(slide="胃 1".encode(), image_raw=PNG, loc_x=30, loc_y=-40)))
    data = bytearray(path.read_bytes())
    data[start + (place if place >= 0 else size + place)] ^= 16
    path.write_bytes(data)
    tiles = slidekit.TFRecord(path)

    with pytest.raises(RecordError, match=f"胃 1.tfrecords: the record at byte {start} is damaged"):
        tiles[1]
    assert tiles[0]["image_raw"] == tiles[2]["image_raw"] == JPEG


def test_checksums_may_be_left_alone(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)

    assert slidekit.TFRecord(path, check_crc=False)[2]["image_raw"] == JPEG
    with pytest.raises(RecordError, match="damaged"):
        slidekit.TFRecord(path)[2]


def test_an_image_that_is_none_is_named(tmp_path: Path) -> None:
    (path,) = slideflow_folder(tmp_path, {"s": [(b"GIF89a", 1, 2), (PNG[:40], 3, 4)]})
    tiles = slidekit.TFRecord(path, decode_images=True)

    with pytest.raises(RecordError, match=r"tile at \(1, 2\) cannot be decoded: it is neither"):
        tiles[0]
    with pytest.raises(RecordError, match=r"tile at \(3, 4\) cannot be decoded"):
        tiles[1]
    with pytest.raises(RecordError, match="neither"):
        _ = tiles.img_format


def test_a_record_that_is_no_tile_is_named(tmp_path: Path) -> None:
    path = tmp_path / "s.tfrecords"
    path.write_bytes(framed(example(other=b"1")))

    with pytest.raises(RecordError, match="no feature 'slide'"):
        slidekit.TFRecord(path)[0]


def test_an_index_of_other_places_is_found_out(tmp_path: Path) -> None:
    # Arrange: records of one length, and an index that says their places in reverse
    path = tmp_path / "s.tfrecords"
    data = [frame(TileRecord("s", PNG, 100 + n, 200).encode()) for n in range(3)]
    path.write_bytes(b"".join(data))
    extents = np.array([(n * len(data[0]), len(data[0])) for n in range(3)], np.int64)
    write_index(index_path(path), RecordIndex(extents, np.array([(102, 200), (101, 200), (100, 200)])))

    # Act, Assert
    tiles = slidekit.TFRecord(path)
    assert tiles.get_record_by_xy(101, 200)["loc_x"] == 101
    with pytest.raises(RecordError, match=r"its index says.*\(100, 200\).*\(102, 200\).*rebuild_index"):
        tiles.get_record_by_xy(100, 200)
    with pytest.raises(RecordError, match="its index says"):
        record_at(path, (102, 200))


@pytest.mark.parametrize("index", [[1, 2, 3], [[1, 2, 3]], [["a", "b"]], [[0.5, 1.5]], [[1, 2], [3]]])
def test_what_is_no_index(path: Path, index: object) -> None:
    with pytest.raises(SpecError, match="no index of records"):
        slidekit.TFRecord(path, index=index)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore")  # numpy's, about headers that are damaged
def test_any_damage_of_an_old_index_leads_to_the_records_themselves(tmp_path: Path) -> None:
    # Arrange
    (path,) = slideflow_folder(tmp_path, {"s": TILES})
    index_path(path).unlink()
    file = io.BytesIO()
    np.save(file, slidekit.TFRecord(path)._table.extents_of(range(3))[:, 1:])
    whole, old = file.getvalue(), path.with_suffix(".index.npy")

    # Act, Assert: numpy says it in many ways, for bits of the header
    for bit in (*range(0, 8 * 128, 7), 70, 80):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        old.write_bytes(damaged)
        assert len(slidekit.TFRecord(path)) == 3
