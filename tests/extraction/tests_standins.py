"""QC methods that misbehave; in a module of their own, so that a child process can import them."""

from __future__ import annotations

import ctypes
import os
import signal
import time


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
