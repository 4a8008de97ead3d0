"""Locks that are files: one run at a time, on one machine or on many that share a disk.

A lock is made with ``O_EXCL``, which is atomic on NFS as well, and its owner touches it every few seconds. It is
abandoned when its owner is known to be gone, or when nobody has touched it for a while by the clock of the disk that
it lies on: the clocks of two machines are never compared.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import secrets
import socket
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["LOCK", "Claim", "FileLock", "lock_note", "remove_abandoned", "take_lock"]

_log = logging.getLogger("slidekit")

LOCK = ".lock"
"""Suffix of lock files."""

_MAKER = "slidekit, a run at work"
_SECONDS_BETWEEN_BEATS = 15.0
_SECONDS_UNTIL_ABANDONED = 120.0
_LOOKS = 4
_SECONDS_BETWEEN_LOOKS = 0.5
"""Eight beats: a file server that stands still for a minute must not cost a slide."""


# What this process holds.
_held: set[str] = set()


@dataclass(frozen=True)
class Claim:
    """Whose a lock is: plain values that another process can check.

    Attributes
    ----------
    path
        The lock file.
    text
        What its owner has written into it; no two owners write the same.
    """

    path: Path
    text: str

    def stands(self) -> bool:
        """Whether the lock is still its owner's; a disk that does not answer is asked again for a while."""
        for _ in range(_LOOKS):
            try:
                return self.path.read_bytes() == self.text.encode()
            except FileNotFoundError:
                return False
            except OSError:
                time.sleep(_SECONDS_BETWEEN_LOOKS)
        return False


class FileLock:
    """A lock that is held; a thread keeps it fresh until it is released. Made by `take_lock`.

    Parameters
    ----------
    claim
        File and content.
    was_abandoned
        Whether somebody held it before who did not end properly, and may have left files behind.
    """

    def __init__(self, claim: Claim, *, was_abandoned: bool) -> None:
        self.claim = claim
        self.was_abandoned = was_abandoned
        self._released = threading.Event()
        threading.Thread(target=self._beat, name="slidekit-lock", daemon=True).start()

    def is_held(self) -> bool:
        """Whether nobody has taken it over, which happens to who was asleep for minutes."""
        return self.claim.stands()

    def release(self) -> None:
        """Give the lock back; where its file cannot be removed, it is abandoned all the same."""
        self._released.set()
        try:
            if self.is_held():
                self.claim.path.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("%s cannot be removed (%s)", self.claim.path.name, error.strerror)
        finally:
            _held.discard(self.claim.text)

    def _beat(self) -> None:
        while not self._released.wait(_SECONDS_BETWEEN_BEATS):
            if self.is_held():
                try:
                    os.utime(self.claim.path)
                except OSError:
                    continue  # the disk is away for the moment, it may be

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def take_lock(path: Path, note: str = "") -> FileLock | None:
    """Take a lock, if nobody else holds it.

    Parameters
    ----------
    path
        The lock file; its folder is made.
    note
        What others may read in it, see `lock_note`.

    Returns
    -------
    FileLock or None
        None if another run holds it.

    Raises
    ------
    OSError
        If the file cannot be written, or is there and not a lock of slidekit's.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"made_by": _MAKER, "token": secrets.token_hex(8), "note": note, **_this_process()})
    was_abandoned = False
    # Each further turn means that the lock went away between two looks at it.
    for _ in range(10):
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            if not remove_abandoned(path):
                return None
            was_abandoned = True
            continue
        try:
            _held.add(text)
            try:
                os.write(file, text.encode())
            finally:
                os.close(file)
            return FileLock(Claim(path, text), was_abandoned=was_abandoned)
        except BaseException:
            # A full disk, or Ctrl-C.
            _held.discard(text)
            path.unlink(missing_ok=True)
            raise
    return None


def lock_note(path: Path) -> str | None:
    """Read the note of a lock that somebody holds; None if there is no lock, it is abandoned, or not slidekit's."""
    seen = _look(path)
    owner = None if seen is None else _owner(seen[0])
    return None if seen is None or owner is None or _is_abandoned(path, *seen) else str(owner.get("note", ""))


def remove_abandoned(path: Path) -> bool:
    """Remove a lock whose owner is gone.

    Returns
    -------
    bool
        Whether there is no lock now.

    Raises
    ------
    FileExistsError
        If the file is not a lock of slidekit's.
    """
    seen = _look(path)
    if seen is None:
        return True
    if seen[0].strip("\0") and _owner(seen[0]) is None:
        raise FileExistsError(errno.EEXIST, "A file that slidekit did not make has the name of its lock", str(path))
    if not _is_abandoned(path, *seen):
        return False
    # Moved aside first: of two that find it abandoned, one gets it.
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return True
    try:
        if aside.read_text(encoding="utf-8", errors="replace") != seen[0]:
            # The other was quicker, and this is its new lock: it gets it back.
            os.link(aside, path)
            return False
    except OSError:
        return False  # its owner will see that it has lost the lock, and give up
    finally:
        aside.unlink(missing_ok=True)
    return True


def _look(path: Path) -> tuple[str, float] | None:
    """Content and time of the last touch; None if there is no lock."""
    try:
        # Opening a file makes an NFS client ask the server, where a mere stat may be answered from memory.
        with path.open("rb") as file:
            return file.read(4096).decode("utf-8", "replace"), os.fstat(file.fileno()).st_mtime
    except FileNotFoundError:
        return None


def _owner(text: str) -> dict[str, Any] | None:
    try:
        owner = json.loads(text)
    except ValueError:
        return None
    return owner if isinstance(owner, dict) and owner.get("made_by") == _MAKER else None


def _is_abandoned(path: Path, text: str, touched: float) -> bool:
    owner, here = _owner(text), _this_process()
    # Process numbers mean something only within one start of one machine, and one container on it.
    if owner is not None and all(here[key] and owner.get(key) == here[key] for key in ("host", "boot", "container")):
        if owner.get("process") == here["process"] and owner.get("start") == here["start"]:
            # This very process, which knows what it holds: Ctrl-C may have come before it could give it back.
            return text not in _held
        return not _is_running(owner.get("process"), owner.get("start"))
    # Without an owner that can be read, it has been made in this moment, or somebody's disk was full.
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".slidekit-clock-") as probe:
        now = os.fstat(probe.fileno()).st_mtime
    return now - touched > _SECONDS_UNTIL_ABANDONED


def _this_process() -> dict[str, str | int | None]:
    return {
        "host": socket.gethostname(),
        "process": os.getpid(),
        "start": _start_of(os.getpid()),
        "boot": _read("/proc/sys/kernel/random/boot_id"),
        "container": _link("/proc/self/ns/pid"),
    }


def _is_running(process: object, start: object) -> bool:
    """Whether a process of this machine is at work; one that cannot be looked at, but is there, counts as that."""
    if not isinstance(process, int) or process <= 0:
        return False
    if Path(f"/proc/{process}/stat").exists():
        return _start_of(process) == start
    try:
        os.kill(process, 0)  # asks, and does nothing
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's, whom /proc does not show
    return True


def _start_of(process: int) -> str | None:
    """When a process started, in ticks since the machine did; None if none of that number is at work."""
    stat = _read(f"/proc/{process}/stat")
    if stat is None:
        return None
    # The name in brackets may hold anything; the state is the first field after it, the start the 20th.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text().strip() or None
    except OSError:
        return None


def _link(path: str) -> str | None:
    try:
        return os.readlink(path)  # noqa: PTH115 - it points at no path
    except OSError:
        return None
