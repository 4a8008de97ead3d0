"""Where the tiles of many files are: by any index, by none, and never by one that is wrong."""

from __future__ import annotations

import logging
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from record_files import example, framed, slideflow_folder

from slidekit.errors import RecordError
from slidekit.io.record_table import RecordTable

SLIDES = {
    "one": [(b"x" * 30, 5, 6), (b"y" * 900, -7, 2**40), (b"", 9, 10)],
    "none": [],
    "two.b": [(b"z" * n, n, 2 * n) for n in range(150)],
}


def truth(paths: list[Path]) -> list[tuple[int, int, int]]:
    """File, offset and size of each record, found by walking over the lengths."""
    found = []
    for number, path in enumerate(paths):
        data, offset = path.read_bytes(), 0
        while offset < len(data):
            size = struct.unpack_from("<Q", data, offset)[0] + 16
            found.append((number, offset, size))
            offset += size
    return found


def locations(slides: dict[str, list[tuple[bytes, int, int]]] = SLIDES) -> list[tuple[int, int]]:
    return [(x, y) for tiles in slides.values() for _, x, y in tiles]


def said(table: RecordTable) -> list[tuple[int, ...]]:
    return [tuple(row) for row in table.extents_of(np.arange(len(table))).tolist()]


@pytest.mark.parametrize("index", ["npz", "npy", "text", ""])
def test_tiles_are_found_by_every_index_that_slideflow_wrote_and_by_none(
    tmp_path: Path, index: str, caplog: pytest.LogCaptureFixture
) -> None:
    paths = slideflow_folder(tmp_path, SLIDES, index=index)

    table = RecordTable.open(paths)

    assert table.slides == ("one", "none", "two.b")
    assert table.starts.tolist() == [0, 3, 3, 153]
    assert said(table) == truth(paths)
    assert table.offsets.tolist() == [offset for _, offset, _ in truth(paths)]
    assert table.lengths.tolist() == [size for _, _, size in truth(paths)]
    assert [tuple(row) for row in table.locations.tolist()] == locations()
    assert ("looked through" in caplog.text) == (index == "")
    assert ("read from the records" in caplog.text) == (index != "npz")


def test_both_members_may_come_first(tmp_path: Path) -> None:
    path = slideflow_folder(tmp_path, SLIDES)[2]
    index = tmp_path / "two.b.index.npz"
    before = np.load(index)
    arrays = {name: before[name] for name in before.files}
    firsts = []
    for names in (["arr_0", "locations"], ["locations", "arr_0"]):
        np.savez(index, **{name: arrays[name] for name in names})
        firsts.append(zipfile.ZipFile(index).namelist()[0])

        table = RecordTable.open([path])

        assert said(table) == truth([path])
        assert [tuple(row) for row in table.locations.tolist()] == locations()[3:]
    assert len(set(firsts)) == 2


@pytest.mark.parametrize("how", ["compressed", "int32", "fortran", "reversed", "extents only"])
def test_an_unusual_index_gives_the_same(tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture) -> None:
    path = slideflow_folder(tmp_path, SLIDES)[2]
    index = tmp_path / "two.b.index.npz"
    before = np.load(index)
    extents, places = before["arr_0"], before["locations"]
    if how == "compressed":
        np.savez_compressed(index, extents, locations=places)
    elif how == "int32":
        np.savez(index, extents.astype(np.int32), locations=places.astype(np.int32))
    elif how == "fortran":
        np.savez(index, np.asfortranarray(extents), locations=np.asfortranarray(places))
    elif how == "reversed":
        np.savez(index, extents[::-1].copy(), locations=places[::-1].copy())
    else:
        np.savez(index, extents)

    table = RecordTable.open([path])

    assert said(table) == truth([path])
    assert [tuple(row) for row in table.locations.tolist()] == locations()[3:]
    assert ("have no locations" in caplog.text) == (how == "extents only")
    assert "looked through" not in caplog.text


@pytest.mark.parametrize("scratch", [1, 3, 4, 149, 150, 153, 200])
def test_indexes_larger_than_the_memory_for_them_are_read(
    tmp_path: Path, scratch: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("slidekit.io.index_bulk._SCRATCH", scratch)
    slides = {**SLIDES, "three": [(b"3", 1, 2)], "four": [], "five": [(b"5" * 70, n, n) for n in range(70)]}
    paths = slideflow_folder(tmp_path, slides)
    # One among them is wrong: its neighbours are not to suffer.
    (tmp_path / "three.index.npz").write_bytes((tmp_path / "one.index.npz").read_bytes())

    table = RecordTable.open(paths)

    assert said(table) == truth(paths)
    assert [tuple(row) for row in table.locations.tolist()] == locations(slides)
    assert caplog.text.count("1 TFRecord files have no index that fits") == 1


@pytest.mark.parametrize("damage", ["of another file", "cut off", "not a zip", "record missing", "a number changed"])
def test_an_index_that_contradicts_its_file_is_not_believed(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = slideflow_folder(tmp_path, SLIDES)[2]
    index = tmp_path / "two.b.index.npz"
    before = np.load(index)
    extents, places = before["arr_0"], before["locations"]
    if damage == "of another file":
        index.write_bytes((tmp_path / "one.index.npz").read_bytes())
    elif damage == "cut off":
        index.write_bytes(index.read_bytes()[:-100])
    elif damage == "not a zip":
        index.write_bytes(b"no index" * 100)
    elif damage == "record missing":
        np.savez(index, extents[:-1], locations=places[:-1])
    else:
        extents[70, 1] += 1
        np.savez(index, extents, locations=places)

    with caplog.at_level(logging.WARNING):
        table = RecordTable.open([path])

    assert said(table) == truth([path])
    assert [tuple(row) for row in table.locations.tolist()] == locations()[3:]
    assert "looked through" in caplog.text
    assert str(path) in caplog.text
    assert "rebuild_index" in caplog.text


def test_a_bit_that_flipped_in_the_locations_is_seen(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = slideflow_folder(tmp_path, SLIDES)[2]
    index = tmp_path / "two.b.index.npz"
    data = bytearray(index.read_bytes())
    assert data[30:43] == b"locations.npy"
    data[400] ^= 4
    index.write_bytes(data)

    table = RecordTable.open([path])

    assert [tuple(row) for row in table.locations.tolist()] == locations()[3:]
    assert "read from the records" in caplog.text


@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_no_damage_to_an_index_gives_false_places(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damage")
    path = slideflow_folder(folder, {"s": [(b"abc" * n, n, n + 1) for n in range(9)]})[0]
    index = folder / "s.index.npz"
    content = bytearray(index.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    index.write_bytes(content)

    table = RecordTable.open([path])

    assert said(table) == truth([path])
    assert table.locations.tolist() == [[n, n + 1] for n in range(9)]


def test_a_file_that_is_cut_off_says_where(tmp_path: Path) -> None:
    path = slideflow_folder(tmp_path, SLIDES)[2]
    _, offset, _ = truth([path])[-1]
    path.write_bytes(path.read_bytes()[:-5])

    with pytest.raises(RecordError, match=rf"two\.b\.tfrecords.*byte {offset} is damaged or cut off"):
        RecordTable.open([path])


def test_a_length_that_is_damaged_says_where(tmp_path: Path) -> None:
    path = slideflow_folder(tmp_path, SLIDES, index="")[0]
    offset = truth([path])[1][1]
    data = bytearray(path.read_bytes())
    data[offset + 2] ^= 1
    path.write_bytes(data)

    with pytest.raises(RecordError, match=f"byte {offset} "):
        RecordTable.open([path])


def test_a_file_that_is_missing_or_a_folder_is_a_clean_error(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot be read"):
        RecordTable.open([tmp_path / "missing.tfrecords"])
    with pytest.raises(RecordError, match="folder"):
        RecordTable.open([tmp_path])


def test_no_files_are_no_tiles() -> None:
    table = RecordTable.open([])

    assert len(table) == 0
    assert table.starts.tolist() == [0]
    assert table.offsets.shape == (0,)
    assert table.locations.shape == (0, 2)


@given(sizes=st.lists(st.lists(st.integers(0, 40), max_size=150), max_size=4), data=st.data())
@settings(deadline=None, max_examples=30)
def test_any_tiles_of_any_files_are_found(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[list[int]], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("any")
    paths = []
    for number, lengths in enumerate(sizes):
        path = folder / f"{number}.tfrecords"
        path.write_bytes(b"".join(framed(example(a=b"-" * length)) for length in lengths))
        paths.append(path)
    expected = truth(paths)
    table = RecordTable.open(paths)
    chosen = data.draw(st.lists(st.integers(0, len(table) - 1), max_size=9)) if len(table) else []

    found = table.extents_of(chosen)

    assert [tuple(row) for row in found.tolist()] == [expected[number] for number in chosen]
    assert table.file_of(chosen).tolist() == [expected[number][0] for number in chosen]
