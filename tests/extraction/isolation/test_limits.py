"""Limits of a slide's process, and the run in which four slides do the worst that they can."""

from __future__ import annotations

import inspect
import json
import mmap
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from slidekit.extraction.isolation import limits
from slidekit.extraction.isolation.limits import ChildLimits, GivenUpError, is_running_out
from slidekit.extraction.isolation.memory import FamilyMemory
from slidekit.slide.machine import MachineMemory

GB = 10**9
BAD = {
    "dozes": "made no progress for 9.6 s",
    "exits": "exit code 3",
    "segfaults": "SIGSEGV",
    "allocates": "needed more than 1 GB of memory",
}

needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")


# --- the worst that slides can do -----------------------------------------------------------------------------------


def extract(project: Path, **options) -> None:
    """Do what ``slidekit extract`` does; QC functions cannot be named on the command line."""
    from slidekit.cli.extract import extract as command

    # Options of a command line that were not given are None.
    given = dict.fromkeys(inspect.signature(command).parameters)
    command(**{**given, "project": project, **options})


@needs_proc
def test_four_slides_that_misbehave_cost_four_slides(demo, tmp_path, monkeypatch, capsys) -> None:
    from tests_standins import Misbehaves

    from slidekit.project import create_project

    # Arrange
    slides = tmp_path / "slides"
    slides.mkdir()
    good = [f"good-{number}" for number in range(10)]
    for name in [*BAD, *good]:
        shutil.copy(min((slide.path for slide in demo.slides), key=os.path.getsize), slides / f"{name}.svs")
    create_project(tmp_path / "proj", slides=slides)
    monkeypatch.setenv("COLUMNS", "400")
    started: list[subprocess.Popen] = []

    class Noted(subprocess.Popen):
        def __init__(self, *args, **options) -> None:
            super().__init__(*args, **options)
            started.append(self)

    monkeypatch.setattr("slidekit.extraction.isolation.process.subprocess.Popen", Noted)

    # Act
    with pytest.raises(typer.Exit) as ended:
        extract(
            tmp_path / "proj", tile_px=64, tile_um=64.0, qc=[Misbehaves()], workers=4, threads=1,
            time_limit=0.16, memory_limit=1.0,
        )  # fmt: skip

    # Assert
    assert ended.value.exit_code == 1
    folder = tmp_path / "proj" / "tfrecords" / "64px_64um"
    printed = capsys.readouterr().out
    reports = {name: json.loads((folder / f"{name}.json").read_text()) for name in [*BAD, *good]}
    assert {reports[name]["status"] for name in good} <= {"done", "empty"}
    for name, words in BAD.items():
        assert reports[name]["status"] == "failed"
        assert words in reports[name]["reason"]
        assert reports[name]["reason"].startswith("Tried twice: the process that read the slide ")
        assert name in printed
    assert not list(tmp_path.rglob("*.part"))
    # Two children of each that died, at least, and none is left.
    assert len(started) >= 8
    assert all(process.returncode is not None for process in started)


# --- time -----------------------------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(limits, "time", clock)
    return clock


def pass_seconds(clock: Clock, watched: ChildLimits, seconds: float, step: float = 1.0) -> None:
    for _ in range(round(seconds / step)):
        clock.now += step
        watched.check()


def test_silence_ends_a_process_and_not_the_time_it_takes(clock, make_spec) -> None:
    watched = ChildLimits(os.getpid(), make_spec(time_limit=2, memory_limit=1000))

    for _ in range(10):
        pass_seconds(clock, watched, 119)
        watched.note_progress()
    pass_seconds(clock, watched, 119)
    with pytest.raises(GivenUpError, match="made no progress for 2 min, and was ended"):
        pass_seconds(clock, watched, 2)


def test_time_in_which_the_driver_was_suspended_does_not_count(clock, make_spec) -> None:
    watched = ChildLimits(os.getpid(), make_spec(time_limit=2, memory_limit=1000))

    pass_seconds(clock, watched, 20_000, step=10_000)

    assert watched._silence < 60


# --- memory ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("used", "available", "workers", "ends"),
    [
        (60, 1, 1, True),  # the only child has more than half, and nothing is left
        (60, 40, 1, False),  # there is enough for all
        (15, 1, 4, False),  # its share of 20 has not been reached: somebody else is to blame
        (25, 4, 4, True),
        (25, 8, 4, False),  # of two beyond their share the greedier goes first
        (45, 8, 4, True),
        (45, 11, 4, False),
    ],
)
def test_who_is_ended_when_memory_runs_out(used: int, available: int, workers: int, ends: bool) -> None:
    assert is_running_out(used * GB, MachineMemory(100 * GB, available * GB), workers) is ends


@needs_proc
def test_a_process_that_takes_what_is_left_is_ended(clock, make_spec, monkeypatch) -> None:
    # Arrange
    monkeypatch.setattr(FamilyMemory, "used", lambda self: 9 * GB)
    monkeypatch.setattr(limits, "machine_memory", lambda: MachineMemory(16 * GB, GB // 2))
    watched = ChildLimits(os.getpid(), make_spec(workers=1))

    # Act / Assert
    with pytest.raises(GivenUpError, match="took 9 GB of memory when the 16 GB of this machine ran out"):
        pass_seconds(clock, watched, 1)


def test_without_proc_there_is_no_limit(clock, make_spec, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(limits, "FamilyMemory", lambda process: FamilyMemory(process, proc=tmp_path))
    monkeypatch.setattr(limits, "machine_memory", lambda: None)

    for most in (None, 0.001):
        watched = ChildLimits(os.getpid(), make_spec(memory_limit=most))
        pass_seconds(clock, watched, 10)
        assert watched._silence == pytest.approx(10)


HELPER = """
import os, time
if os.fork() == 0:
    hoard = b"x" * 80_000_000
    print("ready", flush=True)
time.sleep(100)
"""


@needs_proc
def test_the_memory_of_helpers_counts(monkeypatch) -> None:
    # Arrange
    monkeypatch.setattr("slidekit.extraction.isolation.memory._SECONDS_BETWEEN_LISTS", 0)
    command = [sys.executable, "-S", "-c", HELPER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()

            # Act
            used = FamilyMemory(process.pid).used()
        finally:
            os.killpg(process.pid, 9)

    # Assert
    assert used is not None
    assert 80_000_000 < used < 160_000_000
    assert FamilyMemory(process.pid).used() is None


@needs_proc
def test_a_mapped_file_does_not_count(tmp_path) -> None:
    # Arrange
    path = tmp_path / "slide"
    path.write_bytes(b"x" * 100_000_000)
    memory = FamilyMemory(os.getpid())
    before = memory.used()

    # Act
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        touched = sum(mapped[place] for place in range(0, len(mapped), 4096))
        after = memory.used()

    # Assert
    assert touched > 0
    assert before is not None
    assert after is not None
    assert after - before < 30_000_000
