"""One file of several: every record once, as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from tool_records import damage, encoded, example, pixels, read_file

from slidekit.errors import RecordError, SpecError
from slidekit.extraction.verify.folder import verify_folder
from slidekit.io.tfrecord import index_path, iter_records, read_index
from slidekit.record_tools import merging
from slidekit.record_tools.merging import merge_records


def payloads(*paths: Path) -> list[bytes]:
    return [payload for path in paths for _, payload in iter_records(path)]


def test_every_record_is_there_once_and_unchanged(write, tmp_path: Path) -> None:
    files = [write(name, seed=n) for n, name in enumerate("abc")]
    dest = tmp_path / "merged" / "all.tfrecords"

    count = merge_records(files, dest, seed=5)

    assert count == 9
    assert sorted(payloads(dest)) == sorted(payloads(*files))
    slides = [record.slide for record in read_file(dest)]
    assert slides != sorted(slides)  # a random order
    index = read_index(index_path(dest))
    assert [tuple(place) for place in index.locations] == [record.place for record in read_file(dest)]


def test_the_order_is_that_of_the_seed_or_of_the_files(write, tmp_path: Path) -> None:
    files = [write(name, seed=n) for n, name in enumerate("abc")]

    made = {}
    for key, options in {"1": {"seed": 1}, "1 again": {"seed": 1}, "2": {"seed": 2}, "no": {"shuffle": False}}.items():
        dest = tmp_path / key / "all.tfrecords"
        merge_records(files, dest, **options)
        made[key] = payloads(dest)

    assert made["1"] == made["1 again"] != made["2"]
    assert made["no"] == payloads(*files)


def test_verify_finds_a_merged_folder_whole(write, tmp_path: Path) -> None:
    merge_records([write("a"), write("b")], tmp_path / "merged" / "all.tfrecords")

    found = verify_folder(tmp_path / "merged")

    assert (found.faults, found.records) == ((), 6)


def test_verify_still_finds_files_under_a_wrong_name(write, tmp_path: Path) -> None:
    # Of one other slide, and of two of which the file bears the name of one: neither is what a merge leaves.
    write("a").rename(tmp_path / "b.tfrecords")
    merge_records([write("c"), write("d")], tmp_path / "all.tfrecords")
    (tmp_path / "all.tfrecords").rename(tmp_path / "c.tfrecords")

    faults = {fault.path.name: fault.what for fault in verify_folder(tmp_path).faults}

    assert "3 of 3 records are of another slide" in faults["b.tfrecords"]
    assert "3 of 6 records are of another slide" in faults["c.tfrecords"]


def test_two_parts_of_one_slide(write, tmp_path: Path) -> None:
    first, second = (write("a", seed=n).rename(tmp_path / f"part-{n}.tfrecords") for n in (0, 1))

    merge_records([first, second], tmp_path / "merged" / "a.tfrecords")

    assert verify_folder(tmp_path / "merged").faults == ()
    with pytest.raises(SpecError, match=r"Call the file a\.tfrecords"):
        merge_records([first, second], tmp_path / "merged" / "both.tfrecords")


@pytest.mark.parametrize("name", ["a.tfrecords", "all.tfrecord", "all"])
def test_names_that_do_not_fit(write, tmp_path: Path, name: str) -> None:
    with pytest.raises(SpecError):
        merge_records([write("a"), write("b")], tmp_path / "merged" / name)
    assert not (tmp_path / "merged").exists()


def test_a_file_is_not_merged_into_itself(write) -> None:
    files = [write("a"), write("b")]

    with pytest.raises(SpecError, match="one of the files"):
        merge_records(files, files[0], overwrite=True)


def test_damage_is_found_before_anything_is_written(write, tmp_path: Path) -> None:
    files = [write("a"), write("b")]
    place = damage(files[1], 2)

    with pytest.raises(RecordError, match=f"byte {place} ") as caught:
        merge_records(files, tmp_path / "merged" / "all.tfrecords")

    assert caught.value.path == files[1]
    assert not (tmp_path / "merged").exists()


def test_a_file_that_changes_meanwhile_is_found(write, tmp_path: Path, monkeypatch) -> None:
    files = [write("a"), write("b")]
    check = merging._check_name

    def then_damage(*given: object) -> None:
        check(*given)
        damage(files[0], 2)

    monkeypatch.setattr(merging, "_check_name", then_damage)
    with pytest.raises(RecordError, match="has changed while it was copied"):
        merge_records(files, tmp_path / "merged" / "all.tfrecords", shuffle=False)

    assert not (tmp_path / "merged").exists()


def test_nothing_to_merge(write, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no records"):
        merge_records([write("a", [])], tmp_path / "merged" / "all.tfrecords")


def test_what_exists_is_replaced_only_if_it_is_wanted(write, tmp_path: Path) -> None:
    files, dest = [write("a"), write("b")], tmp_path / "merged" / "all.tfrecords"
    merge_records(files, dest)
    write("b", [example("b", encoded(pixels(9)), 1, 2)])

    with pytest.raises(RecordError, match="exists already"):
        merge_records(files, dest)
    merge_records(files, dest, overwrite=True)

    assert len(payloads(dest)) == len(read_index(index_path(dest))) == 4
    assert verify_folder(dest.parent).faults == ()
