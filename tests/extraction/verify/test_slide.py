"""Slides whose `{slide}.json`, table or loose tiles do not fit their records."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from verify_helpers import (
    PLACES,
    change_report,
    damaged_pixels,
    faults,
    image,
    said,
    tiles,
    write_manifest,
    write_ours,
    write_records,
)

from slidekit.extraction.verify.folder import verify_folder


def test_records_that_are_gone_are_missed(tmp_path: Path) -> None:
    write_ours(tmp_path, "b")
    write_ours(tmp_path).unlink()

    assert faults(tmp_path) == [("a.tfrecords", "is missing, where 3 records were written.")]


def test_a_report_that_contradicts_itself_is_found(tmp_path: Path) -> None:
    write_ours(tmp_path)
    change_report(tmp_path, counts={"background": 1, "grayspace": 1, "kept": 4})

    assert [name for name, _ in faults(tmp_path)] == ["a.json", "a.tiles.csv"]


def test_a_damaged_report_is_found_and_its_records_looked_at(tmp_path: Path) -> None:
    path = write_ours(tmp_path)
    (tmp_path / "a.json").write_text('{"slide": ')

    found = verify_folder(tmp_path)

    assert said(found) == [("a.json", "is damaged: it is not the report of slide a.")]
    assert "Move a.tfrecords away" in found.faults[0].mend
    path.write_bytes(path.read_bytes()[:-1])
    assert [name for name, _ in faults(tmp_path)] == ["a.tfrecords"]


def test_records_that_no_report_claims_are_found_in_a_folder_of_ours(tmp_path: Path) -> None:
    write_ours(tmp_path, "b")
    write_ours(tmp_path)
    (tmp_path / "a.json").unlink()
    write_records(tmp_path / "slideflows.tfrecords", tiles("slideflows", ours=False))
    write_manifest(tmp_path)

    ((name, what),) = faults(tmp_path)

    assert name == "a.tfrecords"
    assert "nothing says that it is complete" in what


@pytest.mark.parametrize(("fields", "says"), [
    ({"status": "empty", "records": None, "counts": {"background": 5}}, "says that no records were written"),
    ({"status": "failed", "records": {"name": "a.tfrecords", "records": 0, "size": 0, "sha256": ""}}, "was cut off"),
])  # fmt: skip
def test_records_that_their_report_knows_nothing_of_are_found(tmp_path: Path, fields: dict, says: str) -> None:
    write_ours(tmp_path)
    change_report(tmp_path, **fields)
    (tmp_path / "a.tiles.csv").write_text("loc_x,loc_y,reason\n")

    ((name, what),) = faults(tmp_path)

    assert name == "a.tfrecords"
    assert says in what


@pytest.mark.parametrize(("change", "says"), [
    (lambda text: text.replace(",kept,", ",grayspace,", 1), "has 2 grayspace, 2 kept, where a.json"),
    (lambda text: "".join(text.splitlines(keepends=True)[:-1]), "has 3 kept, where a.json has 1 grayspace"),
    (lambda text: text.replace("\n10,", "\n11,", 1), "lists other tiles as kept"),
    (lambda text: text[:-30], "has 1 cut off, 3 kept"),
    (lambda text: text.replace("reason", "raisin"), "not a table of tiles (KeyError"),
    (lambda text: text.replace("\n10,", "\nten,", 1), "not a table of tiles (ValueError"),
    (lambda text: "\ufffd\x00", "a.json has"),
])  # fmt: skip
def test_a_table_that_does_not_fit_is_found(tmp_path: Path, change, says: str) -> None:
    write_ours(tmp_path)
    table = tmp_path / "a.tiles.csv"
    table.write_text(change(table.read_text()))

    ((name, what),) = faults(tmp_path)

    assert name == "a.tiles.csv"
    assert says in what


def test_a_table_that_is_gone_or_no_text_is_found(tmp_path: Path) -> None:
    write_ours(tmp_path)
    table = tmp_path / "a.tiles.csv"

    table.write_bytes(b"loc_x,loc_y,reason\n\xff\xfe,1,kept\n")
    assert [name for name, _ in faults(tmp_path)] == ["a.tiles.csv"]
    table.unlink()
    assert faults(tmp_path) == [("a.tiles.csv", "is missing.")]


def test_a_damaged_report_of_a_slide_without_tiles_is_found(tmp_path: Path) -> None:
    write_ours(tmp_path)
    (tmp_path / "white.json").write_bytes(b"\0\0")
    (tmp_path / "white.tiles.csv").write_text("loc_x,loc_y,reason\n")

    assert faults(tmp_path) == [("white.json", "is damaged: it is not the report of slide white.")]


@pytest.fixture
def loose(tmp_path: Path) -> Path:
    """A project with loose tiles; returns their folder."""
    records = tmp_path / "tfrecords" / "4px_8um"
    write_ours(records)
    change_report(records, loose_tiles=3)
    folder = tmp_path / "tiles" / "4px_8um" / "a"
    folder.mkdir(parents=True)
    for number, (x, y) in enumerate(PLACES):
        (folder / f"a-{x}-{y}.png").write_bytes(image(number))
    return folder


def test_loose_tiles_are_found_beside_or_below(tmp_path: Path, loose: Path) -> None:
    (loose / "thumbs.db").write_text("a user's own")
    (loose / "a-1-1.png").write_text("a user's own")

    assert faults(tmp_path) == []
    assert faults(tmp_path / "tfrecords") == []


def test_loose_tiles_without_records_stand_beside_their_report(tmp_path: Path, loose: Path) -> None:
    # Arrange: as with save_tfrecords=False
    records = tmp_path / "tfrecords" / "4px_8um"
    for name in ("a.json", "a.tiles.csv", "extraction.json"):
        (records / name).rename(loose.parent / name)
    shutil.rmtree(tmp_path / "tfrecords")
    change_report(loose.parent, records=None)
    (loose.parent / "manifest.json").write_text("{}")

    # Act / Assert
    assert faults(tmp_path) == []
    (loose / "a-30-20.png").unlink()
    assert faults(tmp_path) == [("a", "1 of 3 tiles are missing; first a-30-20.")]
    shutil.rmtree(loose)
    assert faults(tmp_path) == [("a", "is missing, where 3 loose tiles were written.")]


def test_loose_tiles_that_are_gone_or_damaged_are_found(tmp_path: Path, loose: Path) -> None:
    path = loose / "a-30-20.png"

    path.write_bytes(damaged_pixels(path.read_bytes()))
    ((name, what),) = faults(tmp_path)
    assert name == "a"
    assert "1 of 3 tiles cannot be decoded; first a-30-20.png" in what
    assert faults(tmp_path, fast=True) == []

    path.write_bytes(image(0, px=5))
    assert "5 × 5 pixels" in faults(tmp_path)[0][1]

    path.unlink()
    assert faults(tmp_path) == [("a", "1 of 3 tiles are missing; first a-30-20.")]

    shutil.rmtree(loose)
    assert faults(tmp_path) == [("a", "is missing, where 3 loose tiles were written.")]


def test_loose_tiles_are_counted_where_the_table_is_gone(tmp_path: Path, loose: Path) -> None:
    (tmp_path / "tfrecords" / "4px_8um" / "a.tiles.csv").unlink()
    (loose / "a-30-20.png").unlink()

    assert ("a", "holds 2 loose tiles, where 3 were written.") in faults(tmp_path)


def test_loose_tiles_that_are_elsewhere_are_named_and_no_fault(tmp_path: Path, loose: Path) -> None:
    (tmp_path / "tiles").rename(tmp_path.parent / f"{tmp_path.name}-elsewhere")

    found = verify_folder(tmp_path)

    assert found.is_whole
    assert [path.name for path in found.unchecked] == ["a.tfrecords"]
