from __future__ import annotations

import errno
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from buffer_helpers import IN_PLACE, copies_in, wait_until

from slidekit.extraction.buffer import folder as buffer_folder
from slidekit.extraction.buffer import slides as slide_buffer
from slidekit.extraction.buffer.folder import BufferFolder
from slidekit.extraction.buffer.opening import open_buffer
from slidekit.extraction.buffer.slides import SlideBuffer
from slidekit.extraction.outcome import failed_report
from slidekit.extraction.runner import SlideJob
from slidekit.io.url import RemotePath
from slidekit.slide.report_model import SlideReport


@pytest.fixture
def slides(tmp_path: Path) -> list[SlideJob]:
    """Jobs on files of 100 bytes, for runs that extract nothing."""
    paths = [tmp_path / f"{name}.svs" for name in "abcdef"]
    for path in paths:
        path.write_bytes(path.stem.encode() * 100)
    return [SlideJob(path.stem, path) for path in paths]


@pytest.fixture
def make_buffer(buffer: Path, make_spec):
    made: list[SlideBuffer] = []

    def make(jobs, *, most: int | None = None, ahead: int = 9) -> SlideBuffer:
        made.append(SlideBuffer(jobs, BufferFolder(buffer), make_spec(), most=most, ahead=ahead))
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
    monkeypatch.setattr(slide_buffer, "slide_files", lambda path: hangs.wait(10) and [])
    monkeypatch.setattr(slide_buffer, "_SECONDS_TO_STOP", 0.05)
    one = make_buffer(slides)
    worker = threading.Thread(target=lambda: runs.append(one.run(slides[0], done)))
    worker.start()
    wait_until(lambda: one._waiting)

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


def test_the_copy_is_lent_to_the_job_that_asks(slides, make_buffer, tmp_path) -> None:
    # It was announced before it was locked.
    asks = replace(slides[0], previews=tmp_path)
    lent = []

    make_buffer(slides).run(asks, lambda job: lent.append(job) or done(job))

    assert lent == [replace(asks, copy=lent[0].copy)]
    assert lent[0].copy is not None


def test_a_slide_that_is_not_run_gives_its_room_back(slides, make_buffer, buffer) -> None:
    one = make_buffer(slides, most=200, ahead=2)
    wait_until(lambda: copies_in(buffer) == ["a.svs", "b.svs"])

    one.forget(slides[0])
    one.forget(slides[4])

    wait_until(lambda: copies_in(buffer) == ["b.svs", "c.svs"])
    assert [one.run(job, done).path for job in slides[1:4]] == ["copy"] * 3
    wait_until(lambda: copies_in(buffer) == ["f.svs"])
    # Asked for all the same, as after another run has failed on them.
    assert one.run(slides[0], done).path == "copy"
    assert one.run(slides[4], done).path == "copy"


def test_a_slide_that_is_forgotten_while_it_is_copied_gives_its_room_back(
    slides, make_buffer, buffer, monkeypatch
) -> None:
    # Arrange: a slow share
    begun, goes_on = threading.Event(), threading.Event()
    list_files = slide_buffer.slide_files

    def slow(path: Path):
        begun.set()
        assert goes_on.wait(10)
        return list_files(path)

    monkeypatch.setattr(slide_buffer, "slide_files", slow)
    one = make_buffer(slides[:1], most=100)
    assert begun.wait(10)

    # Act
    one.forget(slides[0])
    goes_on.set()

    # Assert
    wait_until(lambda: one._under_way is None and one._held == 0)
    assert copies_in(buffer) == []
    assert one.run(slides[0], done).path == "copy"


@pytest.mark.parametrize("most", [100, 200])
def test_copies_that_nobody_asks_for_block_nobody(slides, make_buffer, buffer, most: int) -> None:
    # Another run is at work on the first slides: they are never asked for, and the copier is not told.
    one = make_buffer(slides, most=most, ahead=1)
    wait_until(lambda: copies_in(buffer) == ["a.svs"])

    assert [one.run(job, done).path for job in slides[2:]] == (["copy"] * 4 if most == 200 else ["place"] * 4)


def test_a_remote_slide_gets_the_room_of_copies_that_nobody_asks_for(slides, make_buffer, buffer) -> None:
    # It cannot be read in place, and so waits for a copy.
    remote = [replace(job, path=RemotePath.of(job.path.as_uri())) for job in slides]
    one = make_buffer(remote, most=100, ahead=1)
    wait_until(lambda: copies_in(buffer) == ["a.svs"])

    assert [one.run(job, done).path for job in (*remote[2:], remote[0])] == ["copy"] * 5
