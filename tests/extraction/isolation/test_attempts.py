"""Which slides get a second chance, and what is kept of those that fail."""

from __future__ import annotations

import errno
import json
import logging
from dataclasses import replace

import pytest

from slidekit.errors import SlideReadError
from slidekit.extraction.isolation.attempts import extract_in_child
from slidekit.extraction.isolation.passing import may_pass
from slidekit.extraction.isolation.process import ChildProcess
from slidekit.extraction.outcome import failed_report
from slidekit.slide.report_model import SlideReport

DIES = "dies"
PASSES = "passes"
FAILS = "fails"
DONE = "done"


class Child:
    """Stands in for a child process: each run ends as the script says."""

    def __init__(self, *script: str) -> None:
        self.script = list(script)
        self.died = self.killed = False
        self.runs = 0
        self.closed = 0

    def run(self, job, spec, on_event) -> SlideReport:
        end = self.script[self.runs]
        self.runs += 1
        self.died = end == DIES
        if end == DONE:
            return SlideReport(slide=job.name, status="done")
        if self.died and job.tfrecords is not None:
            job.tfrecords.mkdir(parents=True, exist_ok=True)
            (job.tfrecords / f"{job.name}.spool.part").touch()
        return failed_report(job, f"The process {end}.").model_copy(update={"worth_retrying": end == PASSES})

    def close(self) -> None:
        self.closed += 1


def extract(child: Child, job, spec, **options) -> SlideReport:
    return extract_in_child(child, job, spec, lambda _: None, **options)


def files_of(job) -> list[str]:
    return sorted(path.name for path in job.tfrecords.glob("*")) if job.tfrecords.exists() else []


@pytest.mark.parametrize(
    ("script", "status", "runs"),
    [
        ([DONE], "done", 1),
        ([FAILS], "failed", 1),
        ([DIES, DONE], "done", 2),
        ([PASSES, DONE], "done", 2),
        ([DIES, FAILS], "failed", 2),
        ([DIES, DIES], "failed", 2),
        ([PASSES, PASSES], "failed", 2),
        ([PASSES, DIES], "failed", 2),
    ],
)
def test_who_is_tried_again(jobs, make_spec, script: list[str], status: str, runs: int) -> None:
    # Arrange
    child = Child(*script, "nobody runs a third time")

    # Act
    report = extract(child, jobs[0], make_spec())

    # Assert
    assert (report.status, child.runs) == (status, runs)
    # The second attempt has a process of its own.
    assert child.closed == runs - 1
    assert not [name for name in files_of(jobs[0]) if name.endswith(".part")]


def test_what_is_kept_of_a_slide_that_died_twice(jobs, make_spec, caplog) -> None:
    # Act
    with caplog.at_level(logging.WARNING, "slidekit"):
        report = extract(Child(DIES, DIES), jobs[0], make_spec())

    # Assert
    assert report.reason == "Tried twice: the process dies."
    stored = json.loads((jobs[0].tfrecords / f"{jobs[0].name}.json").read_text())
    assert (stored["status"], stored["reason"]) == ("failed", report.reason)
    assert "worth_retrying" not in stored
    assert [record.getMessage() for record in caplog.records] == [
        f"slide {jobs[0].name} is tried once more: The process dies."
    ]


def test_a_dry_run_keeps_nothing(jobs, make_spec) -> None:
    extract(Child(DIES, DIES), jobs[0], make_spec(dry_run=True))

    assert files_of(jobs[0]) == []


@pytest.mark.parametrize("died_in", [1, 2])
@pytest.mark.parametrize("how", ["stopped", "killed", "taken over"])
def test_a_run_that_ends_blames_no_slide(jobs, make_spec, how: str, died_in: int) -> None:
    # Arrange
    class Claim:
        def stands(self) -> bool:
            return not (how == "taken over" and child.runs == died_in)

    child = Child(DIES, DIES)
    job = replace(jobs[0], claim=Claim())

    def stopped() -> bool:
        child.killed = how == "killed" and child.runs == died_in
        return how == "stopped" and child.runs == died_in

    # Act
    report = extract(child, job, make_spec(), stopped=stopped)

    # Assert: the other run's temporary files stay
    assert report.status == "failed"
    assert child.runs == died_in
    assert files_of(job) == ([f"{job.name}.spool.part"] if how == "taken over" else [])


@pytest.mark.parametrize("how", ["DiesOnce", "FailsOnce"])
def test_a_slide_that_fails_by_chance_is_extracted(jobs, make_spec, how: str) -> None:
    import tests_standins

    # Arrange
    child = ChildProcess()
    note = jobs[0].tfrecords / "note"
    note.parent.mkdir(parents=True)

    # Act
    try:
        report = extract_in_child(child, jobs[0], make_spec(qc=[getattr(tests_standins, how)(note)]), lambda _: None)
    finally:
        child.close()

    # Assert
    assert note.exists()
    assert report.status == "done", report.reason
    assert not list(note.parent.glob("*.part"))


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (OSError(errno.EIO, "Input/output error"), True),
        (OSError(errno.ESTALE, "Stale file handle"), True),
        (TimeoutError(errno.ETIMEDOUT, "Connection timed out"), True),
        (MemoryError(), True),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), False),
        (PermissionError(errno.EACCES, "Permission denied"), False),
        (OSError("no number"), False),
        (ValueError("wrong"), False),
    ],
)
def test_errors_that_may_have_passed(error: Exception, passes: bool) -> None:
    assert may_pass(error) is passes


def test_the_cause_of_an_error_counts() -> None:
    error = SlideReadError("cannot be read")
    error.__cause__ = OSError(errno.EIO, "Input/output error")
    assert may_pass(error)
    # However it came about.
    error.__cause__ = ValueError()
    error.__cause__.__cause__ = error
    assert not may_pass(error)
