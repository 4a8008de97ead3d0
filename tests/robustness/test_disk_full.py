"""A real disk that is too small: a tmpfs that grows until the run ends well."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

SIZES_KB = range(100, 2000, 100)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.long
@pytest.mark.parametrize("size", SIZES_KB)
def test_a_full_disk_is_named_and_the_run_goes_on_when_there_is_room(
    disk, demo, undisturbed, make_project, size: int
) -> None:
    # Arrange
    project = make_project(disk / "project", demo.slides_dir)
    subprocess.run(["mount", "-o", f"remount,size={size}k", disk], check=True)

    # Act
    run = project.start()
    said, errors = run.communicate(timeout=120)

    # Assert
    assert run.returncode in (1, 2), said + errors
    assert "No space left" in said + errors or "cannot be written" in said + errors
    assert "Traceback" not in errors
    for name, content in project.contents().items():
        if name.endswith((".tfrecords", ".index.npz", ".tiles.csv")):
            assert content == undisturbed[name]
        assert not name.endswith((".part", ".lock"))

    # Act: there is room
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
    project.extract()

    # Assert
    assert project.contents() == undisturbed
