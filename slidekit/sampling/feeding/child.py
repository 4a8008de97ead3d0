"""The process that reads patches: ``python -m slidekit.sampling.feeding.child SOCKET SETUP MEMORY PARENT``.

It is started as a program, not by ``multiprocessing``: a script needs no ``__main__`` guard, nothing of the user's
program is imported again, and no thread of a framework is forked.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

__all__ = ["main"]

_SECONDS_BETWEEN_LOOKS = 1.0
_OOM_SCORE = Path("/proc/self/oom_score_adj")


def main(socket: int, setup: int, memory: int, parent: int) -> None:
    """Do tasks until the parent is gone, or closes the connection.

    Parameters
    ----------
    socket, setup, memory
        File descriptors of the connection to the parent, of what there is to know, and of the memory for patches.
    parent
        Number of the parent's process.
    """
    threading.Thread(target=_end_with, args=(parent,), name="slidekit-parent", daemon=True).start()
    _go_before_parent()
    # Patches are spread over processes already.
    os.environ["VIPS_CONCURRENCY"] = "1"
    import cv2

    from slidekit.sampling.feeding.memory import SharedPatches, shared_bytes
    from slidekit.sampling.feeding.tasks import Setup, Tasks

    cv2.setNumThreads(1)
    known: Setup = pickle.loads(shared_bytes(setup))
    tasks = Tasks(known, SharedPatches(known.layout, memory))
    with Connection(socket) as connection:
        try:
            connection.send(None)  # ready
            while True:
                connection.send(tasks.do_and_tell(connection.recv()))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def _end_with(parent: int) -> None:
    """Wait until the parent is gone, killed perhaps, and end this process, whatever it is doing."""
    while os.getppid() == parent:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    os._exit(1)


def _go_before_parent() -> None:
    """Have the kernel, when memory runs out, end this process rather than the training."""
    with suppress(OSError, ValueError):  # another system, or one that does not let it
        _OOM_SCORE.write_text(str(min(1000, int(_OOM_SCORE.read_text()) + 300)))


if __name__ == "__main__":
    main(*(int(number) for number in sys.argv[1:]))
