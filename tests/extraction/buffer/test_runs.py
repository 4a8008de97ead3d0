from __future__ import annotations

import errno
import re
from dataclasses import replace
from pathlib import Path

import pytest
from buffer_helpers import IN_PLACE, bytes_in, copies_in, wait_until

from slidekit.errors import SpecError
from slidekit.extraction.buffer import companions, slides
from slidekit.extraction.runner import SlideJob, run_extraction


def run(jobs, spec, **options):
    return run_extraction(jobs, spec, report_dir=jobs[0].tfrecords, **options)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but what holds a time; a time in a file's name is cut off."""
    names = (path for path in folder.rglob("*") if path.is_file() and path.name != "timings.csv")
    return {re.sub(r"-\d{8}-\d{6}", "", str(path.relative_to(folder))): path.read_bytes() for path in names}


@pytest.mark.parametrize(
    "here", [pytest.param(False, id="children", marks=pytest.mark.long), pytest.param(True, id="this process")]
)
def test_every_byte_is_the_same_with_a_buffer(jobs, make_spec, buffer, tmp_path, here: bool) -> None:
    # Arrange
    def nothing(wsi) -> None:
        assert wsi.path in {job.path for job in jobs}

    qc = ["both", nothing] if here else "both"
    jobs = jobs[:3]
    folders, seen, reports = {}, set(), {}
    for name, options in (("without", {}), ("with", {"buffer": buffer})):
        folders[name] = tmp_path / name / "64px_64um"
        moved = [replace(job, tfrecords=folders[name]) for job in jobs]

        # Act
        reports[name] = run(
            moved, make_spec(qc=qc, workers=2, **options), on_event=lambda event: seen.update(copies_in(buffer))
        )

    # Assert
    without, with_buffer = contents(folders["without"]), contents(folders["with"])
    assert len(without) > 15
    assert with_buffer == without
    times = {"seconds": 0.0}
    assert {path: report.model_copy(update=times) for path, report in reports["with"].items()} == {
        path: report.model_copy(update=times) for path, report in reports["without"].items()
    }
    assert {report.status for report in reports["with"].values()} == {"done"}
    assert seen == {job.path.name for job in jobs}
    assert list(buffer.iterdir()) == []


def test_pixels_come_from_the_copy(jobs, make_spec, buffer, tmp_path) -> None:
    # Arrange: slides that are gone as soon as they are copied
    moved = [replace(job, path=tmp_path / job.path.name) for job in jobs[:2]]
    for job, source in zip(moved, jobs, strict=False):
        job.path.write_bytes(source.path.read_bytes())

    def unmount(event) -> None:
        if event.kind == "started":
            path = tmp_path / f"{event.slide}.svs"
            wait_until(lambda: path.name in copies_in(buffer))
            path.unlink()

    # Act
    reports = run(moved, make_spec(buffer=buffer, workers=1), on_event=unmount)

    # Assert
    assert {report.status for report in reports.values()} <= {"done", "empty"}
    assert {Path(report.path) for report in reports.values()} == {job.path for job in moved}


@pytest.mark.long
def test_a_slide_that_was_replaced_after_it_was_copied_is_extracted_again(jobs, make_spec, buffer, tmp_path) -> None:
    # Arrange
    path = tmp_path / "a.svs"
    path.write_bytes(jobs[0].path.read_bytes())
    job = SlideJob("a", path, tfrecords=tmp_path / "tfrecords" / "64px_64um")

    def replace_it(event) -> None:
        if event.kind == "started":
            wait_until(lambda: copies_in(buffer) == ["a.svs"])
            path.write_bytes(jobs[1].path.read_bytes())

    # Act
    first = run([job], make_spec(buffer=buffer), on_event=replace_it)
    second = run([job], make_spec(buffer=buffer))

    # Assert
    assert first[path].width != second[path].width
    assert second[path].status == "done"


def test_copies_go_when_slides_fail_or_kill_their_process(jobs, make_spec, buffer, tmp_path) -> None:
    from tests_standins import Crash

    # Arrange
    broken = tmp_path / "broken.svs"
    broken.write_text("this is no slide")
    jobs = [SlideJob("broken", broken, tfrecords=jobs[0].tfrecords), *jobs]
    ended = []

    # Act
    reports = run(
        jobs,
        make_spec(qc=[Crash("demo-3-rescan")], workers=2, buffer=buffer),
        on_event=lambda event: ended.append(event.slide) if event.kind == "ended" else None,
    )

    # Assert
    failed = {report.slide: report.reason for report in reports.values() if report.status == "failed"}
    assert failed.keys() == {"broken", "demo-3-rescan"}
    assert "SIGSEGV" in failed["demo-3-rescan"]
    assert str(buffer) not in "".join(failed.values())
    assert sorted(ended) == sorted(job.name for job in jobs)
    assert list(buffer.iterdir()) == []


def test_ctrl_c_removes_the_copies(jobs, make_spec, buffer) -> None:
    seen: set[str] = set()

    def interrupt(event) -> None:
        seen.update(copies_in(buffer))
        if event.kind == "tiles":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(jobs, make_spec(buffer=buffer, workers=2), on_event=interrupt)

    assert seen
    assert list(buffer.iterdir()) == []


def test_the_bound_holds_and_slides_that_find_no_room_are_read_in_place(jobs, make_spec, buffer, monkeypatch) -> None:
    # Arrange: room for the largest slide and no more
    sizes = sorted(job.path.stat().st_size for job in jobs)
    most, seen = sizes[-1], []
    copy = companions._copy

    def watched(*given) -> None:
        copy(*given)
        seen.append(bytes_in(buffer))

    monkeypatch.setattr(companions, "_copy", watched)

    # Act
    reports = run(
        jobs,
        make_spec(buffer=buffer, buffer_gb=most / 1e9, workers=2),
        on_event=lambda event: seen.append(bytes_in(buffer)),
    )

    # Assert
    assert {report.status for report in reports.values()} == {"done", "empty"}
    assert 0 < max(seen) <= most < sum(sizes)
    assert list(buffer.iterdir()) == []


def test_a_slide_that_is_too_large_is_read_in_place(jobs, make_spec, buffer, caplog) -> None:
    jobs = jobs[:3]
    sizes = {job.name: job.path.stat().st_size for job in jobs}
    largest = max(sizes, key=sizes.__getitem__)
    seen: set[str] = set()

    reports = run(
        jobs,
        make_spec(buffer=buffer, buffer_gb=(sizes[largest] - 1) / 1e9, workers=1),
        on_event=lambda event: seen.update(copies_in(buffer)),
    )

    assert {report.status for report in reports.values()} == {"done"}
    assert f"slide {largest} {IN_PLACE}: its " in caplog.text
    assert seen == {job.path.name for job in jobs if job.name != largest}


@pytest.mark.parametrize("error", [errno.ENOSPC, pytest.param(errno.EACCES, marks=pytest.mark.long)])
def test_a_copy_that_fails_costs_nothing(jobs, make_spec, buffer, monkeypatch, caplog, error: int) -> None:
    # Arrange: the disk is full when half of a slide is written
    def half(file, place, going) -> None:
        place.write_bytes(file.source.read_bytes()[: file.size // 2])
        halves.append(place)
        raise OSError(error, "As the system says it", str(place))

    halves: list[Path] = []
    monkeypatch.setattr(companions, "_copy", half)

    # Act
    reports = run(jobs[:2], make_spec(buffer=buffer, workers=1))

    # Assert
    assert {report.status for report in reports.values()} <= {"done", "empty"}
    assert [path.name for path in halves] == [job.path.name for job in jobs[:2]]
    assert caplog.text.count(f"{IN_PLACE}: As the system says it.") == 2
    assert str(buffer) not in caplog.text
    assert list(buffer.iterdir()) == []


def test_only_what_will_be_read_is_copied(jobs, make_spec, buffer, monkeypatch) -> None:
    # Arrange
    run(jobs[:1], make_spec())
    copied = []

    def noted(path: Path) -> list[companions.SlideFile]:
        copied.append(path)
        return companions.slide_files(path)

    monkeypatch.setattr(slides, "slide_files", noted)

    # Act / Assert: finished before
    reports = run(jobs[:2], make_spec(buffer=buffer))
    assert copied == [jobs[1].path]
    assert reports[jobs[0].path].status == "skipped"

    # Act / Assert: no regions of interest, where these are demanded
    copied.clear()
    dry = [replace(job, tfrecords=None) for job in jobs[:3]]
    spec = make_spec(buffer=buffer, roi_method="inside", dry_run=True)
    run_extraction(dry, spec, report_dir=jobs[0].tfrecords.parent / "reports")
    assert copied == [job.path for job in jobs[:3] if job.rois is not None] != []


def test_a_wrong_buffer_is_said_before_any_work(jobs, make_spec, tmp_path) -> None:
    with pytest.raises(SpecError, match="is not a folder"):
        run(jobs, make_spec(buffer=tmp_path / "none"))

    assert not jobs[0].tfrecords.exists()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="what is open cannot be seen")
def test_nothing_holds_a_copy_open_when_its_slide_has_ended(jobs, make_spec, buffer) -> None:
    # libvips remembers files; on the disk a removed file that is open takes as much room as before.
    def here(wsi) -> None:
        """Of this process alone, so that the slide is read in it."""

    def files() -> set[str]:
        links = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
        return {path for path in links if ".copies" in path}

    opened: set[str] = set()

    run(jobs[:1], make_spec(buffer=buffer, reader="vips", qc=[here]), on_event=lambda event: opened.update(files()))

    assert opened
    assert files() == set()
