"""Jobs that wait for a thread: some may have to be put back for a while, because another run is at work on them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable

from slidekit.slide.job import SlideJob

__all__ = ["SECONDS_UNTIL_RETRIED", "JobQueue"]

SECONDS_UNTIL_RETRIED = 3.0
"""How long a slide that another run is at work on is left alone before it is looked at again."""


class JobQueue:
    """Jobs for several threads, in order.

    Parameters
    ----------
    jobs
        What is to be done.
    """

    def __init__(self, jobs: Iterable[SlideJob]) -> None:
        self._todo = deque(jobs)
        self._later: deque[tuple[float, SlideJob]] = deque()
        self._put_back: set[str] = set()
        self._stopped = False
        self._news = threading.Condition()

    def take(self) -> SlideJob | None:
        """Take the next job; waits for one that was put back if there is no other. None: there is nothing left."""
        with self._news:
            while not self._stopped:
                if self._todo:
                    return self._todo.popleft()
                if not self._later:
                    return None
                due, job = self._later[0]
                wait = due - time.monotonic()
                if wait <= 0:
                    self._later.popleft()
                    return job
                self._news.wait(wait)
            return None

    def put_back(self, job: SlideJob) -> bool:
        """Have a job done later, by the caller or another thread; whether this is the first time for it."""
        with self._news:
            is_new = job.name not in self._put_back
            self._put_back.add(job.name)
            self._later.append((time.monotonic() + SECONDS_UNTIL_RETRIED, job))
            self._news.notify_all()
            return is_new

    def stop(self) -> None:
        """Let go of whoever waits; nothing is given out any more."""
        with self._news:
            self._stopped = True
            self._news.notify_all()
