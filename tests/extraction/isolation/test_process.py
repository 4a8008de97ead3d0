"""The child process: what it says, how its end is told, and that it ends with its parent."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from slidekit.extraction.isolation.process import ChildProcess


@pytest.fixture
def child():
    child = ChildProcess()
    yield child
    child.close()


def is_running(process: int) -> bool:
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def wait_for(true, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return true()


PARENT = """
import pickle, sys
from pathlib import Path
from slidekit.extraction.isolation.process import ChildProcess
job, spec = pickle.loads(Path(sys.argv[1]).read_bytes())
ChildProcess().run(job, spec, print)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
def test_a_child_does_not_outlive_its_parent(jobs, make_spec, tmp_path) -> None:
    from tests_standins import SleepsWithHelper

    # Arrange
    note, order = tmp_path / "note", tmp_path / "order"
    order.write_bytes(pickle.dumps((jobs[0], make_spec(qc=[SleepsWithHelper(note)]))))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", PARENT, str(order)], env=environment) as parent:
        try:
            assert wait_for(note.exists, 30)
            family = [int(number) for number in note.read_text().split()]
            assert all(is_running(process) for process in family)
        finally:
            # Act
            parent.kill()

    # Assert
    assert wait_for(lambda: not any(is_running(process) for process in family), 3)


@pytest.mark.skipif(not Path("/proc/self/oom_score_adj").exists(), reason="a matter of Linux")
def test_the_kernel_ends_a_child_before_its_parent(jobs, make_spec, child) -> None:
    child.run(jobs[0], make_spec(dry_run=True), lambda _: None)

    mine, its = (int(Path(f"/proc/{number}/oom_score_adj").read_text()) for number in ("self", child._process.pid))
    assert its > mine or mine == 1000


@pytest.mark.parametrize(("lines", "told"), [(2, range(2)), (7, range(2, 7))])
def test_the_last_words_are_those_of_the_slide_without_its_folder(jobs, make_spec, child, lines, told) -> None:
    from tests_standins import Talks

    # Arrange
    spec = make_spec(qc=[Talks(jobs[1].name, lines)])

    # Act
    first = child.run(jobs[0], spec, lambda _: None)
    second = child.run(jobs[1], spec, lambda _: None)

    # Assert
    assert first.status == "done", first.reason
    assert child.died
    words = " / ".join(f"{jobs[1].name} {number}: {jobs[1].path.name}" for number in told)
    assert second.reason == f"The process that read the slide ended with exit code 3. Its last words: {words}"


def test_what_a_child_logs_is_logged_here(jobs, make_spec, child, caplog) -> None:
    from tests_standins import Logs

    with caplog.at_level(logging.INFO, "slidekit"):
        report = child.run(jobs[0], make_spec(qc=[Logs()]), lambda _: None)

    assert report.reason.startswith("ZeroDivisionError: of zero (tests_standins.py, line ")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", f"slide {jobs[0].name}: a stain of coffee")
    ]


def test_in_detail_with_its_tracebacks(jobs, make_spec, child, caplog) -> None:
    from tests_standins import Logs

    with caplog.at_level(logging.DEBUG, "slidekit"):
        child.run(jobs[0], make_spec(qc=[Logs()]), lambda _: None)

    texts = [record.getMessage() for record in caplog.records]
    assert f"slide {jobs[0].name}: not worth telling" in texts
    assert any("Traceback" in text and text.endswith("ZeroDivisionError: of zero") for text in texts)


def test_nonsense_from_a_child_ends_the_child(jobs, make_spec, child) -> None:
    from tests_standins import Stammers

    report = child.run(jobs[0], make_spec(qc=[Stammers()]), lambda _: None)

    assert child.died
    assert report.reason == "The process that read the slide sent what nobody understands, and was ended."


def test_a_job_larger_than_a_pipe_crosses(jobs, make_spec, child) -> None:
    job = replace(jobs[0], name="x" * 200_000)

    report = child.run(job, make_spec(dry_run=True), lambda _: None)

    assert report.status == "done", report.reason


def test_a_child_that_was_killed_takes_no_more_slides(jobs, make_spec, child) -> None:
    child.kill()

    report = child.run(jobs[0], make_spec(), lambda _: None)

    assert child.died
    assert child.killed
    assert report.status == "failed"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGKILL, "was killed by SIGKILL (memory has run out, it may be)."),
        (signal.SIGTERM, "was killed by SIGTERM."),
        (signal.SIGRTMIN + 3, f"was killed by signal {signal.SIGRTMIN + 3}."),
    ],
)
def test_signals_have_names(number: int, words: str) -> None:
    from slidekit.extraction.isolation.process import _describe_end

    with subprocess.Popen([sys.executable, "-S", "-c", f"import os; os.kill(os.getpid(), {int(number)})"]) as process:
        assert f"{_describe_end(process)}." == words


def test_a_process_that_does_not_go_holds_nobody_up(child, caplog, monkeypatch) -> None:
    # Arrange: what a disk that is away does to a process, even to a killed one
    class Stuck:
        pid, stdin, stdout = 2**30, None, None

        def wait(self, timeout: float) -> int:
            raise subprocess.TimeoutExpired("child", timeout)

        def poll(self) -> None:
            return None

    monkeypatch.setattr("slidekit.extraction.isolation.process._lingering", lingering := [])
    child._process = stuck = Stuck()

    # Act
    with caplog.at_level(logging.WARNING, "slidekit"):
        child.close()

    # Assert
    assert lingering == [stuck]
    assert "does not end" in caplog.text
