"""How much memory a process and what it has started take."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["FamilyMemory"]

_SECONDS_BETWEEN_LISTS = 1.0


class FamilyMemory:
    """Memory of a process, its children, and theirs.

    Counted is what a process has written itself and the kernel cannot drop: resident pages less those of files and of
    shared memory (``/proc/PID/statm``, see proc_pid_statm(5)). A limit on address space (``RLIMIT_AS``) would count
    what libraries merely reserve; resident pages alone would count mapped slides; the proportional share
    (``smaps_rollup``) takes the kernel milliseconds a look. Pages that a forked helper still has in common with its
    parent count twice; shared memory and what has been swapped out do not count.

    Parameters
    ----------
    process
        Number of the process.
    proc
        Where the kernel tells of processes.
    """

    def __init__(self, process: int, proc: Path = Path("/proc")) -> None:
        self._process = process
        self._proc = proc
        self._family = [process]
        self._listed = time.monotonic()
        # In bytes a page.
        self._page = os.sysconf("SC_PAGE_SIZE")

    def used(self) -> int | None:
        """Bytes; None if the process has ended, or the kernel does not tell. Takes some ten microseconds."""
        # Members are looked for more seldom: there is a folder a thread to look into.
        if time.monotonic() - self._listed > _SECONDS_BETWEEN_LISTS:
            self._family = [self._process, *self._descendants(self._process)]
            self._listed = time.monotonic()
        sizes = [size for process in self._family if (size := self._own(process)) is not None]
        return sum(sizes) if sizes else None

    def _own(self, process: int) -> int | None:
        try:
            fields = (self._proc / str(process) / "statm").read_text().split()
            return (int(fields[1]) - int(fields[2])) * self._page
        except (OSError, ValueError, IndexError):
            return None

    def _descendants(self, process: int) -> Iterator[int]:
        try:
            for thread in (self._proc / str(process) / "task").iterdir():
                for child in (thread / "children").read_text().split():
                    yield int(child)
                    yield from self._descendants(int(child))
        except (OSError, ValueError):
            return  # it has ended meanwhile, or the kernel was built without these lists
