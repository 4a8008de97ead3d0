"""A run's own folder for copies of slides: it says whose it is, and is removed with all that the run put into it."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from slidekit.errors import SpecError
from slidekit.extraction.buffer.companions import SlideFile, copy_files
from slidekit.io.atomic import PART

__all__ = ["BufferFolder", "check_buffer", "remove_leftovers"]

_log = logging.getLogger("slidekit")

_PREFIX = "slidekit-"
_LOCK = "slidekit.lock"
_MAKER = "slidekit, copies of slides"
# Hidden, so that who looks for slides in a folder above it passes over the copies.
_COPIES = ".copies"
_FREE_SHARE = 0.1
_FREE_MOST = 50 * 10**9


def check_buffer(buffer: Path | None) -> None:
    """Make sure that slides can be copied to a folder.

    Raises
    ------
    SpecError
        If it is not a folder, or may not be written to.
    """
    if buffer is None:
        return
    if not buffer.is_dir():
        raise SpecError(
            "is not a folder that slides can be copied to.",
            mend="Make it, or name another one for buffer (--buffer).",
            path=buffer,
        )
    if not os.access(buffer, os.W_OK | os.X_OK):
        raise SpecError(
            "is a folder that may not be written to.", mend="Name another one for buffer (--buffer).", path=buffer
        )


class BufferFolder:
    """A new folder ``slidekit-<random>``; nobody but its owner can look into it.

    Parameters
    ----------
    buffer
        The user's folder that it is made in.

    Attributes
    ----------
    lock
        Descriptor of its lock file. Processes that read the copies inherit it, and the lock with it: it is free
        only when the last of them is gone.

    Raises
    ------
    OSError
        If it cannot be made; nothing is left then.
    """

    def __init__(self, buffer: Path) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=buffer.absolute()))
        self.lock = -1
        try:
            # The lock is held before its file has the name by which another run looks for it.
            part = self.path / (_LOCK + PART)
            self.lock = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            owner = {"made_by": _MAKER, "host": socket.gethostname(), "process": os.getpid(), "boot": _boot_id()}
            if not _is_free(self.lock):
                owner["boot"] = None  # a file system without locks: nobody will be able to tell that this run is gone
            os.write(self.lock, json.dumps(owner).encode())
            part.rename(self.path / _LOCK)
            (self.path / _COPIES).mkdir()
        except BaseException:
            self.remove()
            raise

    def add(self, number: int, files: Sequence[SlideFile], *, going: Callable[[], bool]) -> Path:
        """Copy the files of a slide.

        Parameters
        ----------
        number
            A number for the slide that no other has.
        files
            Its files, its own first.
        going
            As for `copy_files`, which says as well what is raised.

        Returns
        -------
        Path
            The copy of the slide's own file, of the same name.
        """
        home = self._home(number)
        copy_files(files, home, going=going)
        return home / files[0].place

    def has(self, number: int, files: Sequence[SlideFile]) -> bool:
        """Whether all of a slide's copy is still there."""
        try:
            return all((self._home(number) / file.place).stat().st_size == file.size for file in files)
        except OSError:
            return False

    def drop(self, number: int) -> None:
        """Remove the copy of a slide.

        Raises
        ------
        OSError
            If something of it cannot be removed.
        """
        shutil.rmtree(self._home(number))

    def has_room(self, size: int, *, held: int, most: int | None) -> bool:
        """Whether so many bytes more can be copied here.

        Parameters
        ----------
        size
            Bytes to copy.
        held
            Bytes of the copies that are here.
        most
            Bytes that copies may take; None leaves a tenth of the disk free, 50 GB at most.
        """
        disk = shutil.disk_usage(self.path)
        if most is None:
            return size <= disk.free - min(_FREE_SHARE * disk.total, _FREE_MOST)
        return held + size <= most and size <= disk.free

    def remove(self) -> None:
        """Remove the folder, and let go of its lock; what somebody else put there stays."""
        _remove(self.path)
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1

    def _home(self, number: int) -> Path:
        return self.path / _COPIES / str(number)


def remove_leftovers(buffer: Path) -> None:
    """Remove what runs left that were killed; where that is not certain, say in the log what lies there.

    It is certain where this machine has run since without a restart and nobody holds the folder's lock.
    """
    for folder in sorted(buffer.glob(f"{_PREFIX}*")):
        owner = _owner(folder)
        if owner is None:
            continue  # the user's own, or it has just been made or removed
        if owner.get("boot") is None or owner["boot"] != _boot_id():
            _log.warning(
                "%s holds copies of slides of a run on %s (process %s). If that run has ended, delete the folder.",
                *(folder, owner.get("host"), owner.get("process")),
            )
            continue
        try:
            lock = os.open(folder / _LOCK, os.O_RDWR)
        except OSError:
            continue  # another user's, or gone by now
        try:
            if _is_free(lock):
                _remove(folder)
                _log.warning("%s held copies of slides of a run that was killed, and was removed.", folder)
        finally:
            os.close(lock)


def _owner(folder: Path) -> dict[str, Any] | None:
    try:
        owner = json.loads((folder / _LOCK).read_bytes())
    except (OSError, ValueError):
        return None
    return owner if isinstance(owner, dict) and owner.get("made_by") == _MAKER else None


def _is_free(lock: int) -> bool:
    """Take a lock if nobody holds it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _boot_id() -> str | None:
    """What tells this start of this machine from all others; None where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() or None
    except OSError:
        return None


def _remove(folder: Path) -> None:
    """Remove a folder of a run: what slidekit made, and nothing else."""
    try:
        if (copies := folder / _COPIES).is_dir():
            shutil.rmtree(copies)
        for name in (_LOCK + PART, _LOCK):
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()
    except OSError as error:
        _log.warning("%s cannot be removed (%s). Look at what is in it, and delete it.", folder, error.strerror)
