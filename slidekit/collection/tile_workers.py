"""Child processes that make the tables of slides: ``python -c "...tile_workers.serve()"``.

They are started as programs, not by ``multiprocessing``, so that a script needs no ``__main__`` guard.
"""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from slidekit.collection.tile_table import TableJob
from slidekit.extraction.isolation.child import LogSender
from slidekit.extraction.isolation.messages import LogMessage, receive, send

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["run_in_children", "serve"]

_log = logging.getLogger("slidekit")

_PROGRAM = "from slidekit.collection.tile_workers import serve; serve()"
_SECONDS_TO_END = 5.0


def run_in_children(jobs: Sequence[TableJob], workers: int) -> list[pd.DataFrame | str]:
    """Make the tables of slides in child processes.

    Parameters
    ----------
    jobs
        The slides.
    workers
        Number of processes.

    Returns
    -------
    list
        In the order of the jobs: the table, or why there is none; that a slide ended its process is such a reason.

    Raises
    ------
    Exception
        What a QC function of the user's raises, as it does without children.
    """
    made: dict[int, pd.DataFrame | str] = {}
    waiting: SimpleQueue[int] = SimpleQueue()
    for place in range(len(jobs)):
        waiting.put(place)
    children = [_Child() for _ in range(min(workers, len(jobs)))]

    def work(child: _Child) -> None:
        while not child.killed:
            try:
                place = waiting.get_nowait()
            except Empty:
                return
            made[place] = child.run(jobs[place])

    with ThreadPoolExecutor(len(children), thread_name_prefix="slidekit-table") as pool:
        try:
            for future in [pool.submit(work, child) for child in children]:
                future.result()
        finally:
            # After Ctrl-C, threads wait for children that have hours to do.
            for child in children:
                child.kill()
    return [made[place] for place in range(len(jobs))]


class _Child:
    """A process that makes one table at a time, and is started again when a slide kills it."""

    def __init__(self) -> None:
        self.killed = False
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, job: TableJob) -> pd.DataFrame | str:
        process = self._process or self._start()
        if self.killed:
            # It was asked to end while it was being started.
            process.kill()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            send(process.stdin, (job, min(logging.WARNING, _log.getEffectiveLevel())))
            while isinstance(message := receive(process.stdout), LogMessage):
                _log.log(message.level, "%s", message.text)
        except (EOFError, BrokenPipeError):
            how = _describe_end(process)
            self._end()
            return f"The process that read the slide {how}."
        if isinstance(message, Exception):
            raise message
        made: pd.DataFrame | str = message
        return made

    def kill(self) -> None:
        """End the process; may be called while another thread waits in `run`."""
        self.killed = True
        self._end()

    def _start(self) -> subprocess.Popen[bytes]:
        # The child must find slidekit, and the user's own modules, where this process does.
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            # Ctrl-C goes to the parent alone, which then ends its children.
            start_new_session=True,
        )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        with suppress(subprocess.TimeoutExpired):  # it waits for a disk, or a network
            process.wait(_SECONDS_TO_END)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue  # it died with a message half taken


def _describe_end(process: subprocess.Popen[bytes]) -> str:
    try:
        code = process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        return "does not answer any more, and was ended"
    return f"ended with exit code {code}" if code >= 0 else f"was killed by signal {-code}"


def serve() -> None:
    """Make tables until the parent closes the pipe."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Whatever a library prints must not get between the messages.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    import cv2

    # The cores are taken by other slides.
    cv2.setNumThreads(1)
    log = logging.getLogger("slidekit")
    log.addHandler(LogSender(lambda message: send(replies, message)))
    while True:
        try:
            job, level = receive(sys.stdin.buffer)
        except EOFError:
            return
        log.setLevel(level)
        send(replies, _outcome(job))


def _outcome(job: TableJob) -> pd.DataFrame | str | Exception:
    try:
        return job.run()
    except Exception as error:  # noqa: BLE001 - it is the user's, and raised where the user can see it
        try:
            again = pickle.loads(pickle.dumps(error))
        except Exception:  # noqa: BLE001 - whatever an exception's own pickling does
            again = None
        return error if type(again) is type(error) else RuntimeError(f"{type(error).__name__}: {error}")
