from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from slidekit.errors import SpecError
from slidekit.extraction.buffer.companions import slide_files
from slidekit.extraction.buffer.folder import BufferFolder, check_buffer, remove_leftovers
from slidekit.pixels.discovery import find_slides

# A run that copied a slide, says where, and is killed.
KILLED = """
import os, signal, sys
from pathlib import Path
from slidekit.extraction.buffer.folder import BufferFolder
from slidekit.extraction.buffer.companions import slide_files
folder = BufferFolder(Path(sys.argv[1]))
folder.add(0, slide_files(Path(sys.argv[2])), going=lambda: True)
print(folder.path, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    path = tmp_path / "slides" / "a.svs"
    path.parent.mkdir()
    path.write_bytes(b"pixels")
    return path


def leave(buffer: Path, slide: Path) -> Path:
    """What a killed run leaves."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", KILLED, str(buffer), str(slide)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == -signal.SIGKILL, run.stderr
    folder = Path(run.stdout.strip())
    assert list(folder.rglob("a.svs"))
    return folder


def test_a_folder_comes_and_goes(buffer, slide) -> None:
    folder = BufferFolder(buffer)
    files = slide_files(slide)

    copy = folder.add(3, files, going=lambda: True)

    assert (copy.name, copy.read_bytes()) == ("a.svs", b"pixels")
    assert folder.path.parent == buffer
    assert folder.path.name.startswith("slidekit-")
    assert folder.path.stat().st_mode & 0o077 == 0
    assert folder.has(3, files)
    folder.drop(3)
    assert not folder.has(3, files)
    folder.add(4, files, going=lambda: True)
    folder.remove()
    assert list(buffer.iterdir()) == []
    assert slide.read_bytes() == b"pixels"


def test_who_looks_for_slides_does_not_find_copies(buffer, slide) -> None:
    folder = BufferFolder(slide.parent)
    folder.add(0, slide_files(slide), going=lambda: True)

    assert find_slides(slide.parent) == [slide]
    folder.remove()


def test_files_of_the_user_stay(buffer, slide, caplog) -> None:
    folder = BufferFolder(buffer)
    folder.add(0, slide_files(slide), going=lambda: True)
    own = folder.path / "my notes.txt"
    own.touch()

    folder.remove()

    assert list(folder.path.rglob("*")) == [own]
    assert "cannot be removed" in caplog.text


def test_what_a_killed_run_left_is_removed(buffer, slide, caplog) -> None:
    left = leave(buffer, slide)

    remove_leftovers(buffer)

    assert list(buffer.iterdir()) == []
    assert str(left) in caplog.text
    assert slide.exists()


def test_a_running_run_is_left_alone(buffer, slide, caplog) -> None:
    folder = BufferFolder(buffer)
    copy = folder.add(0, slide_files(slide), going=lambda: True)

    remove_leftovers(buffer)

    assert copy.exists()
    assert caplog.text == ""
    folder.remove()


def test_a_run_lives_as_long_as_a_child_of_it_reads(buffer) -> None:
    # Arrange: the driver was killed, and its child goes on
    folder = BufferFolder(buffer)
    child = subprocess.Popen(["sleep", "60"], pass_fds=(folder.lock,))
    os.close(folder.lock)

    # Act / Assert
    try:
        remove_leftovers(buffer)
        assert folder.path.exists()
    finally:
        child.kill()
        child.wait()
    remove_leftovers(buffer)
    assert not folder.path.exists()


@pytest.mark.parametrize("boot", ["another machine's", None])
def test_what_may_be_another_machines_is_named_and_stays(buffer, slide, caplog, boot) -> None:
    left = leave(buffer, slide)
    lock = left / "slidekit.lock"
    lock.write_text(json.dumps(json.loads(lock.read_text()) | {"boot": boot, "host": "node7"}))

    remove_leftovers(buffer)

    assert list(left.rglob("a.svs"))
    assert f"{left} holds copies of slides of a run on node7" in caplog.text


def test_folders_of_other_makers_are_none_of_our_business(buffer, caplog) -> None:
    caplog.set_level(logging.INFO)
    (buffer / "slidekit-data").mkdir()
    (buffer / "slidekit-file").touch()
    for name, text in (("slidekit-lock", ""), ("slidekit-json", "[1]"), ("slidekit-other", '{"boot": null}')):
        (buffer / name).mkdir()
        (buffer / name / "slidekit.lock").write_text(text)
    before = sorted(buffer.rglob("*"))

    remove_leftovers(buffer)

    assert sorted(buffer.rglob("*")) == before
    assert caplog.text == ""


def test_a_buffer_must_be_a_folder(buffer, tmp_path) -> None:
    check_buffer(None)
    check_buffer(buffer)
    for place in (tmp_path / "none", Path(__file__)):
        with pytest.raises(SpecError, match=r"is not a folder .* Make it") as error:
            check_buffer(place)
        assert error.value.path == place


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_buffer_must_be_writable(buffer) -> None:
    buffer.chmod(0o500)
    with pytest.raises(SpecError, match="may not be written to"):
        check_buffer(buffer)
