"""`verify_folder` on whole folders, as slidekit and Slideflow leave them, and on what stands once in a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from verify_helpers import faults, tiles, write_manifest, write_ours, write_records, write_report

from slidekit.errors import DatasetError
from slidekit.extraction.verify.folder import verify_folder
from slidekit.io.tfrecord import index_path
from slidekit.slide.report_model import SlideReport


def snapshot(folder: Path) -> dict[Path, tuple[bytes, int]]:
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_a_whole_folder_is_whole_and_left_as_it_is(tmp_path: Path, kind: str) -> None:
    # Arrange: two sizes of tile in one project
    sizes = [write_ours(tmp_path / "tfrecords" / label, f"s.{n}", kind).stat().st_size for n in range(3)
             for label in ("4px_8um", "4px_16um")]  # fmt: skip
    before = snapshot(tmp_path)

    # Act
    found = verify_folder(tmp_path)

    # Assert
    assert found.is_whole
    assert (found.files, found.records, found.size) == (6, 18, sum(sizes))
    assert (found.faults, found.leftovers, found.failed, found.unchecked) == ((), (), (), ())
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(("index", "locations"), [(True, True), (True, False), (False, False)])
@pytest.mark.parametrize("manifest", [True, False])
def test_what_slideflow_does_not_have_is_no_fault(tmp_path: Path, index: bool, locations: bool, manifest: bool) -> None:
    write_records(tmp_path / "a.tfrecords", tiles(ours=False), index=index, locations=locations)
    if manifest:
        write_manifest(tmp_path)

    found = verify_folder(tmp_path)

    assert found.is_whole
    assert (found.files, found.records) == (1, 3)


def test_slides_without_tiles_and_slides_that_failed_are_no_faults(tmp_path: Path) -> None:
    write_ours(tmp_path)
    write_report(tmp_path, SlideReport(slide="bad", status="failed", reason="Not a slide."))
    write_report(tmp_path, SlideReport(slide="none", status="skipped", reason="No regions of interest."))
    write_report(tmp_path, SlideReport(slide="white", status="empty", candidates=1, counts={"background": 1}))
    (tmp_path / "white.tiles.csv").write_text("loc_x,loc_y,reason\n")

    found = verify_folder(tmp_path)

    assert found.is_whole
    assert [path.name for path in found.failed] == ["bad.json"]


def test_leftovers_are_listed_and_no_faults(tmp_path: Path) -> None:
    # Arrange
    write_ours(tmp_path)
    names = ["b.spool.part", "b.tfrecords.part", "b.lock", "extraction.lock", "c.unfinished"]
    for name in names:
        (tmp_path / name).write_bytes(b"half")
    loose = tmp_path / "b.part"
    loose.mkdir()
    (loose / "b-1-1.png").write_bytes(b"half")

    # Act
    found = verify_folder(tmp_path)

    # Assert
    assert found.is_whole
    assert sorted(path.name for path in found.leftovers) == sorted([*names, "b.part"])


def test_files_of_other_makers_are_left_alone(tmp_path: Path) -> None:
    write_ours(tmp_path / "tfrecords" / "4px_8um")
    (tmp_path / "poetry.lock").write_text("")
    (tmp_path / "manifest.json").write_text('{"name": "a web page"}')
    (tmp_path / "a.json").write_text('{"type": "FeatureCollection"}')
    (tmp_path / "tfrecords" / "4px_8um" / "notes.json").write_text("[1]")

    found = verify_folder(tmp_path)

    assert found.is_whole
    assert found.leftovers == ()


def test_links_to_another_disk_are_followed_and_circles_are_not(tmp_path: Path) -> None:
    project, disk = tmp_path / "project", tmp_path / "disk"
    project.mkdir()
    write_ours(disk / "4px_8um")
    (project / "tfrecords").symlink_to(disk)
    (project / "also").symlink_to(disk / "4px_8um")
    (disk / "again").symlink_to(project)

    assert verify_folder(project).files == 1


@pytest.mark.parametrize("what", ["nothing", "file", "empty folder", "reports of other things"])
def test_a_folder_without_records_is_an_error(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "folder"
    if what == "file":
        folder.write_text("text")
    elif what != "nothing":
        folder.mkdir()
    if what == "reports of other things":
        (folder / "a.json").write_text('{"slide": "a", "status": "done"}')

    with pytest.raises(DatasetError, match="Name a project"):
        verify_folder(folder)


def test_progress_is_told_and_an_interrupt_ends_it(tmp_path: Path) -> None:
    paths = [write_ours(tmp_path, name) for name in "abc"]
    told: list[tuple[Path, int, int]] = []

    verify_folder(tmp_path, on_file=lambda *event: told.append(event))

    assert told == [(path, n, 3) for n, path in enumerate(paths, start=1)]

    def interrupt(path: Path, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify_folder(tmp_path, on_file=interrupt)


@pytest.mark.parametrize(("content", "says"), [
    ({"a.tfrecords": {"total": 4}}, "says that a.tfrecords holds 4 tiles, where it holds 3."),
    ({}, "does not list a.tfrecords."),
    ({"a.tfrecords": {"total": 3}, "b.tfrecords": {"total": 1}}, "lists b.tfrecords, which is not there."),
    ({"a.tfrecords": 3}, "is damaged: it is not a manifest of TFRecords."),
    ([], "is damaged: it is not a manifest of TFRecords."),
    (None, "is missing: the last run did not come to its end."),
    ({"a.tfrecords": {"total": 3}, "../../b.tfrecords": {"total": 1}, "sub/c.tfrecords": {"total": 1}}, None),
])  # fmt: skip
def test_the_manifest_is_compared(tmp_path: Path, content: object, says: str | None) -> None:
    write_ours(tmp_path)
    (tmp_path / "manifest.json").unlink()
    if content is not None:
        (tmp_path / "manifest.json").write_text(json.dumps(content))

    assert faults(tmp_path) == ([] if says is None else [("manifest.json", says)])


def test_parameters_that_cannot_be_read_are_found(tmp_path: Path) -> None:
    write_ours(tmp_path)
    (tmp_path / "extraction.json").write_text("{")

    ((name, what),) = faults(tmp_path)

    assert name == "extraction.json"
    assert "how the tiles beside it were made" in what


def test_what_a_run_may_be_at_work_on_is_said(tmp_path: Path) -> None:
    index_path(write_ours(tmp_path)).unlink()
    (tmp_path / "a.lock").write_text("{}")

    (fault,) = verify_folder(tmp_path).faults

    assert "a.lock" in fault.mend


def test_files_that_cannot_be_read_are_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Arrange: permissions mean nothing to root, who runs tests in containers
    path = write_ours(tmp_path)
    opened = Path.open

    def refuse(self: Path, *arguments: object, **options: object):
        if self == path:
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)

    # Act / Assert
    assert faults(tmp_path) == [("a.tfrecords", "cannot be read: Permission denied.")]
