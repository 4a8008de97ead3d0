"""Loose tiles and TFRecords are made of each other; places are kept."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from tool_records import damage, encoded, example, pixels, read_file

from slidekit.errors import RecordError
from slidekit.extraction.verify.folder import verify_folder
from slidekit.io.tfrecord import index_path, read_index
from slidekit.record_tools.loose import records_from_tiles, tiles_from_records
from slidekit.record_tools.loose_folders import pack_folders
from slidekit.record_tools.loose_names import list_tiles


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    """Loose tiles of a slide whose name has numbers in it, and what else people put beside them."""
    folder = tmp_path / "tiles" / "slide-7-8"
    folder.mkdir(parents=True)
    for n, (x, y) in enumerate(((100, 300), (200, 100), (100, 100))):
        (folder / f"slide-7-8-{x}-{y}.jpg").write_bytes(encoded(pixels(n), "JPEG"))
    (folder / "notes.txt").write_text("mine")
    (folder / ".hidden-1-2.jpg").write_bytes(b"")
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_tiles_become_records_with_their_places(tiles: Path, tmp_path: Path) -> None:
    dest = tmp_path / "new" / "slide-7-8.tfrecords"

    made = records_from_tiles(tiles, dest, shuffle=False)

    records = read_file(dest)
    assert [record.place for record in records] == [(100, 100), (200, 100), (100, 300)]
    assert [record.slide for record in records] == ["slide-7-8"] * 3
    for record, (x, y) in zip(records, ((100, 100), (200, 100), (100, 300)), strict=True):
        assert record.features["image_raw"][0] == (tiles / f"slide-7-8-{x}-{y}.jpg").read_bytes()
    assert read_index(index_path(dest)).locations.tolist() == [[100, 100], [200, 100], [100, 300]]
    assert (len(made.tiles), made.without_place) == (3, 0)


def test_the_order_is_random_by_the_seed(tiles: Path, tmp_path: Path) -> None:
    for n in range(20):
        (tiles / f"slide-7-8-{n}-500.png").write_bytes(encoded(pixels(n)))
    orders = []
    for number, seed in enumerate((1, 1, 2)):
        dest = tmp_path / f"{number}" / "s.tfrecords"
        records_from_tiles(tiles, dest, seed=seed)
        orders.append([record.place for record in read_file(dest)])

    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) != orders[0]


def test_names_without_places_are_counted_once(tiles: Path, tmp_path: Path, caplog) -> None:
    other = tmp_path / "tiles" / "b"
    other.mkdir()
    for name in ("tile0.png", "x-5.png", "b--3-4.png"):
        (other / name).write_bytes(encoded(pixels(1)))
    (tiles / "tile1.JPEG").write_bytes(encoded(pixels(1), "JPEG"))
    home = tmp_path / "new"

    with caplog.at_level(logging.WARNING):
        made = pack_folders({tiles: home / "slide-7-8.tfrecords", other: home / "b.tfrecords"}, shuffle=False)

    assert made == [home / "slide-7-8.tfrecords", home / "b.tfrecords"]
    assert sorted(record.place for record in read_file(made[1])) == [(-3, 4), (0, 0), (0, 0)]
    assert [record.getMessage()[:20] for record in caplog.records] == ["3 loose tiles have n"]
    assert verify_folder(home).faults == ()


@pytest.mark.parametrize("delete_tiles", [False, True])
def test_tiles_are_removed_only_if_it_is_wanted_and_nothing_else_is(
    tiles: Path, tmp_path: Path, delete_tiles: bool
) -> None:
    before = content(tiles)

    pack_folders({tiles: tmp_path / "new" / "slide-7-8.tfrecords"}, delete_tiles=delete_tiles)

    others = {"notes.txt", ".hidden-1-2.jpg"}
    assert content(tiles) == ({name: before[name] for name in others} if delete_tiles else before)


def test_a_folder_that_is_empty_then_goes_too(tiles: Path, tmp_path: Path) -> None:
    (tiles / "notes.txt").unlink()
    (tiles / ".hidden-1-2.jpg").unlink()
    empty = tmp_path / "tiles" / "empty"
    empty.mkdir()
    folders = {tiles: tmp_path / "new" / "slide-7-8.tfrecords", empty: tmp_path / "new" / "empty.tfrecords"}

    made = pack_folders(folders, delete_tiles=True)

    assert made == [tmp_path / "new" / "slide-7-8.tfrecords"]
    assert not tiles.exists()
    assert empty.exists()


def test_records_outlive_their_tiles(tiles: Path, tmp_path: Path) -> None:
    dest = tmp_path / "new" / "slide-7-8.tfrecords"
    pack_folders({tiles: dest}, delete_tiles=True)  # notes.txt keeps the folder

    assert pack_folders({tiles: dest}, overwrite=True) == []
    assert len(read_file(dest)) == len(read_index(index_path(dest))) == 3


def test_a_tile_that_cannot_be_decoded_is_named_and_none_is_removed(tiles: Path, tmp_path: Path) -> None:
    bad = tiles / "slide-7-8-100-300.jpg"
    bad.write_bytes(bad.read_bytes()[:50])
    before = content(tiles)

    with pytest.raises(RecordError, match="cannot be decoded") as caught:
        pack_folders({tiles: tmp_path / "new" / "slide-7-8.tfrecords"}, delete_tiles=True)

    assert caught.value.path == bad
    assert content(tiles) == before
    assert not list(tmp_path.rglob("*.tfrecords*"))


def test_there_and_back_again(tiles: Path, tmp_path: Path) -> None:
    dest, back = tmp_path / "new" / "slide-7-8.tfrecords", tmp_path / "back" / "slide-7-8"
    records_from_tiles(tiles, dest)

    made = tiles_from_records(dest, back)

    assert [path.name for path in made] == ["slide-7-8-{}-{}.jpg".format(*r.place) for r in read_file(dest)]
    assert content(back) == {name: data for name, data in content(tiles).items() if name[:5] == "slide"}


def test_places_that_come_again(write, tmp_path: Path) -> None:
    path = write("a", [example("a", encoded(pixels(n)), 5, 7) for n in range(3)])

    made = tiles_from_records(path, tmp_path / "tiles" / "a")
    records_from_tiles(tmp_path / "tiles" / "a", tmp_path / "back" / "a.tfrecords")

    assert [path.name for path in made] == ["a-5-7.png", "a-5-7_2.png", "a-5-7_3.png"]
    assert [record.place for record in read_file(tmp_path / "back" / "a.tfrecords")] == [(5, 7)] * 3


def test_a_foreign_file_is_not_replaced(write, tmp_path: Path) -> None:
    home = tmp_path / "tiles" / "a"
    home.mkdir(parents=True)
    (home / "mine.txt").write_text("mine")
    (home / "a-15-7.png").write_bytes(b"theirs")

    with pytest.raises(RecordError, match="another image") as caught:
        tiles_from_records(write(), home)

    assert caught.value.path == home / "a-15-7.png"
    assert content(tmp_path / "tiles") == {"a/mine.txt": b"mine", "a/a-15-7.png": b"theirs"}
    tiles_from_records(write(), home, overwrite=True)
    tiles_from_records(write(), home)  # the same content is no obstacle
    assert sorted(content(home)) == ["a-15-7.png", "a-25-7.png", "a-5-7.png", "mine.txt"]


@pytest.mark.parametrize("slide", ["../../evil", "a/b", "", "a\0b"])
def test_a_slide_whose_name_leads_elsewhere(write, tmp_path: Path, slide: str) -> None:
    path = write("a", [example(slide, encoded(pixels(1)), 1, 2)])

    with pytest.raises(RecordError, match="no file can be named after"):
        tiles_from_records(path, tmp_path / "tiles" / "a")
    assert list((tmp_path / "tiles").iterdir()) == []


def test_a_damaged_record_leaves_no_tiles(write, tmp_path: Path) -> None:
    path = write()
    damage(path, 2)

    with pytest.raises(RecordError, match="damaged"):
        tiles_from_records(path, tmp_path / "tiles" / "a")
    assert list((tmp_path / "tiles").iterdir()) == []


def test_what_is_no_image(write, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="the record at byte 0 holds neither"):
        tiles_from_records(write("a", [example("a", b"GIF89a", 1, 2)]), tmp_path / "tiles" / "a")


@pytest.mark.parametrize("further", [None, ()])
def test_names_that_end_like_sizes_are_names_where_no_tile_is_without(tmp_path: Path, further) -> None:
    for name in ("roi-12-34_40x.png", "roi-56-78_40x.png"):
        (tmp_path / name).touch()
    assert [tile.path.name for tile in list_tiles(tmp_path, further)] == ["roi-12-34_40x.png", "roi-56-78_40x.png"]

    (tmp_path / "roi-12-34.png").touch()
    with pytest.raises(RecordError, match=r"lacks 1 image of|not asked for: 40x"):
        list_tiles(tmp_path, further)
