"""Memory that processes share."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest

from slidekit.sampling.feeding.memory import PatchLayout, SharedPatches, share, shared_bytes, shared_file, slots_within


def test_two_mappings_see_the_same_patches() -> None:
    layout = PatchLayout(5, (7, 4), labels=True)
    ours = SharedPatches(layout)
    theirs = SharedPatches(layout, os.dup(ours.descriptor))
    for number, array in enumerate((*ours.views, ours.labels)):
        array[:] = number + 1
    assert [view.shape for view in theirs.views] == [(5, 7, 7, 3), (5, 4, 4, 3)]
    assert theirs.labels.shape == (5, 7, 7)
    assert [set(np.unique(array)) for array in (*theirs.views, theirs.labels)] == [{1}, {2}, {3}]
    kept = ours.views[0]
    ours.close()
    theirs.close()
    assert (kept == 1).all()


def test_nothing_of_it_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = set(Path("/dev/shm").iterdir()) if Path("/dev/shm").is_dir() else set()
    descriptor = shared_file(1 << 20)
    after = set(Path("/dev/shm").iterdir()) if Path("/dev/shm").is_dir() else set()
    assert os.fstat(descriptor).st_size == 1 << 20
    os.close(descriptor)
    assert after <= before
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_file_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(name: str) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("os.memfd_create", refuse, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with caplog.at_level(logging.INFO, "slidekit"):
        descriptor = shared_file(3 << 20)
    assert os.fstat(descriptor).st_size == 3 << 20
    assert list(tmp_path.iterdir()) == []
    assert "temporary file" in caplog.text
    os.close(descriptor)


def test_bytes_can_be_had_again_and_again() -> None:
    descriptor = share(b"what there is to know" * 100_000)
    again = os.dup(descriptor)
    assert shared_bytes(descriptor) == shared_bytes(again) == b"what there is to know" * 100_000
    os.close(descriptor)
    os.close(again)


@pytest.mark.parametrize(
    ("memory", "batch", "look_ahead", "slots"),
    [(1000, 4, 8, 16), (1000, 4, 1000, 100), (1, 4, 8, 8), (1000, 64, 1, 128), (1000, 3, 4, 9)],
)
def test_slots_are_whole_batches_within_memory(memory: int, batch: int, look_ahead: int, slots: int) -> None:
    assert slots_within(memory, batch, look_ahead, 10) == slots
