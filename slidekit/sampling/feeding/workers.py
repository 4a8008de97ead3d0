"""Worker processes as the feed sees them: started, given tasks, asked what came of them, and ended."""

from __future__ import annotations

import io
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections import deque
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from slidekit.sampling.feeding.chunks import Chunk
from slidekit.sampling.feeding.memory import SharedPatches
from slidekit.sampling.feeding.tasks import MapTask, Result, Setup, Task

__all__ = ["Worker", "can_cross"]

_SECONDS_TO_END = 5.0
_STDERR = 2

AT_ONCE = 2
"""Tasks that a worker has: one that it does, and one that it need not wait for."""


def can_cross(setup: Setup) -> bool:
    """Whether what there is to know can be sent: functions written in a notebook or a script cannot."""
    try:
        data = pickle.dumps(setup)
        if b"__main__" in data:  # a folder may be called so, too
            _Elsewhere(io.BytesIO(data)).load()
    except (pickle.PicklingError, AttributeError, TypeError, ValueError):
        return False
    return True


class _Elsewhere(pickle.Unpickler):
    """Refuses what is defined where another process would not find it."""

    def find_class(self, module: str, name: str) -> Any:
        if module == "__main__":
            raise pickle.PicklingError(name)
        return super().find_class(module, name)


class Worker:
    """A process that does tasks.

    Parameters
    ----------
    number
        Its number among the workers of a feed.
    setup
        File descriptor of what it has to know, as `share` gives it: it may be more than a connection takes at once.
    memory
        Where patches go.

    Attributes
    ----------
    ready
        Whether it has started up.
    doing
        What it was given and has not told about, in that order: chunks of patches, or tasks of masks.

    Raises
    ------
    OSError
        If no process can be started.
    """

    def __init__(self, number: int, setup: int, memory: SharedPatches) -> None:
        self.number = number
        self.ready = False
        self.doing: deque[Chunk | MapTask] = deque()
        ours, theirs = socket.socketpair()
        with theirs:
            # The child must find slidekit, and the user's own modules, where this process does.
            environment = os.environ | {"PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}
            descriptors = (theirs.fileno(), setup, memory.descriptor)
            self._process = subprocess.Popen(
                # -P: a file in the working directory must not stand in for a module.
                [sys.executable, "-P", "-m", "slidekit.sampling.feeding.child", *map(str, (*descriptors, os.getpid()))],
                stdin=subprocess.DEVNULL,
                # Whatever a library prints is not part of what this program has to say.
                stdout=_STDERR,
                env=environment,
                pass_fds=descriptors,
                # Ctrl-C goes to this process alone, which then ends its workers.
                start_new_session=True,
            )
        self.connection = Connection(ours.detach())

    def give(self, task: Task, what: Chunk | MapTask) -> None:
        """Give it a task; that it has died is seen when it is asked."""
        self.doing.append(what)
        with suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(task)

    def ask(self) -> Result | None:
        """What came of the first of what it does; None where it has just started up.

        Raises
        ------
        EOFError, ConnectionResetError
            If it has died.
        """
        result: Result | None = self.connection.recv()
        self.ready = True
        return result

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def end(self) -> str:
        """End it, whatever it is doing, and say how it ended."""
        self.connection.close()
        code = self._process.poll()
        if code is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):  # it waits for a disk, or a network
                code = self._process.wait(_SECONDS_TO_END)
        return f"exit code {code}" if code is None or code >= 0 else f"signal {-code}"
