"""What becomes of errors that nobody foresaw, or that the machine makes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from slidekit.demo.slides import draw_demo_slides


def slidekit(*arguments: object, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run `main` in a process of its own, after the statements `before`."""
    code = f"import sys; sys.argv[0] = 'slidekit'\nfrom slidekit.cli import main\n{before}\nmain()\n"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "80", "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=60,
        check=False,
    )


def failing(error: str) -> str:
    return f"import slidekit.project\ndef fail(*_, **__): raise {error}\nslidekit.project.create_project = fail"


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    # Arrange
    slides = draw_demo_slides(tmp_path / "data", size=0.1).slides_dir
    (tmp_path / "file").write_text("not a folder")

    # Act
    result = slidekit("create", tmp_path / "file" / "proj", "--slides", slides)

    # Assert
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1] == f"error: Not a directory: {tmp_path / 'file' / 'proj'}"
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("PermissionError(13, 'Permission denied', '/x/y[1].csv')", "error: Permission denied: /x/y[1].csv"),
        ("OSError(28, 'No space left on device')", "error: No space left on device"),
        ("OSError('broken in some way')", "error: OSError: broken in some way"),
    ],
)
def test_errors_of_the_system_are_a_line_and_exit_code_2(tmp_path: Path, error: str, says: str) -> None:
    result = slidekit("create", "p", "--slides", tmp_path, before=failing(error))

    assert result.returncode == 2
    assert result.stderr.strip() == says


def test_debug_shows_the_traceback_of_errors_of_the_system(tmp_path: Path) -> None:
    error = "PermissionError(13, 'Permission denied', '/x')"

    result = slidekit("--debug", "create", "p", "--slides", tmp_path, before=failing(error))

    assert result.returncode == 1
    assert "Traceback" in result.stderr


def test_mistakes_in_slidekit_say_where_to_look(tmp_path: Path) -> None:
    result = slidekit("create", "p", "--slides", tmp_path, before=failing("KeyError('lost')"))

    assert result.returncode == 1
    assert "KeyError: 'lost'" in result.stderr
    assert "--debug" in result.stderr
    assert "Traceback" not in result.stderr
