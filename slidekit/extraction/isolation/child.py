"""The child process that slides are extracted in: ``python -m slidekit.extraction.isolation.child``.

It reads pickled jobs from its standard input and writes pickled events, log messages and reports to its standard
output. It is started as a program, not by ``multiprocessing``, so that a script needs no ``__main__`` guard and a
daemonic parent (a Dask worker) may start it.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from slidekit.extraction.isolation.messages import LogMessage, receive, send

__all__ = ["LogSender", "main"]

_SECONDS_BETWEEN_LOOKS = 1.0
_OOM_SCORE = Path("/proc/self/oom_score_adj")


def main() -> None:
    """Extract slides until the parent closes the pipe."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Whatever a library prints must not get between the messages.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    threading.Thread(target=_end_with_parent, args=(sys.stdin.fileno(),), name="slidekit-parent", daemon=True).start()
    _go_before_parent()
    turn = threading.Lock()

    def tell(message: Any) -> None:
        # Threads of a slide may log while another tells of progress.
        with turn:
            send(replies, message)

    log = logging.getLogger("slidekit")
    log.addHandler(LogSender(tell))
    import cv2

    from slidekit.extraction.one import run_job

    # Tiles are spread over threads already.
    cv2.setNumThreads(1)
    while True:
        try:
            job, spec, log_level = receive(sys.stdin.buffer)
        except EOFError:
            return
        log.setLevel(log_level)
        tell(run_job(job, spec, tell))


class LogSender(logging.Handler):
    """Sends what is logged to the parent, as text: tracebacks cannot be pickled.

    Parameters
    ----------
    tell
        Sends a message.
    """

    def __init__(self, tell: Callable[[Any], None]) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record; where that fails, its text goes to standard error as with any handler."""
        try:
            self._tell(LogMessage(record.levelno, self.format(record)))
        except (OSError, TypeError, ValueError):
            self.handleError(record)


def _end_with_parent(pipe: int) -> None:
    """Wait until the parent is gone, killed perhaps, and end this process with all that it has started.

    The end of the pipe tells at once. Should somebody else still hold the parent's end of it, such as a process that
    the parent has forked, the number of the parent tells within a second.
    """
    parent = os.getppid()
    poll = select.poll()
    # Without events to wait for, only the hang-up is told: the jobs in the pipe are not read here.
    poll.register(pipe, 0)
    while not poll.poll(_SECONDS_BETWEEN_LOOKS * 1000) and os.getppid() == parent:
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    # Started by hand, it shares its group with others, a shell perhaps.
    os._exit(1)


def _go_before_parent() -> None:
    """Have the kernel, when memory runs out, end this process rather than the one that looks after all slides."""
    try:
        _OOM_SCORE.write_text(str(min(1000, int(_OOM_SCORE.read_text()) + 300)))
    except (OSError, ValueError):
        return  # another system, or one that does not let it


if __name__ == "__main__":
    main()
