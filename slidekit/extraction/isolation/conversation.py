"""The pipes to a child process, on which waiting never means to look away."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Callable

__all__ = ["Conversation"]

_SECONDS_BETWEEN_LOOKS = 0.1
_MOST_AT_ONCE = 2**16
_PIPE_BUF = select.PIPE_BUF
"""So many bytes can be written without waiting once a pipe is ready."""


class Conversation:
    """Reads from a child and writes to it; while it waits, it looks after the child.

    A child may stop anywhere: before it takes a job, in the middle of a message, or with its pipe held open by
    something that it started.

    Parameters
    ----------
    process
        The child, with unbuffered pipes.
    look
        Called ten times a second or more often; what it raises ends the waiting.
    """

    def __init__(self, process: subprocess.Popen[bytes], look: Callable[[], None]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._look = process, look
        self._to, self._from = process.stdin.fileno(), process.stdout.fileno()
        self._can_write, self._can_read = select.poll(), select.poll()
        self._can_write.register(self._to, select.POLLOUT)
        self._can_read.register(self._from, select.POLLIN)

    def read(self, size: int) -> bytes:
        """Read at most so many bytes, one at least; none when the child has closed its end.

        Raises
        ------
        EOFError
            If the child has ended, whoever holds its end of the pipe.
        """
        self._wait(self._can_read)
        return os.read(self._from, min(size, _MOST_AT_ONCE))

    def write(self, data: memoryview) -> int:
        """Write what there is room for.

        Raises
        ------
        EOFError, BrokenPipeError
            If the child has ended.
        """
        self._wait(self._can_write)
        return os.write(self._to, data[:_PIPE_BUF])

    def flush(self) -> None:
        """Nothing waits to be passed on."""

    def _wait(self, poll: select.poll) -> None:
        self._look()
        while not poll.poll(_SECONDS_BETWEEN_LOOKS * 1000):
            if self._process.poll() is not None:
                raise EOFError
            self._look()
