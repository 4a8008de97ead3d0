"""A real Dask scheduler with real worker processes on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from slidekit.errors import ClusterError, MissingExtraError
from slidekit.extraction import cluster
from slidekit.extraction.cluster import open_cluster
from slidekit.extraction.runner import run_extraction


def run(jobs, spec, **options):
    return run_extraction(jobs, spec, report_dir=jobs[0].tfrecords, **options)


def contents(folder: Path) -> dict[str, bytes]:
    names = (path for path in folder.rglob("*") if path.is_file() and path.name != "timings.csv")
    return {str(path.relative_to(folder)): path.read_bytes() for path in names if "warn_report" not in path.name}


class Scheduler:
    """Dask's own commands, as a user would start them."""

    def __init__(self, folder: Path) -> None:
        self._environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self._folder = folder
        self._file = folder / "scheduler.json"
        self._scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        self.workers = [self.add_worker() for _ in range(2)]

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        options = ["--scheduler-file", str(self._file)]
        log = (self._folder / "log").open("ab")
        try:
            return subprocess.Popen(
                [sys.executable, "-m", "distributed.cli.dask_" + command[0], *command[1:], *options],
                env=self._environment,
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
        finally:
            log.close()

    def add_worker(self) -> subprocess.Popen[bytes]:
        # Without a nanny, so that a worker that is killed stays away.
        return self._start("worker", "--no-nanny", "--nthreads", "1", "--no-dashboard", "--death-timeout", "30")

    @property
    def address(self) -> str:
        import json

        deadline = time.monotonic() + 60
        while not self._file.exists() or not self._file.read_text().endswith("}"):
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            time.sleep(0.05)
        return json.loads(self._file.read_text())["address"]

    def close(self) -> None:
        for process in [*self.workers, self._scheduler]:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduler]:
    pytest.importorskip("distributed")
    scheduler = Scheduler(tmp_path_factory.mktemp("dask"))
    yield scheduler
    scheduler.close()


def wait_for_workers(executor, number: int) -> None:
    executor._client.wait_for_workers(number, timeout=60)


def test_workers_of_a_cluster_give_the_same_bytes_though_one_is_killed(scheduler, jobs, make_spec, tmp_path) -> None:
    # Arrange
    spec = make_spec(normalizer="reinhard")
    run(jobs, spec)
    moved = [replace(job, tfrecords=tmp_path / "by dask" / "64px_64um") for job in jobs]
    ended = []

    def kill_one(event) -> None:
        if event.kind == "ended":
            ended.append(event.slide)
            if len(ended) == 1:
                scheduler.workers[0].kill()

    # Act
    with open_cluster(scheduler.address) as executor:
        wait_for_workers(executor, 2)
        reports = run(moved, spec, executor=executor, on_event=kill_one)

    # Assert
    assert {report.status for report in reports.values()} == {"done", "empty"}
    assert contents(moved[0].tfrecords) == contents(jobs[0].tfrecords)


@pytest.mark.long
def test_the_command_line_uses_the_cluster(scheduler, demo, tmp_path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}

    def slidekit(*command: str) -> subprocess.CompletedProcess[str]:
        program = [sys.executable, "-m", "slidekit", *command]
        return subprocess.run(program, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)

    slidekit("create", "proj", "--slides", str(demo.slides_dir))
    done = slidekit("extract", "proj", "--tile-px", "64", "--tile-um", "64", "--cluster", scheduler.address)

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((tmp_path / "proj").rglob("*.tfrecords"))) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["proj"]


def test_a_worker_with_other_versions_is_refused_by_name(scheduler, monkeypatch) -> None:
    here = cluster.library_versions()
    calls = iter([here | {"numpy": "1.0"}])

    class Client:
        def run(self, function):
            return {"tcp://node7:1": function()}

    monkeypatch.setattr(cluster, "library_versions", lambda: next(calls, here))
    with pytest.raises(ClusterError, match=r"node7.*numpy 1\.0 there, .* here.*Install the same versions"):
        cluster._check_workers(Client())


def test_no_scheduler_at_that_address(monkeypatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "_SECONDS_TO_CONNECT", 0.5)
    with (
        pytest.raises(ClusterError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9.*dask scheduler"),
        open_cluster("tcp://127.0.0.1:9"),
    ):
        pass


def test_without_dask(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"slidekit\[dask\]"), open_cluster("tcp://127.0.0.1:9"):
        pass
