"""What the tools must never do: lose a file that is not theirs, or an old one before the new one is there."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from tool_records import LABEL, damage, encoded, example, pixels, read_file

from slidekit.dataset import Dataset
from slidekit.errors import RecordError, SpecError
from slidekit.extraction.verify.folder import verify_folder
from slidekit.io.lock import take_lock
from slidekit.io.slide_tiff import write_svs
from slidekit.record_tools import writing
from slidekit.record_tools.batch import check_stop, try_each
from slidekit.record_tools.destination import check_sources, writing_into
from slidekit.record_tools.loose import records_from_tiles, tiles_from_records
from slidekit.record_tools.loose_folders import pack_folders
from slidekit.record_tools.merging import merge_records
from slidekit.record_tools.rewriting import TileChange, rewrite_records
from slidekit.record_tools.writing import RecordWriter


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def as_it_is(image: np.ndarray) -> np.ndarray:
    return image


# --- files that are not ours ------------------------------------------------------------------------------------


def test_a_link_at_a_temporary_name_is_not_followed(write, tmp_path: Path) -> None:
    # Arrange: links of all names that tools have ever used
    precious, out = tmp_path / "precious", tmp_path / "out"
    precious.write_bytes(b"three years")
    out.mkdir()
    for name in ("a.tfrecords.part", "a.index.npz.part", "manifest.json.part"):
        (out / name).symlink_to(precious)

    # Act
    rewrite_records({write("a"): out / "a.tfrecords"}, as_it_is)

    # Assert
    assert precious.read_bytes() == b"three years"
    assert len(read_file(out / "a.tfrecords")) == 3
    assert not (out / "a.tfrecords").is_symlink()


def test_a_folder_whose_name_ends_in_part_stays(write, tmp_path: Path) -> None:
    one, two = write("s"), write("s.part")
    home = tmp_path / "loose"

    tiles_from_records(two, home / "s.part")
    (home / "s.part" / "mine.txt").write_text("mine")
    tiles_from_records(one, home / "s")

    assert len(list((home / "s.part").glob("*.png"))) == 3
    assert (home / "s.part" / "mine.txt").read_text() == "mine"
    assert sorted(path.name for path in home.iterdir()) == ["s", "s.part"]


def test_a_folder_of_a_run_that_was_cut_off_is_named(tmp_path: Path, caplog) -> None:
    for name in ("a", "b.part"):
        (tmp_path / "tiles" / LABEL / name).mkdir(parents=True)
        (tmp_path / "tiles" / LABEL / name / f"{name}-1-2.png").write_bytes(encoded(pixels(1)))
    data = Dataset(tiles=tmp_path / "tiles", tfrecords=tmp_path / "new", tile_px=16, tile_um=8)

    with caplog.at_level(logging.WARNING):
        made = data.tfrecords_from_tiles()

    assert [path.name for path in made] == ["a.tfrecords"]
    assert "b.part is what a run that was cut off has left" in caplog.text


@pytest.mark.parametrize("linked", [False, True])
def test_a_source_is_never_written_over(write, folder: Path, tmp_path: Path, linked: bool) -> None:
    # Arrange
    path = write("a")
    before = content(folder)
    home = folder
    if linked:
        home = tmp_path / "link"
        home.symlink_to(folder)

    # Act, Assert
    with pytest.raises(SpecError, match="would be written over"):
        rewrite_records({path: home / "a.tfrecords"}, as_it_is, overwrite=True)
    assert content(folder) == before


def test_tools_of_a_dataset_refuse_their_source(write, folder: Path, tmp_path: Path) -> None:
    write("a")
    before = content(folder)
    data = Dataset(tfrecords=folder.parent, tile_px=16, tile_um=8)

    for attempt in (
        lambda: data.resize_tfrecords(16, overwrite=True),
        lambda: data.transform_tfrecords(folder.parent, hue_shift=0.3, overwrite=True),
    ):
        with pytest.raises(SpecError, match="would be written over"):
            attempt()
    assert content(folder) == before


def test_a_hard_link_to_a_source_is_its_source(write, tmp_path: Path) -> None:
    path = write("a")
    (tmp_path / "x.tfrecords").hardlink_to(path)

    with pytest.raises(SpecError, match="would be written over"):
        check_sources([(path, tmp_path / "x.tfrecords")])
    with pytest.raises(SpecError, match="would be written over"):
        merge_records([path], tmp_path / "x.tfrecords", overwrite=True)


def test_two_sources_never_become_one_file(tmp_path: Path) -> None:
    folders = [tmp_path / side / "x" for side in "AB"]
    for number, folder in enumerate(folders):
        folder.mkdir(parents=True)
        (folder / f"x-{number}-2.png").write_bytes(encoded(pixels(number)))
    before = content(tmp_path)

    with pytest.raises(SpecError, match="would both become"):
        pack_folders(
            dict.fromkeys(folders, tmp_path / "one" / "x.tfrecords"), delete_tiles=True, overwrite=True, num_workers=1
        )

    assert content(tmp_path) == before
    assert not (tmp_path / "one").exists()


@pytest.mark.parametrize(
    ("name", "px", "says"), [("thumbnail.png", 200, "names are not"), ("y-3-4.png", 32, "px, and others of")]
)
def test_pictures_that_are_no_tiles_are_not_removed(tmp_path: Path, name: str, px: int, says: str) -> None:
    folder, dest = tmp_path / "y", tmp_path / "new" / "y.tfrecords"
    folder.mkdir()
    for x in (1, 5):
        (folder / f"y-{x}-2.png").write_bytes(encoded(pixels(1)))
    (folder / name).write_bytes(encoded(pixels(1, px)))
    before = content(folder)

    with pytest.raises(RecordError, match=says):
        pack_folders({folder: dest}, delete_tiles=True)

    assert content(folder) == before
    assert not dest.parent.exists()


# --- old and new ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["write_index", "publish"])
def test_an_overwrite_that_fails_leaves_the_old(write, tmp_path: Path, monkeypatch, call: str) -> None:
    # Arrange
    files = {write("a"): tmp_path / "out" / "a.tfrecords"}
    rewrite_records(files, as_it_is)
    before = content(tmp_path / "out")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    # Act
    monkeypatch.setattr(writing, call, full)
    with pytest.raises(RecordError, match=r"a\.tfrecords: cannot be written or read: No space left"):
        rewrite_records(files, TileChange(tile_px=8), overwrite=True)

    # Assert
    after = content(tmp_path / "out")
    if call == "publish":  # the old index had to go first, and is found to be missing
        before.pop("a.index.npz")
    assert after == before


def test_none_of_two_files_takes_its_name_before_both_are_there(tmp_path: Path, monkeypatch) -> None:
    one, two = RecordWriter(tmp_path / "a.tfrecords"), RecordWriter(tmp_path / "b.tfrecords")
    write_index, calls = writing.write_index, []

    def fail_on_the_second(*given: object) -> None:
        calls.append(given)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        write_index(*given)

    monkeypatch.setattr(writing, "write_index", fail_on_the_second)

    def write_both() -> None:
        with one, two:
            for writer in (one, two):
                writer.append(b"x", (1, 1))
            writing.publish_together((one, two))

    with pytest.raises(OSError, match="No space"):
        write_both()

    assert list(tmp_path.iterdir()) == []


def test_a_failed_run_leaves_no_folder(write, tmp_path: Path) -> None:
    def fail(image: np.ndarray) -> np.ndarray:
        raise SpecError("no")

    with pytest.raises(SpecError):
        rewrite_records({write("a"): tmp_path / "deep" / "out" / "a.tfrecords"}, fail)

    assert not (tmp_path / "deep").exists()


def test_loose_tiles_that_cannot_be_written_leave_no_folder(write, folder: Path, tmp_path: Path) -> None:
    damage(write("a"))

    with pytest.raises(RecordError):
        Dataset(tfrecords=folder.parent, tile_px=16, tile_um=8).extract_tiles_from_tfrecords(tmp_path / "loose" / "x")

    assert not (tmp_path / "loose").exists()


# --- two at once, and Ctrl-C ------------------------------------------------------------------------------------


def test_two_at_once_write_one_after_the_other(write, tmp_path: Path) -> None:
    # Arrange: the first is in the middle of its file when the second begins
    path, dest = write("a"), tmp_path / "out" / "a.tfrecords"
    begun, errors = threading.Event(), []

    def slowly(image: np.ndarray) -> np.ndarray:
        begun.set()
        time.sleep(0.05)
        return image

    def first() -> None:
        rewrite_records({path: dest}, slowly, num_workers=1)

    def second() -> None:
        try:
            rewrite_records({path: dest}, TileChange(hue_shift=0.4), num_workers=1)
        except RecordError as error:
            errors.append(error.message)

    threads = [threading.Thread(target=first), threading.Thread(target=second)]

    # Act
    threads[0].start()
    assert begun.wait(5)
    threads[1].start()
    for thread in threads:
        thread.join(10)

    # Assert
    assert errors == ["exists already."]
    assert [record.image.tolist() for record in read_file(dest)] == [
        record.image.tolist() for record in read_file(path)
    ]
    assert verify_folder(dest.parent).faults == ()
    assert sorted(file.name for file in dest.parent.iterdir()) == ["a.index.npz", "a.tfrecords", "manifest.json"]


def test_who_waits_says_for_whom(tmp_path: Path, monkeypatch, caplog) -> None:
    monkeypatch.setattr("slidekit.record_tools.destination._SECONDS_UNTIL_TOLD", 0.05)
    lock = take_lock(tmp_path / "extraction.lock")
    assert lock is not None
    threading.Timer(0.4, lock.release).start()

    with caplog.at_level(logging.WARNING), writing_into([tmp_path]):
        pass

    assert "waiting for process" in caplog.text


def test_what_a_killed_run_has_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    lock = take_lock(tmp_path / "extraction.lock")
    assert lock is not None
    text = lock.claim.path.read_text()
    lock.release()
    (tmp_path / "extraction.lock").write_text(text)  # as of a process that did not end properly
    for name in ("a.tfrecords.0123abcd.part", "a.index.npz.0123abcd.part.part", "mine.part", "b.tfrecords.part"):
        (tmp_path / name).touch()

    with writing_into([tmp_path]):
        pass

    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tfrecords.part", "mine.part"]


def test_an_error_of_the_users_ends_the_others_and_the_manifest_knows_what_is_finished(write, tmp_path: Path) -> None:
    # Arrange: a is finished; b is slow; c raises
    files = {write(name, seed=10 * n): tmp_path / "out" / f"{name}.tfrecords" for n, name in enumerate("abc")}
    marks = {name: pixels(10 * n) for n, name in enumerate("abc")}
    finished = threading.Event()

    def function(image: np.ndarray) -> np.ndarray:
        if np.array_equal(image, marks["c"]):
            finished.wait(5)
            raise ZeroDivisionError
        if np.array_equal(image, marks["b"]):
            while not (tmp_path / "out" / "a.index.npz").exists():
                time.sleep(0.01)
            finished.set()
            time.sleep(0.3)
        return image

    # Act
    with pytest.raises(ZeroDivisionError):
        rewrite_records(files, function, num_workers=3)

    # Assert
    assert verify_folder(tmp_path / "out").faults == ()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.index.npz", "a.tfrecords", "manifest.json"]


def test_work_ends_at_its_next_record(tmp_path: Path) -> None:
    seen = []

    def work(number: int) -> None:
        if number == 0:
            raise KeyboardInterrupt
        for step in range(1000):
            check_stop()
            seen.append(step)
            time.sleep(0.005)

    with pytest.raises(KeyboardInterrupt):
        try_each(work, [0, 1], num_workers=2)

    assert len(seen) < 500


# --- what things are called, and what makes no sense ------------------------------------------------------------


def test_places_below_zero_and_names_with_newlines_come_back(folder: Path, write, tmp_path: Path) -> None:
    slide = "s\nx-1"
    path = write(slide, [example(slide, encoded(pixels(n)), x, y) for n, (x, y) in enumerate(((5, -7), (-5, 7)))])

    tiles_from_records(path, tmp_path / slide)
    records_from_tiles(tmp_path / slide, tmp_path / "new" / f"{slide}.tfrecords", shuffle=False)

    assert [record.place for record in read_file(tmp_path / "new" / f"{slide}.tfrecords")] == [(5, -7), (-5, 7)]


def test_values_of_the_wrong_kind_are_named(write, folder: Path, tmp_path: Path) -> None:
    write("a")
    (tmp_path / "slides").mkdir()
    write_svs(tmp_path / "slides" / "a.svs", [np.zeros((64, 64, 3), np.uint8)], mpp=0.5)
    data = Dataset(slides=tmp_path / "slides", tfrecords=folder.parent, tile_px=16, tile_um=8)

    for attempt in (
        lambda: data.resize_tfrecords(64.0),  # type: ignore[arg-type]
        lambda: data.resize_tfrecords("64"),  # type: ignore[arg-type]
        lambda: data.transform_tfrecords(tmp_path / "x", hue_shift="x"),  # type: ignore[arg-type]
        lambda: data.transform_tfrecords(tmp_path / "x", hue_shift=float("nan")),
        lambda: data.read_tfrecord_by_location("a", (1, 2, 3)),  # type: ignore[arg-type]
        lambda: data.read_tfrecord_by_location("a", None),  # type: ignore[arg-type]
        lambda: data.thumbnails(tmp_path / "t", size=0),
        lambda: data.check_duplicates(px=0),
    ):
        with pytest.raises(SpecError):
            attempt()
    (tmp_path / "file").touch()
    with pytest.raises(RecordError, match="File exists"):
        data.thumbnails(tmp_path / "file")
    assert not (tmp_path / "x").exists()
    assert data.read_tfrecord_by_location("a", np.array([5, 7]))[0] == "a"


def test_what_exists_is_named(write, tmp_path: Path) -> None:
    files = {write(name): tmp_path / "out" / f"{name}.tfrecords" for name in "ab"}
    rewrite_records(files, as_it_is)

    with pytest.raises(RecordError, match=r"exists already\. So do b\.tfrecords\..*overwrite=True"):
        rewrite_records(files, as_it_is)


def test_an_extraction_refuses_a_folder_of_resized_records(write, folder: Path, tmp_path: Path) -> None:
    # Arrange
    write("a")
    (tmp_path / "slides").mkdir()
    write_svs(tmp_path / "slides" / "a.svs", [np.full((64, 64, 3), 99, np.uint8)], mpp=0.5)
    given = {"slides": tmp_path / "slides", "tfrecords": folder.parent, "tile_um": 8}
    Dataset(tile_px=16, **given).resize_tfrecords(8)
    before = content(tmp_path)

    # Act, Assert
    with pytest.raises(SpecError, match="that slidekit did not extract"):
        Dataset(tile_px=8, **given).extract_tiles()
    assert content(tmp_path) == before
    assert Dataset(tile_px=16, **given).resize_tfrecords(8, overwrite=True)
