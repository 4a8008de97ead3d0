from __future__ import annotations

import json
import multiprocessing
import socket
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import pytest

from slidekit.extraction import elsewhere, exclusive
from slidekit.extraction.elsewhere import Order, extract_one_slide
from slidekit.extraction.resume import write_spec
from slidekit.extraction.runner import run_extraction
from slidekit.io.lock import take_lock


def run(jobs, spec, **options):
    return run_extraction(jobs, spec, report_dir=jobs[0].tfrecords, **options)


def contents(folder: Path) -> dict[str, bytes]:
    names = (path for path in folder.rglob("*") if path.is_file() and path.name != "timings.csv")
    return {str(path.relative_to(folder)): path.read_bytes() for path in names if "warn_report" not in path.name}


class Inline(Executor):
    """Carries calls at once, but loses those of some slides."""

    def __init__(self, loses: str = "", *, error: BaseException | None = None, breaks: bool = False) -> None:
        self._loses, self._error, self._breaks = loses, error or OSError("the network"), breaks

    def submit(self, function, job, /, *args, **kwargs):
        future: Future = Future()
        if job.name == self._loses:
            if self._breaks:
                raise self._error
            future.set_exception(self._error)
        else:
            future.set_result(function(job, *args, **kwargs))
        return future


@pytest.mark.long
@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_any_executor_gives_the_same_bytes(jobs, make_spec, tmp_path, kind: str) -> None:
    # Arrange
    spec = make_spec(normalizer="reinhard")
    run(jobs, spec)
    moved = [replace(job, tfrecords=tmp_path / "other" / "64px_64um") for job in jobs]
    pools = {
        "threads": lambda: ThreadPoolExecutor(2),
        "processes": lambda: ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")),
    }

    # Act
    events = []
    with pools[kind]() as executor:
        reports = run(moved, spec, executor=executor, on_event=events.append)

    # Assert
    assert contents(moved[0].tfrecords) == contents(jobs[0].tfrecords)
    assert {report.status for report in reports.values()} == {"done", "empty"}
    assert sorted(event.slide for event in events if event.kind == "ended") == sorted(job.name for job in jobs)


@pytest.mark.parametrize(
    "breaks",
    [
        pytest.param(False, id="the call is lost"),
        pytest.param(True, id="the pool refuses the call", marks=pytest.mark.long),
    ],
)
def test_a_call_that_is_lost_fails_its_slide_alone(jobs, make_spec, breaks: bool) -> None:
    lost = jobs[1]
    executor = Inline(lost.name, error=BrokenProcessPool("a worker died"), breaks=breaks)

    reports = run(jobs, make_spec(), executor=executor)

    assert reports[lost.path].status == "failed"
    assert (
        reports[lost.path].reason
        == "The executor lost it (BrokenProcessPool: a worker died). Run the same command again."
    )
    assert json.loads((lost.tfrecords / f"{lost.name}.json").read_text())["status"] == "failed"
    assert {report.status for path, report in reports.items() if path != lost.path} <= {"done", "empty"}
    # The same command tries it again.
    assert run(jobs, make_spec(), executor=Inline())[lost.path].status in ("done", "empty")


def test_a_cancelled_call_fails_its_slide(jobs, make_spec) -> None:
    class Cancels(Inline):
        def submit(self, function, job, /, *args, **kwargs):
            future: Future = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    reports = run(jobs[:1], make_spec(), executor=Cancels())
    assert reports[jobs[0].path].reason.startswith("The executor lost it (CancelledError")


def test_a_slide_that_another_run_is_at_work_on_is_looked_at_again(jobs, make_spec, monkeypatch) -> None:
    # Arrange
    monkeypatch.setattr(elsewhere, "SECONDS_UNTIL_RETRIED", 0.2)
    spec, job = make_spec(), jobs[0]
    write_spec(job.tfrecords, spec, {})
    lock = take_lock(job.tfrecords / f"{job.name}.lock", spec.digest())
    assert lock is not None
    assert extract_one_slide(job, Order("a run", spec, {})) is None
    calls = []

    class Counts(Inline):
        def submit(self, function, job, /, *args, **kwargs):
            calls.append(job.name)
            if len(calls) == 2:
                lock.release()
            return super().submit(function, job, *args, **kwargs)

    # Act
    reports = run([job], spec, executor=Counts())

    # Assert
    assert reports[job.path].status == "done"
    assert len(calls) == 2


def test_ctrl_c_ends_the_calls_of_this_process(jobs, make_spec, tmp_path) -> None:
    # Arrange
    from tests_standins import Misbehaves

    dozing = tmp_path / "dozes.svs"
    dozing.hardlink_to(jobs[0].path)
    jobs = [replace(jobs[0], name="dozes", path=dozing), *jobs[1:]]
    spec = make_spec(qc=[Misbehaves()])

    def interrupt(event) -> None:
        if event.kind == "ended":
            raise KeyboardInterrupt

    # Act
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), ThreadPoolExecutor(2) as executor:
        run(jobs, spec, executor=executor, on_event=interrupt)

    # Assert
    assert time.monotonic() - began < 20
    assert not list(jobs[0].tfrecords.glob("*.part"))
    assert not list(jobs[0].tfrecords.glob("*.lock"))


def test_a_qc_function_of_a_notebook_runs_where_the_call_does(jobs, make_spec) -> None:
    seen = []

    def notebook_qc(wsi):
        seen.append(wsi.name)

    reports = run(jobs[:2], make_spec(qc=[notebook_qc]), executor=Inline())

    assert {report.status for report in reports.values()} <= {"done", "empty"}
    assert sorted(seen) == sorted(job.name for job in jobs[:2])


def test_a_call_that_begins_after_ctrl_c_does_nothing(jobs, make_spec, monkeypatch, tmp_path) -> None:
    # Arrange: one slide ends, while another call is still looking at what is finished
    from tests_standins import Misbehaves

    dozing = tmp_path / "dozes.svs"
    dozing.hardlink_to(jobs[0].path)
    jobs = [replace(jobs[0], name="dozes", path=dozing), jobs[1]]
    real = exclusive.finished_report

    def slow(job, spec):
        if job.name == "dozes":
            time.sleep(4)
        return real(job, spec)

    monkeypatch.setattr(exclusive, "finished_report", slow)

    def interrupt(event) -> None:
        if event.kind == "ended":
            raise KeyboardInterrupt

    # Act
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), ThreadPoolExecutor(2) as executor:
        run(jobs, make_spec(qc=[Misbehaves()], time_limit=1), executor=executor, on_event=interrupt)

    # Assert
    assert time.monotonic() - began < 20


@pytest.mark.long
def test_a_run_that_breaks_off_leaves_another_run_in_the_same_process_alone(jobs, make_spec, tmp_path) -> None:
    spec = make_spec()
    other = [replace(job, tfrecords=tmp_path / "other" / "64px_64um") for job in jobs]

    def interrupt(event) -> None:
        raise KeyboardInterrupt

    with ThreadPoolExecutor(2) as executor, ThreadPoolExecutor(1) as background:
        whole = background.submit(run, other, spec, executor=executor)
        with pytest.raises(KeyboardInterrupt):
            run(jobs, spec, executor=executor, on_event=interrupt)
        reports = whole.result()

    assert {report.status for report in reports.values()} == {"done", "empty"}


def test_a_worker_with_other_versions_or_without_the_buffer_fails_its_slides_by_name(jobs, make_spec, tmp_path) -> None:
    job, spec = jobs[0], make_spec()
    write_spec(job.tfrecords, spec, {})
    report = extract_one_slide(job, Order("a run", spec, {"numpy": "1.0"}))
    assert report is not None
    assert report.status == "failed"
    assert "other versions" in report.reason
    assert "the driver 1.0" in report.reason

    # The driver needs no such folder; the machines that extract do.
    spec = make_spec(buffer=tmp_path / "scratch")
    (report,) = run([job], spec, executor=Inline()).values()
    assert "The buffer cannot be used" in report.reason
    assert socket.gethostname() in report.reason
