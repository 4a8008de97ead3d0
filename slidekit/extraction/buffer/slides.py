"""Copies of slides, made ahead by a thread of its own, and jobs that are run on them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from slidekit.errors import MissingExtraError
from slidekit.extraction.buffer.companions import NotCopiedError, SlideFile, slide_files
from slidekit.extraction.buffer.folder import BufferFolder
from slidekit.extraction.buffer.in_place import Extract, InPlace
from slidekit.io.url import RemotePath
from slidekit.slide.job import SlideJob
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec

__all__ = ["SlideBuffer"]

_log = logging.getLogger("slidekit")

_GB, _SECONDS_TO_STOP = 10**9, 5.0


@dataclass(frozen=True)
class _Copy:
    number: int
    files: tuple[SlideFile, ...]
    size: int


class SlideBuffer(InPlace):
    """Copies slides one after another in a thread of its own, and runs jobs on the copies.

    A slide that cannot be copied is read in place, as is one that is asked for while others fill the buffer. One of a
    remote store waits for room, and fails if it cannot be copied.

    Parameters
    ----------
    jobs
        Slides to copy, in the order in which they will be asked for.
    folder
        Where to.
    spec
        All parameters.
    most
        Bytes that copies may take at any time; None as for `BufferFolder.has_room`.
    ahead
        Most copies that wait for being extracted.
    """

    def __init__(
        self, jobs: Sequence[SlideJob], folder: BufferFolder, spec: ExtractionSpec, *, most: int | None, ahead: int
    ) -> None:
        super().__init__(spec)
        self._folder, self._most, self._ahead = folder, most, ahead
        self._known, self._numbers = {job.name for job in jobs}, count()
        # What follows is changed under this condition, which is told of every change.
        self._news = threading.Condition()
        self._queue = {job.name: job for job in jobs}  # to be copied, in this order
        self._under_way: str | None = None
        self._lent: dict[str, Path | None] = {}  # decided, and not yet asked for: the copy, if there is one
        self._waiting: dict[str, None] = {}  # asked for, in this order, and not yet served
        self._forgotten: set[str] = set()  # not wanted any more while it is copied
        self._copies: dict[str, _Copy] = {}
        self._lost: dict[str, str] = {}  # why there is no copy
        self._held = self._stuck = 0  # bytes counted, and of these those that cannot be removed
        self._stopped = self._told_full = False
        self.inherited = (folder.lock,)
        self._start()

    def run(self, job: SlideJob, extract: Extract) -> SlideReport:
        """Run a job on the copy of its slide, which is removed afterwards.

        Should the slide fail and its copy not be whole any more, the job is run once more on the slide itself.
        """
        lent = self._take(job)
        if lent.copy is None:
            if self._stopped:
                return extract(job)  # which has been told to stop as well
            why = self._lost.get(job.name, "copying it broke off")
            return self._run_in_place(job, extract, why=f"It could not be copied to the buffer: {why}.")
        try:
            report = extract(lent)
            spoiled = report.status == "failed" and not self._is_whole(lent)
        finally:
            self._release(job.name)
        if spoiled and not self._stopped and not isinstance(job.path, RemotePath):
            _log.warning("slide %s: its copy in the buffer was damaged: the slide is read again, in place.", job.name)
            report = extract(job)
        return report

    def forget(self, job: SlideJob) -> None:
        """Let go of the copy of a slide that is not run now; should it be asked for later, it is copied then."""
        with self._news:
            self._queue.pop(job.name, None)
            self._lent.pop(job.name, None)
            if self._under_way == job.name:
                self._forgotten.add(job.name)
        self._release(job.name)

    def stop(self) -> None:
        """Copy no more, and let go of whoever waits in `run`."""
        with self._news:
            self._stopped = True
            self._news.notify_all()

    def close(self) -> None:
        """Stop, and remove the folder; no job may be running."""
        self.stop()
        try:
            self._thread.join(_SECONDS_TO_STOP)
        finally:
            self._folder.remove()

    def _take(self, job: SlideJob) -> SlideJob:
        if job.name not in self._known:
            return job
        with self._news:
            self._forgotten.discard(job.name)
            if job.name not in self._lent and job.name != self._under_way:
                self._queue.setdefault(job.name, job)
            self._waiting[job.name] = None
            self._news.notify_all()
            self._news.wait_for(lambda: job.name in self._lent or self._stopped)
            del self._waiting[job.name]
            copy = self._lent.pop(job.name, None)
            self._news.notify_all()
        # The caller's job and not the one that was announced: it may have been locked meanwhile.
        return replace(job, copy=copy)

    def _is_whole(self, lent: SlideJob) -> bool:
        copy = self._copies[lent.name]
        return self._folder.has(copy.number, copy.files)

    def _release(self, name: str) -> None:
        if (copy := self._copies.pop(name, None)) is None:
            return
        try:
            self._folder.drop(copy.number)
        except OSError as error:
            # Its bytes stay counted, for they are still there.
            _log.warning("the copy of slide %s cannot be removed (%s).", name, error.strerror)
            with self._news:
                self._stuck += copy.size
                self._news.notify_all()
            return
        self._give_back(copy.size)

    def _start(self) -> None:
        # A daemon: a network that hangs must not hold up the end of the program.
        self._thread = threading.Thread(target=self._copy_all, name="slidekit-buffer", daemon=True)
        self._thread.start()

    def _copy_all(self) -> None:
        try:
            while (job := self._next()) is not None:
                path = None
                try:
                    path = self._copy(job)
                finally:
                    # Whatever happened: nobody must wait for a copy that will not come.
                    self._lend(job.name, path)
        finally:
            with self._news:
                if not self._stopped:
                    # Ended by what nobody foresaw, which costs one slide its copy; the others get theirs.
                    self._start()

    def _next(self) -> SlideJob | None:
        with self._news:
            self._news.wait_for(lambda: self._stopped or self._whose_turn() is not None)
            self._under_way = None if self._stopped else self._whose_turn()
            return None if self._under_way is None else self._queue.pop(self._under_way)

    def _whose_turn(self) -> str | None:
        """A slide that is waited for, else the next one, unless enough copies wait."""
        if wanted := next((name for name in self._waiting if name in self._queue), None):
            return wanted
        ready = sum(path is not None for path in self._lent.values())
        return next(iter(self._queue), None) if ready < self._ahead else None

    def _lend(self, name: str, path: Path | None) -> None:
        with self._news:
            self._under_way = None
            if name in self._forgotten:
                self._forgotten.discard(name)
                self._release(name)
            else:
                self._lent[name] = path
            self._news.notify_all()

    def _copy(self, job: SlideJob) -> Path | None:
        """Copy a slide, if that can be done."""
        try:
            files = tuple(slide_files(job.path))
            size = sum(file.size for file in files)
            if not self._reserve(job, size):
                return None
            number = next(self._numbers)
            try:
                path = self._folder.add(number, files, going=lambda: not self._stopped)
            except BaseException:
                self._give_back(size)
                raise
        except (OSError, NotCopiedError, MissingExtraError) as error:
            # An OSError's text holds the whole path, which may hold a patient's name.
            why = error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)
            self._lost[job.name] = why.rstrip(".")
            if not self._stopped and not isinstance(job.path, RemotePath):
                _log.warning("slide %s is not copied to the buffer, but read in place: %s.", job.name, why)
            return None
        self._copies[job.name] = _Copy(number, files, size)
        return path

    def _reserve(self, job: SlideJob, size: int) -> bool:
        """Wait until the buffer has room for so many bytes, and count them; False if the slide is not to wait."""
        if self._most is not None and size > self._most:
            raise NotCopiedError(f"its {size / _GB:.3g} GB are more than the {self._most / _GB:.3g} GB of the buffer")
        with self._news:
            while not self._folder.has_room(size, held=self._held, most=self._most):
                if self._stopped:
                    return False
                if self._held <= self._stuck:
                    raise NotCopiedError(f"the disk has no room for its {size / _GB:.3g} GB")
                if job.name in self._waiting and not isinstance(job.path, RemotePath):
                    if not self._told_full:
                        _log.warning("The buffer is full while workers wait: some slides are read in place.")
                        self._told_full = True
                    return False
                if not self._make_room():
                    self._news.wait()
            self._held += size
        return True

    def _make_room(self) -> bool:
        """Where somebody waits: let go of a copy that nobody asks for; whether there was one.

        Copies are asked for in the order in which they are made, unless another run is at work on the same slides.
        """
        spare = [name for name, path in self._lent.items() if path is not None and name not in self._waiting]
        if is_wanted := bool(spare) and any(name not in self._lent for name in self._waiting):
            del self._lent[spare[-1]]
            self._release(spare[-1])
        return is_wanted

    def _give_back(self, size: int) -> None:
        with self._news:
            self._held -= size
            self._news.notify_all()
