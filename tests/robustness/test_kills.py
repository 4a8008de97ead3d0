"""``kill -9`` at random moments: the same command goes on, and ends with the bytes of an undisturbed run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="children are found by /proc")


# The default run holds a small share, `scripts/test --all` all twenty of each.
def seeds(few: int) -> list[object]:
    return [*range(few), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(few, 20))]


def children_of(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for(condition, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def wait_until_at_work(run: subprocess.Popen[str], records: Path) -> None:
    wait_for(lambda: any(records.glob("demo*.lock")) or run.poll() is not None)


@pytest.mark.parametrize("seed", seeds(1))
def test_a_driver_that_is_killed_goes_on_where_it_was(project, undisturbed, seed: int) -> None:
    # Arrange
    run = project.start()
    wait_until_at_work(run, project.records)
    time.sleep(random.Random(seed).uniform(0, 3))
    workers = children_of(run.pid)

    # Act
    run.kill()
    run.communicate()

    # Assert: nothing stays alive
    wait_for(lambda: not any(is_alive(worker) for worker in workers), 5)

    # Act: the same command
    project.extract()

    # Assert
    assert project.contents() == undisturbed


@pytest.mark.parametrize("seed", seeds(1))
def test_a_worker_that_is_killed_costs_nothing(project, undisturbed, seed: int) -> None:
    # Arrange
    run = project.start()
    chance = random.Random(seed)
    wait_until_at_work(run, project.records)
    time.sleep(chance.uniform(0, 2))

    # Act: one worker, and somewhat later another one
    for _ in range(2):
        if workers := children_of(run.pid):
            os.kill(chance.choice(workers), signal.SIGKILL)
        time.sleep(chance.uniform(0, 0.5))
    said, errors = run.communicate(timeout=120)

    # Assert: a slide that was hit twice has failed by name; the same command mends that
    assert run.returncode in (0, 1), said + errors
    if run.returncode:
        assert "SIGKILL" in said
        project.extract()
    assert project.contents() == undisturbed


@pytest.mark.long
def test_two_drivers_on_one_folder_share_the_work(project, undisturbed) -> None:
    # Act
    runs = [project.start("--workers", "1", "--log", f"{number}.log") for number in range(2)]
    ends = [run.communicate(timeout=120) for run in runs]

    # Assert: each slide once, by the one or the other
    assert [run.returncode for run in runs] == [0, 0], ends
    logs = [project.root / f"{number}.log" for number in range(2)]
    done = [line for log in logs for line in log.read_text().splitlines() if '"status": "done"' in line]
    for log in logs:
        log.unlink()
    tfrecords = [name for name in undisturbed if name.endswith(".tfrecords")]
    assert len(done) == len(tfrecords)
    assert project.contents() == undisturbed


@pytest.mark.long
def test_shards_add_up_to_the_whole(project, undisturbed) -> None:
    # Act
    for part in (1, 2, 3):
        project.extract("--shard", f"{part}/3")

    # Assert
    assert project.contents() == undisturbed


@pytest.mark.long
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(options.split(), id=options)
        for options in ("--workers 1", "--workers 2", "--workers 4", "--threads 2", "--threads 3")
    ],
)
def test_the_bytes_do_not_depend_on_how_the_work_is_shared(project, undisturbed, options: list[str]) -> None:
    project.extract(*options)
    assert project.contents() == undisturbed
