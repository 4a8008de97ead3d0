"""Masks of many slides at once: in threads, or in child processes where it pays to start them."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeAlias

from slidekit.errors import SlideError, SlidekitError
from slidekit.extraction.isolation.messages import receive, send
from slidekit.sampling.masks.facts import MadeMask, MapSpec
from slidekit.sampling.masks.make import see_slide
from slidekit.sampling.slides import SampledSlide

__all__ = ["MaskJob", "Outcome", "run_jobs", "serve"]

_PROGRAM = "from slidekit.sampling.masks.workers import serve; serve()"

_WORTH_CHILDREN = 64
"""Slides from which on child processes are started: each takes a second to import what it needs, a mask a tenth.
Until then threads are as good, because decoding and filters let go of Python's lock."""

_SECONDS_TO_END = 5.0


@dataclass(frozen=True)
class MaskJob:
    """One mask to be made.

    Attributes
    ----------
    slide, spec, identity
        As `see_slide` takes them.
    """

    slide: SampledSlide
    spec: MapSpec
    identity: str

    def run(self) -> Outcome:
        """Make the mask, or say why there is none."""
        try:
            return see_slide(self.slide, self.spec, self.identity)
        except SlidekitError as error:
            return error


Outcome: TypeAlias = MadeMask | SlidekitError


def run_jobs(jobs: Sequence[MaskJob], workers: int, done: Callable[[int, Outcome], None]) -> None:
    """Make masks.

    Parameters
    ----------
    jobs
        The slides.
    workers
        How many at once. For 64 slides and more they are child processes, if the jobs can be pickled: a slide that
        ends its process is then told of like any other that fails.
    done
        Called with each job's number and outcome as it comes, from the threads that mind the workers.
    """
    waiting: SimpleQueue[int] = SimpleQueue()
    for number in range(len(jobs)):
        waiting.put(number)
    apart = workers > 1 and len(jobs) >= _WORTH_CHILDREN and _can_be_sent(jobs[0])
    children = [_Child() for _ in range(min(workers, len(jobs)))] if apart else []

    def work(run: Callable[[MaskJob], Outcome]) -> None:
        while True:
            try:
                number = waiting.get_nowait()
            except Empty:
                return
            done(number, run(jobs[number]))

    alone: list[Callable[[MaskJob], Outcome]] = [lambda job: job.run()] * max(1, min(workers, len(jobs)))
    runs = [child.run for child in children] or alone
    if len(runs) == 1 and not children:
        work(runs[0])
        return
    with ThreadPoolExecutor(len(runs), thread_name_prefix="slidekit-mask") as pool:
        try:
            for future in [pool.submit(work, run) for run in runs]:
                future.result()
        finally:
            while not waiting.empty():
                waiting.get_nowait()
            for child in children:
                child.end()


class _Child:
    """A process that makes one mask at a time, and is started again when a slide ends it.

    Started as a program and not by ``multiprocessing``, so that a script needs no ``__main__`` guard.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._over = False

    def run(self, job: MaskJob) -> Outcome:
        process = self._process = self._process or _start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            send(process.stdin, job)
            outcome: Outcome | None = receive(process.stdout)
        except (EOFError, BrokenPipeError):
            if self._over:
                # It was ended, by Ctrl-C say: that is no fault of the slide's.
                raise
            self._kill()
            return SlideError("the process that read the slide ended.", mend="Check the slide.", path=job.slide.path)
        # None: the child cannot import what the job is made of, as of a script's own `__main__`. Then it is made here.
        return job.run() if outcome is None else outcome

    def end(self) -> None:
        """End the process; may be called while another thread waits in `run`."""
        self._over = True
        self._kill()

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait(_SECONDS_TO_END)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue  # it died with a message half taken


def _start() -> subprocess.Popen[bytes]:
    # The child must find slidekit, and the user's own modules, where this process does.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        # Ctrl-C goes to the parent alone, which then ends its children.
        start_new_session=True,
    )


def _can_be_sent(job: MaskJob) -> bool:
    try:
        pickle.dumps(job)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    # A function of a script's own `__main__` has a name, and no child can find it.
    mask = job.spec.mask
    listed = mask if isinstance(mask, list | tuple) else [mask]
    return not any(getattr(type(one), "__module__", "") == "__main__" or _is_mains(one) for one in listed)


def _is_mains(value: object) -> bool:
    return getattr(value, "__module__", "") == "__main__"


def serve() -> None:
    """Make masks until the parent closes the pipe."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Whatever a library prints must not get between the messages.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    import cv2

    # The cores are taken by other slides.
    cv2.setNumThreads(1)
    while True:
        try:
            job: MaskJob = receive(sys.stdin.buffer)
        except EOFError:
            return
        except (AttributeError, ImportError, pickle.UnpicklingError):
            send(replies, None)
            continue
        send(replies, job.run())
