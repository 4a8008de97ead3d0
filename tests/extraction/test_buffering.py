from __future__ import annotations

import errno
import threading
import time
from pathlib import Path

import pytest
from buffer_helpers import IN_PLACE, copies_in, wait_until

from slidekit.extraction import buffer_folder, buffering
from slidekit.extraction.buffer_folder import BufferFolder
from slidekit.extraction.buffering import SlideBuffer, open_buffer
from slidekit.extraction.outcome import failed_report
from slidekit.extraction.runner import SlideJob
from slidekit.slide.report_model import SlideReport


@pytest.fixture
def slides(tmp_path: Path) -> list[SlideJob]:
    """Jobs on files of 100 bytes, for runs that extract nothing."""
    paths = [tmp_path / f"{name}.svs" for name in "abcdef"]
    for path in paths:
        path.write_bytes(path.stem.encode() * 100)
    return [SlideJob(path.stem, path) for path in paths]


@pytest.fixture
def make_buffer(buffer: Path):
    made: list[SlideBuffer] = []

    def make(jobs, *, most: int | None = None, ahead: int = 9) -> SlideBuffer:
        made.append(SlideBuffer(jobs, BufferFolder(buffer), most=most, ahead=ahead))
        return made[-1]

    yield make
    for one in made:
        one.close()


def done(job: SlideJob) -> SlideReport:
    return SlideReport(slide=job.name, status="done", path="place" if job.copy is None else "copy")


def test_copies_are_made_ahead_in_order_and_no_further(slides, make_buffer, buffer) -> None:
    one = make_buffer(slides, ahead=2)
    wait_until(lambda: len(copies_in(buffer)) == 2)
    time.sleep(0.05)
    assert copies_in(buffer) == ["a.svs", "b.svs"]

    def look(lent: SlideJob) -> SlideReport:
        # Its own copy is not one that waits.
        wait_until(lambda: len(copies_in(buffer)) == 3)
        assert lent.copy.read_bytes() == lent.path.read_bytes()
        return done(lent)

    assert one.run(slides[0], look).path == "copy"
    assert copies_in(buffer) == ["b.svs", "c.svs"]


def test_a_bound_for_one_slide_still_serves_every_slide_of_one_worker(slides, make_buffer, buffer) -> None:
    one = make_buffer(slides, most=100)

    assert [one.run(job, done).path for job in slides] == ["copy"] * len(slides)


def test_no_worker_waits_for_another_workers_slide(slides, make_buffer, caplog) -> None:
    one = make_buffer(slides, most=100)

    def meanwhile(lent: SlideJob) -> SlideReport:
        assert lent.copy is not None
        others = [one.run(job, done).path for job in slides[1:4]]
        assert others == ["place"] * 3
        return done(lent)

    one.run(slides[0], meanwhile)

    assert caplog.text.count("The buffer is full") == 1
    assert one.run(slides[4], done).path == "copy"


@pytest.mark.parametrize(("free", "total", "copied"), [(201, 1000, True), (199, 1000, False), (10**6, 10**12, False)])
def test_without_a_bound_a_part_of_the_disk_stays_free(
    slides, make_buffer, monkeypatch, caplog, free: int, total: int, copied: bool
) -> None:
    usage = type("Usage", (), {"free": free, "total": total})
    monkeypatch.setattr(buffer_folder.shutil, "disk_usage", lambda path: usage)

    assert make_buffer(slides).run(slides[0], done).path == ("copy" if copied else "place")
    assert copied or "the disk has no room" in caplog.text


def test_a_slide_that_fails_for_the_loss_of_its_copy_is_read_in_place(slides, make_buffer, caplog) -> None:
    tried = []

    def extract(lent: SlideJob) -> SlideReport:
        tried.append(lent.copy)
        if lent.copy is None:
            return done(lent)
        lent.copy.unlink()
        return failed_report(lent, "no such file")

    assert make_buffer(slides).run(slides[0], extract).path == "place"
    assert len(tried) == 2
    assert "slide a: its copy in the buffer was damaged" in caplog.text


def test_a_slide_that_fails_with_its_copy_whole_is_not_tried_again(slides, make_buffer) -> None:
    tried = []

    def extract(lent: SlideJob) -> SlideReport:
        tried.append(lent.copy)
        return failed_report(lent, "damaged")

    assert make_buffer(slides).run(slides[0], extract).status == "failed"
    assert len(tried) == 1


def test_stopping_frees_who_waits_for_a_copy(slides, make_buffer, monkeypatch) -> None:
    # Arrange: a share that hangs
    hangs, runs = threading.Event(), []
    monkeypatch.setattr(buffering, "slide_files", lambda path: hangs.wait(10) and [])
    monkeypatch.setattr(buffering, "_SECONDS_TO_STOP", 0.05)
    one = make_buffer(slides)
    worker = threading.Thread(target=lambda: runs.append(one.run(slides[0], done)))
    worker.start()
    wait_until(lambda: one._asked)

    # Act
    one.close()
    worker.join(5)

    # Assert
    assert [report.path for report in runs] == ["place"]
    hangs.set()
    one._thread.join(5)
    assert not one._thread.is_alive()


def test_a_slide_that_is_gone_is_left_to_fail_by_itself(slides, make_buffer, caplog) -> None:
    slides[0].path.unlink()

    assert make_buffer(slides).run(slides[0], done).path == "place"
    assert f"slide a {IN_PLACE}: No such file or directory." in caplog.text


def test_a_folder_that_cannot_be_made_costs_nothing(slides, make_spec, buffer, monkeypatch, caplog) -> None:
    def full(*given, **options) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(buffer_folder.tempfile, "mkdtemp", full)

    with open_buffer(slides, make_spec(buffer=buffer), ahead=2) as one:
        assert one.run(slides[0], done).path == "place"

    assert "cannot be used (No space left on device): slides are read in place." in caplog.text


def test_what_a_library_says_of_the_copy_is_said_of_the_slide(tmp_path) -> None:
    job = SlideJob("a", tmp_path / "a.mrxs", copy=tmp_path / "buffer" / "0" / "a.mrxs")

    report = failed_report(job, f"cannot open {tmp_path}/buffer/0/a/Slidedat.ini")

    assert report.reason == f"Cannot open {tmp_path}/a/Slidedat.ini"
