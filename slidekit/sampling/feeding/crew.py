"""The workers of a feed together: who has time, who has finished or died, and who is started in his place."""

from __future__ import annotations

import logging
import os
import pickle
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

from slidekit.errors import SlidekitError
from slidekit.sampling.feeding.chunks import Chunk
from slidekit.sampling.feeding.memory import SharedPatches, share
from slidekit.sampling.feeding.tasks import MapTask, Result, Setup, Task, Tasks
from slidekit.sampling.feeding.workers import AT_ONCE, Worker

__all__ = ["Crew", "Death", "Done"]

_log = logging.getLogger("slidekit")

_MOST_FALSE_STARTS = 3


@dataclass(frozen=True)
class Done:
    """A worker has done what it was given."""

    what: Chunk | MapTask
    result: Result


@dataclass(frozen=True)
class Death:
    """A worker has died.

    Attributes
    ----------
    first
        What it was doing; None where it was doing nothing.
    others
        What it was given besides.
    how
        How it ended.
    """

    first: Chunk | MapTask | None
    others: list[Chunk | MapTask]
    how: str


class Crew:
    """The workers of a feed, and what this process does itself where there is none, or none is ready yet.

    Parameters
    ----------
    count
        Workers that `start` starts; 0 does everything in this process.
    setup
        What they have to know.
    memory
        Where patches go.
    """

    def __init__(self, count: int, setup: Setup, memory: SharedPatches) -> None:
        self.count = count
        self._setup = setup
        self._memory = memory
        self._here: Tasks | None = None
        self._false_starts = 0
        self._told = -1
        self._asleep, self._waker = os.pipe()
        # To be woken many times is to be woken: a full pipe is no reason to wait.
        os.set_blocking(self._waker, False)
        self._ending = threading.Lock()
        self.workers: list[Worker] = []

    def start(self) -> None:
        """Start the workers, if they are not started yet.

        Raises
        ------
        SlidekitError
            If the system does not let them be started.
        """
        try:
            while len(self.workers) < self.count:
                self.workers.append(Worker(len(self.workers), self._shared_setup(), self._memory))
        except OSError as error:
            raise SlidekitError(
                f"Worker processes cannot be started ({error.strerror or error}).", mend="Use workers=0, or fewer."
            ) from error

    def _shared_setup(self) -> int:
        if self._told < 0:
            self._told = share(pickle.dumps(self._setup))
        return self._told

    @property
    def ready(self) -> bool:
        """Whether a worker has started up."""
        return any(worker.ready for worker in self.workers)

    @property
    def busy(self) -> bool:
        """Whether a worker has something to do."""
        return any(worker.doing for worker in self.workers)

    def with_time(self) -> Iterator[Worker]:
        """Workers that have started up and can be given more; the one with least to do first."""
        while True:
            free = [worker for worker in self.workers if worker.ready and len(worker.doing) < AT_ONCE]
            if not free:
                return
            yield min(free, key=lambda worker: len(worker.doing))

    def do_here(self, task: Task) -> Result:
        """Do a task in this process."""
        if self._here is None:
            self._here = Tasks(self._setup, self._memory)
        return self._here.do(task)

    def wake(self) -> None:
        """End the waiting of another thread."""
        with self._ending, suppress(BlockingIOError):
            # What is closed may be another file by now.
            if self._waker >= 0:
                os.write(self._waker, b"\0")

    def wait(self, *, block: bool) -> list[Done | Death]:
        """What has been done since; waits until there is something, or somebody calls `wake`.

        Raises
        ------
        SlidekitError
            If workers die before they have started up.
        """
        by_connection = {worker.connection: worker for worker in self.workers}
        events: list[Done | Death] = []
        for came in wait([self._asleep, *by_connection], None if block else 0):
            if isinstance(came, int):
                os.read(self._asleep, 4096)
                continue
            worker = by_connection[came]  # type: ignore[index]
            try:
                result = worker.ask()
            except (EOFError, ConnectionResetError):
                events.append(self._replace(worker))
                continue
            if result is None:
                self._started()
            else:
                events.append(Done(worker.doing.popleft(), result))
        return events

    def _started(self) -> None:
        self._false_starts = 0
        if self._here is not None:
            # From now on this process has other things to do.
            self._here.close()
            self._here = None

    def _replace(self, worker: Worker) -> Death:
        how = worker.end()
        if not worker.ready:
            self._false_starts += 1
            if self._false_starts >= _MOST_FALSE_STARTS:
                raise SlidekitError(
                    f"Worker processes cannot be started ({how}).", mend="Use workers=0, or see what they print."
                )
        _log.warning("a worker that reads patches died (%s); another is started", how)
        doing = list(worker.doing)
        self.workers[worker.number] = Worker(worker.number, self._shared_setup(), self._memory)
        return Death(doing[0] if doing else None, doing[1:], how)

    def peak_memory(self) -> int | None:
        """Bytes, at most, that this process and the workers held, memory for patches counted once; None if unknown."""
        total = _peak(os.getpid(), "VmHWM")
        for worker in self.workers:
            peak, shared = (_peak(worker.pid, what) for what in ("VmHWM", "RssShmem"))
            if total is None or peak is None or shared is None:
                return None
            # The pages that it has of the memory for patches are this process's, too.
            total += max(0, peak - shared)
        return total

    def close(self) -> None:
        """End all workers."""
        for worker in self.workers:
            worker.end()
        self.workers.clear()
        if self._here is not None:
            self._here.close()
            self._here = None
        if self._told >= 0:
            os.close(self._told)
            self._told = -1
        with self._ending:
            if self._waker >= 0:
                os.close(self._asleep)
                os.close(self._waker)
                self._waker = -1


def _peak(pid: int, what: str) -> int | None:
    """Bytes of memory of a kind that a process holds, or held at most; None where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{what}:")), None)
