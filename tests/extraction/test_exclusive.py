from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from slidekit.errors import SpecError
from slidekit.extraction import exclusive, one
from slidekit.extraction.exclusive import clear_lock, folder_lock, run_exclusively
from slidekit.extraction.one import run_job
from slidekit.extraction.outcome import failed_report
from slidekit.extraction.resume import write_spec
from slidekit.extraction.runner import run_extraction
from slidekit.io.lock import Claim, take_lock


def run(jobs, spec, **options):
    return run_extraction(jobs, spec, report_dir=jobs[0].tfrecords, **options)


def abandon(path: Path, note: str = "") -> None:
    """Leave a lock as a run does that is killed."""
    lock = take_lock(path, note)
    assert lock is not None
    lock._released.set()
    owner = json.loads(path.read_text())
    path.write_text(json.dumps(owner | {"process": 2**22 + 1}))


@pytest.fixture
def job(jobs):
    return jobs[0]


def test_no_lock_is_left_and_none_is_made_for_a_dry_run(jobs, make_spec, tmp_path) -> None:
    run(jobs, make_spec())
    assert not list(jobs[0].tfrecords.glob("*.lock"))

    seen = []
    moved = replace(jobs[0], tfrecords=tmp_path / "dry")
    run_exclusively(moved, make_spec(dry_run=True), lambda given: seen.append(given) or failed_report(given, "x"))
    assert seen == [moved]
    assert not (tmp_path / "dry").exists()


def test_a_slide_that_another_run_is_at_work_on_is_left_to_it(job, make_spec) -> None:
    # Arrange
    lock = take_lock(job.tfrecords / f"{job.name}.lock")
    assert lock is not None

    # Act
    report = run_exclusively(job, make_spec(), lambda _: pytest.fail("it is locked"))

    # Assert
    assert report is None
    lock.release()


def test_the_run_waits_for_the_other_and_takes_its_result(jobs, make_spec, monkeypatch) -> None:
    # Arrange: the other run finishes its slide a moment later
    monkeypatch.setattr("slidekit.extraction.job_queue.SECONDS_UNTIL_RETRIED", 0.1)
    spec, (first, *_) = make_spec(), jobs
    write_spec(first.tfrecords, spec, {})
    lock = take_lock(first.tfrecords / f"{first.name}.lock", spec.digest())
    assert lock is not None

    def finish() -> None:
        time.sleep(1)
        run_job(replace(first, claim=lock.claim), spec)
        lock.release()

    other = threading.Thread(target=finish)
    other.start()

    # Act
    reports = run(jobs, spec)
    other.join()

    # Assert
    assert reports[first.path].status == "skipped"
    assert reports[first.path].kept > 0
    assert {report.status for path, report in reports.items() if path != first.path} <= {"done", "empty"}
    rows = (first.tfrecords / "extraction_report.csv").read_text()
    assert f"{first.name},done" in rows


def test_an_abandoned_slide_is_taken_over_and_its_leftovers_removed(job, make_spec) -> None:
    # Arrange
    spec = make_spec()
    abandon(job.tfrecords / f"{job.name}.lock", spec.digest())
    left = job.tfrecords / f"{job.name}.index.npz.part"
    left.touch()

    # Act
    reports = run([job], spec)

    # Assert
    assert reports[job.path].status == "done"
    assert not left.exists()
    assert not list(job.tfrecords.glob("*.lock"))


def test_the_lock_of_a_finished_slide_is_cleared(job, make_spec) -> None:
    spec = make_spec()
    run([job], spec)
    abandon(job.tfrecords / f"{job.name}.lock", spec.digest())

    reports = run([job], spec)

    assert reports[job.path].status == "skipped"
    assert not list(job.tfrecords.glob("*.lock"))
    clear_lock(replace(job, tfrecords=None))


def test_two_runs_with_other_parameters_do_not_mix(job, make_spec) -> None:
    # Arrange: one is at work, and has finished nothing yet
    other = make_spec(jpeg_quality=80)
    write_spec(job.tfrecords, other, {})
    lock = take_lock(job.tfrecords / "somebody.lock", other.digest())
    assert lock is not None

    # Act / Assert
    with pytest.raises(SpecError, match=r"Another run extracts slide somebody .* other parameters.*Wait"):
        run([job], make_spec())
    lock.release()


def test_a_run_sees_that_the_folder_has_been_given_other_parameters(job, make_spec) -> None:
    write_spec(job.tfrecords, make_spec(jpeg_quality=80), {})
    report = run_exclusively(job, make_spec(), lambda _: pytest.fail("it is not to be extracted"))
    assert report is not None
    assert report.status == "failed"
    assert "other parameters" in report.reason


def test_who_has_lost_its_lock_publishes_nothing(job, make_spec) -> None:
    # Arrange
    job.tfrecords.mkdir(parents=True)
    claim = Claim(job.tfrecords / f"{job.name}.lock", "mine, before another run took it over")

    # Act
    report = run_job(replace(job, claim=claim), make_spec())

    # Assert
    assert report.status == "failed"
    assert "taken this slide over" in report.reason
    assert list(job.tfrecords.iterdir()) == []


def test_a_result_under_a_lost_lock_does_not_count(job, make_spec) -> None:
    write_spec(job.tfrecords, make_spec(), {})

    def lose(locked):
        locked.claim.path.write_text("of another")
        return failed_report(locked, "late")

    assert run_exclusively(job, make_spec(), lose) is None


def test_a_run_killed_between_records_and_json_is_resumed(job, make_spec, monkeypatch) -> None:
    # Arrange: all files have their names but the last
    spec = make_spec()
    write_spec(job.tfrecords, spec, {})

    class KilledError(BaseException):
        pass

    def die(*_):
        raise KilledError

    monkeypatch.setattr(one, "keep_report", die)
    with pytest.raises(KilledError):
        run_job(job, spec)
    monkeypatch.undo()
    left = (job.tfrecords / f"{job.name}.tfrecords").read_bytes()
    said = json.loads((job.tfrecords / f"{job.name}.json").read_text())
    assert said["status"] == "failed"
    assert "cut off" in said["reason"]

    # Act
    reports = run([job], spec)

    # Assert
    assert reports[job.path].status == "done"
    assert (job.tfrecords / f"{job.name}.tfrecords").read_bytes() == left


def test_a_full_disk_is_the_slide_s_failure(job, make_spec, monkeypatch) -> None:
    def refuse(*_):
        raise OSError(28, "No space left on device", "/somewhere/secret")

    monkeypatch.setattr(exclusive, "take_lock", refuse)
    report = run_exclusively(job, make_spec(), lambda _: pytest.fail("it is not locked"))
    assert report is not None
    assert report.reason == "Its lock file cannot be made (No space left on device)."


def test_the_folder_is_held_by_one_at_a_time(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(exclusive, "_SECONDS_BETWEEN_LOOKS", 0.01)
    inside, most = [0], [0]

    def work() -> None:
        with folder_lock(tmp_path):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.02)
            inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == [1]
    assert list(tmp_path.iterdir()) == []


def test_who_is_in_a_hurry_does_not_wait_for_the_folder(tmp_path) -> None:
    with folder_lock(tmp_path), pytest.raises(TimeoutError), folder_lock(tmp_path, patience=0):
        pass


def test_leftovers_of_a_run_that_was_killed_while_it_wrote_its_tables_are_removed(tmp_path) -> None:
    # Arrange
    abandon(tmp_path / "extraction.lock")
    ours = ["manifest.json.part", "tile_extraction_report-20260101-101010.pdf.part"]
    others = ["S1.spool.part", "my.json.part", "tile_extraction_report-mine.pdf.part"]
    for name in ours + others:
        (tmp_path / name).touch()

    # Act
    with folder_lock(tmp_path):
        pass

    # Assert
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)
