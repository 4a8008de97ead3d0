"""A disk that becomes full, at every moment at which something is put in place."""

from __future__ import annotations

import errno
import json
import logging
import os
from pathlib import Path

import pytest

from slidekit.extraction.runner import run_extraction


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but what holds a time."""
    names = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pdf")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in names
        if path.name != "timings.csv" and not path.name.startswith("warn_report")
    }


class Disk:
    """Counts what is put in place, and is full for one of them."""

    def __init__(self, full_at: int | None = None) -> None:
        self.calls, self.full_at = 0, full_at
        self._fsync = os.fsync

    def fsync(self, file: int) -> None:
        self.calls += 1
        if self.calls == self.full_at:
            raise OSError(errno.ENOSPC, "No space left on device")
        self._fsync(file)


@pytest.fixture
def extract(jobs, make_spec, monkeypatch):
    job = jobs[0]
    # A lambda cannot cross to a child.
    spec = make_spec(qc=[lambda wsi: None, "otsu"], report=True, workers=1)

    def run(disk: Disk):
        with monkeypatch.context() as patched:
            patched.setattr("slidekit.io.atomic.os.fsync", disk.fsync)
            return run_extraction([job], spec, report_dir=job.tfrecords)[job.path]

    run.folder, run.name = job.tfrecords, job.name
    return run


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.long), 3])
def test_at_whatever_moment_the_disk_is_full_nothing_half_done_stays_and_the_next_run_ends_well(
    extract, caplog, step: int
) -> None:
    # Arrange
    whole = Disk()
    extract(whole)
    expected = contents(extract.folder)
    assert whole.calls > 15
    said = set()

    for moment in range(1, whole.calls + 1, step):
        for path in sorted(extract.folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        caplog.clear()

        # Act
        try:
            with caplog.at_level(logging.WARNING):
                report = extract(Disk(moment))
        except OSError as error:
            # Before any work: what says with which parameters.
            said.add(errno.errorcode[error.errno])
        else:
            # Assert: it is said, by the slide or by the log
            told = report.reason + caplog.text
            assert "No space left" in told or "cannot be written" in told, moment
            said.add(report.status)
        assert not list(extract.folder.rglob("*.part"))
        assert not list(extract.folder.rglob("*.lock"))
        stored = extract.folder / f"{extract.name}.json"
        records = extract.folder / f"{extract.name}.tfrecords"
        if stored.exists() and json.loads(stored.read_text())["status"] == "done":
            assert records.read_bytes() == expected[records.name]
        else:
            assert not records.exists()

        # Act: there is room again
        report = extract(Disk())

        # Assert
        assert report.status in ("done", "skipped"), moment
        assert contents(extract.folder) == expected, moment
    assert said == {"ENOSPC", "failed", "done"}
