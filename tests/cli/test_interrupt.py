"""Ctrl-C during an extraction."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slidekit.demo.slides import draw_demo_slides

COMMAND = [sys.executable, "-m", "slidekit", "extract", "proj", "--tile-px", "64", "--tile-um", "10", "--no-report"]


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")
@pytest.mark.parametrize(
    ("ending", "code", "options"),
    [
        pytest.param(signal.SIGINT, 130, [], id="Ctrl-C", marks=pytest.mark.long),
        pytest.param(signal.SIGINT, 130, ["--buffer", "fast"], id="Ctrl-C with a buffer", marks=pytest.mark.long),
        pytest.param(signal.SIGTERM, 143, [], id="SIGTERM"),
    ],
)
def test_who_is_asked_to_end_does_soon_and_leaves_nothing_half_done(
    tmp_path: Path, ending: signal.Signals, code: int, options: list[str]
) -> None:
    # Arrange
    (tmp_path / "fast").mkdir()
    command = [*COMMAND, *options]
    data = draw_demo_slides(tmp_path / "data", size=0.35)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    create = [sys.executable, "-m", "slidekit", "create", "proj", "--slides", str(data.slides_dir)]
    subprocess.run(create, cwd=tmp_path, env=environment, check=True, capture_output=True)
    run = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    folder = tmp_path / "proj" / "tfrecords" / "64px_10um"

    def is_at_work() -> bool:
        is_buffering = any((tmp_path / "fast").iterdir())
        return any(folder.glob("*.part")) and is_buffering == bool(options)

    deadline = time.monotonic() + 30
    while not is_at_work() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert is_at_work()

    # Act
    asked = time.monotonic()
    run.send_signal(ending)
    output, errors = run.communicate(timeout=20)

    # Assert
    assert time.monotonic() - asked < 5
    assert run.returncode == code, output + errors
    assert "the same command goes on" in errors
    assert "Traceback" not in errors
    assert not [*folder.glob("*.part"), *folder.glob("*.lock")]
    assert not list((tmp_path / "fast").iterdir())
    states = [json.loads(path.read_text())["status"] for path in folder.glob("demo-*.json")]
    assert "failed" not in states

    # Act: the same command again
    again = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    # Assert
    assert again.returncode == 0, again.stdout
    assert len(list(folder.glob("demo-*.json"))) == 5
