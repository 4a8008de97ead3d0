from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from slidekit.io import lock as lock_module
from slidekit.io.lock import Claim, FileLock, lock_note, remove_abandoned, take_lock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "S1.lock"


def write_owner(path: Path, **changes: object) -> None:
    """A lock as another process would have left it."""
    path.parent.mkdir(exist_ok=True)
    owner = {"made_by": lock_module._MAKER, "token": "t", "note": "n", **lock_module._this_process(), **changes}
    path.write_text(json.dumps(owner))


def grow_old(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_only_one_gets_it_and_the_next_after_its_release(path: Path) -> None:
    # Act
    first = take_lock(path, "spec")
    second = take_lock(path, "spec")

    # Assert
    assert first is not None
    assert not first.was_abandoned
    assert second is None
    assert lock_note(path) == "spec"

    # Act
    first.release()
    third = take_lock(path)

    # Assert
    assert third is not None
    third.release()
    assert list(path.parent.iterdir()) == []


def test_of_many_that_try_at_once_one_gets_it(path: Path) -> None:
    start, taken = threading.Barrier(12), []

    def attempt() -> None:
        start.wait()
        taken.append(take_lock(path))

    threads = [threading.Thread(target=attempt) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (held,) = [lock for lock in taken if lock is not None]
    held.release()


@pytest.mark.parametrize("attempt", range(5))
def test_of_many_that_find_it_abandoned_one_gets_it(path: Path, attempt: int) -> None:
    write_owner(path, process=2**22 + 1)
    start, taken = threading.Barrier(8), []

    def take() -> None:
        start.wait()
        taken.append(take_lock(path))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    held = [lock for lock in taken if lock is not None and lock.is_held()]
    assert len(held) == 1
    for lock in taken:
        if lock is not None:
            lock.release()
    assert list(path.parent.iterdir()) == []


def test_the_lock_of_a_process_that_was_killed_is_taken_at_once(path: Path) -> None:
    # Arrange
    program = f"import os, signal; from pathlib import Path; from slidekit.io.lock import take_lock;\
take_lock(Path({str(path)!r})); os.kill(os.getpid(), signal.SIGKILL)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=False)
    assert path.exists()

    # Act
    lock = take_lock(path)

    # Assert
    assert lock is not None
    assert lock.was_abandoned
    lock.release()


def test_a_process_that_got_the_number_of_the_owner_is_not_the_owner(path: Path) -> None:
    write_owner(path, start="1")
    lock = take_lock(path)
    assert lock is not None
    lock.release()


def test_the_lock_of_another_machine_counts_until_nobody_has_touched_it_for_long(path: Path) -> None:
    # Arrange
    write_owner(path, host="another", process=2**22 + 1)

    # Act / Assert
    grow_old(path, 100)
    assert take_lock(path) is None
    assert lock_note(path) == "n"
    grow_old(path, 130)
    assert lock_note(path) is None
    lock = take_lock(path)
    assert lock is not None
    assert lock.was_abandoned
    lock.release()


def test_a_lock_that_is_being_written_counts(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    assert take_lock(path) is None
    grow_old(path, 130)
    lock = take_lock(path)
    assert lock is not None
    lock.release()


def test_the_owner_keeps_it_fresh_and_sees_when_it_has_lost_it(path: Path, monkeypatch) -> None:
    # Arrange
    monkeypatch.setattr(lock_module, "_SECONDS_BETWEEN_BEATS", 0.02)
    lock = take_lock(path)
    assert lock is not None

    # Act / Assert: touched
    grow_old(path, 1000)
    deadline = time.monotonic() + 10
    while time.time() - path.stat().st_mtime > 500:
        assert time.monotonic() < deadline
        time.sleep(0.01)

    # Act / Assert: taken over
    write_owner(path, token="of another")
    grow_old(path, 1000)
    time.sleep(0.1)
    assert not lock.is_held()
    assert time.time() - path.stat().st_mtime > 500
    lock.release()
    assert "of another" in path.read_text()


def test_a_file_that_slidekit_did_not_make_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("the user's")
    grow_old(path, 1000)
    with pytest.raises(FileExistsError, match="did not make"):
        take_lock(path)
    with pytest.raises(FileExistsError):
        remove_abandoned(path)
    assert path.read_text() == "the user's"
    assert lock_note(path) is None


def test_who_takes_a_lock_away_that_is_new_gives_it_back(path: Path, monkeypatch) -> None:
    # Arrange: between looking and moving, another run has taken the abandoned lock over
    write_owner(path, process=2**22 + 1)
    look = lock_module._look

    def look_and_lose(given: Path):
        seen = look(given)
        write_owner(path, token="of the quicker one")
        monkeypatch.setattr(lock_module, "_look", look)
        return seen

    monkeypatch.setattr(lock_module, "_look", look_and_lose)

    # Act / Assert
    assert take_lock(path) is None
    assert "of the quicker one" in path.read_text()
    assert list(path.parent.iterdir()) == [path]


def test_a_claim_crosses_to_another_process(path: Path) -> None:
    lock = take_lock(path)
    assert isinstance(lock, FileLock)
    program = f"from pathlib import Path; from slidekit.io.lock import Claim;\
print(Claim(Path({str(path)!r}), {lock.claim.text!r}).stands())"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True)
    lock.release()
    assert said.stdout == "True\n"
    assert not Claim(path, lock.claim.text).stands()


def test_ctrl_c_while_a_lock_is_taken_or_given_back_does_not_leave_it_held(path: Path, monkeypatch) -> None:
    # Act: taken
    def close_and_interrupt(file: int, close=os.close) -> None:
        close(file)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(lock_module.os, "close", close_and_interrupt)
        with pytest.raises(KeyboardInterrupt):
            take_lock(path)

    # Assert
    lock = take_lock(path)
    assert lock is not None

    # Act: given back
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", interrupt)
        with pytest.raises(KeyboardInterrupt):
            lock.release()

    # Assert: it is there, and nobody's
    assert path.exists()
    again = take_lock(path)
    assert again is not None
    again.release()


def test_a_lock_that_cannot_be_removed_is_nobody_s(path: Path, monkeypatch, caplog) -> None:
    lock = take_lock(path)
    assert lock is not None

    def refuse(*_: object, **__: object) -> None:
        raise OSError(116, "Stale file handle")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refuse)
        lock.release()

    assert "cannot be removed (Stale file handle)" in caplog.text
    again = take_lock(path)
    assert again is not None
    again.release()


def test_a_process_that_proc_does_not_show_is_not_taken_for_gone(path: Path, monkeypatch) -> None:
    # Arrange: another user's, on a machine that hides them
    hidden = subprocess.Popen(["sleep", "60"])
    write_owner(path, process=hidden.pid, start="123")
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda self: f"/proc/{hidden.pid}/" not in str(self) and exists(self))

    # Act / Assert
    assert take_lock(path) is None
    hidden.kill()
    hidden.wait()
    lock = take_lock(path)
    assert lock is not None
    lock.release()
