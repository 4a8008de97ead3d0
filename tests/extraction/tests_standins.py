"""QC methods that misbehave; in a module of their own, so that a child process can import them."""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import signal
import sys
import time
from pathlib import Path


class Crash:
    """Reads address 0 on one slide."""

    def __init__(self, slide: str) -> None:
        self.slide = slide

    def __call__(self, wsi) -> None:
        if wsi.name == self.slide:
            ctypes.string_at(0)


class LeavesAHelper:
    """Starts a process that holds the pipes for a minute, and dies, on one slide."""

    def __init__(self, slide: str) -> None:
        self.slide = slide

    def __call__(self, wsi) -> None:
        if wsi.name == self.slide:
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
            os.kill(os.getpid(), signal.SIGKILL)


class Misbehaves:
    """Does to its process what the slide is called after."""

    def __call__(self, wsi) -> None:
        if wsi.name == "exits":
            os._exit(3)
        if wsi.name == "segfaults":
            ctypes.string_at(0)
        if wsi.name == "allocates":
            # Ends some day, should nobody else end it.
            hoard = [b"x" * 50_000_000 for _ in range(200)]
            raise AssertionError(f"{len(hoard)} pieces, and nobody minds")
        if wsi.name == "dozes":
            time.sleep(1000)


class SleepsWithHelper:
    """Leaves a note of the numbers of its process and of a helper; both sleep for ever."""

    def __init__(self, note: Path) -> None:
        self.note = note

    def __call__(self, wsi) -> None:
        helper = os.fork()
        if helper:
            part = self.note.with_suffix(".new")
            part.write_text(f"{os.getpid()} {helper}")
            part.rename(self.note)
        time.sleep(1000)


class DiesOnce:
    """Ends its process the first time, wherever that is."""

    def __init__(self, note: Path) -> None:
        self.note = note

    def __call__(self, wsi) -> None:
        if not self.note.exists():
            self.note.touch()
            (self.note.parent / f"{wsi.name}.spool.part").touch()
            os._exit(1)


class Talks:
    """Writes some lines to standard error on each slide, and exits on one."""

    def __init__(self, slide: str, lines: int) -> None:
        self.slide = slide
        self.lines = lines

    def __call__(self, wsi) -> None:
        for number in range(self.lines):
            print(f"{wsi.name} {number}: {wsi.path}", file=sys.stderr, flush=True)  # noqa: T201
        if wsi.name == self.slide:
            os._exit(3)


class Stammers:
    """Writes nonsense into every pipe of its process."""

    def __call__(self, wsi) -> None:
        for pipe in range(3, 32):
            try:
                os.write(pipe, (4).to_bytes(8, "little") + b"junk")
            except OSError:
                continue
        time.sleep(1000)


class Logs:
    """Logs a warning and an opinion, and fails."""

    def __call__(self, wsi) -> None:
        log = logging.getLogger("slidekit.mine")
        log.warning("a stain of %s", "coffee")
        log.debug("not worth telling")
        raise ZeroDivisionError("of zero")


class FailsOnce:
    """Cannot reach its files the first time."""

    def __init__(self, note: Path) -> None:
        self.note = note

    def __call__(self, wsi) -> None:
        if not self.note.exists():
            self.note.touch()
            raise OSError(errno.ESTALE, "Stale file handle")
