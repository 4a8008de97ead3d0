"""``buffer=``: while slides are extracted, the next ones are copied to a fast disk, and read from there."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from slidekit.extraction.buffer_folder import BufferFolder, remove_leftovers
from slidekit.extraction.companions import NotCopiedError, SlideFile, slide_files
from slidekit.slide.job import SlideJob
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec

__all__ = ["InPlace", "SlideBuffer", "open_buffer"]

_log = logging.getLogger("slidekit")

_GB = 10**9
_SECONDS_TO_STOP = 5.0

Extract = Callable[[SlideJob], SlideReport]


@contextmanager
def open_buffer(jobs: Sequence[SlideJob], spec: ExtractionSpec, *, ahead: int) -> Iterator[InPlace]:
    """Copy slides for a run, if it has a buffer; when the block ends, in whatever way, the copies are gone.

    Parameters
    ----------
    jobs, spec
        What will be extracted, in this order, and all parameters.
    ahead
        Most copies that wait for being extracted.

    Yields
    ------
    InPlace
        Runs the jobs, on their slides or on copies of them.
    """
    if spec.buffer is None:
        yield InPlace()
        return
    remove_leftovers(spec.buffer)
    # Without regions of interest these are skipped before a pixel is read.
    demands_rois = spec.roi_method in ("inside", "outside")
    wanted = [job for job in jobs if job.rois is not None or not demands_rois]
    try:
        folder = BufferFolder(spec.buffer)
    except OSError as error:
        _log.warning("%s cannot be used (%s): slides are read in place.", spec.buffer, error.strerror)
        yield InPlace()
        return
    most = None if spec.buffer_gb is None else round(spec.buffer_gb * _GB)
    buffer = SlideBuffer(wanted, folder, most=most, ahead=ahead)
    try:
        yield buffer
    finally:
        buffer.close()


class InPlace:
    """Runs jobs on the slides themselves.

    Attributes
    ----------
    inherited
        File descriptors that processes which read slides are to keep open.
    """

    inherited: tuple[int, ...] = ()

    def run(self, job: SlideJob, extract: Extract) -> SlideReport:
        """Run a job; may be called from several threads, for different jobs."""
        return extract(job)

    def stop(self) -> None:
        """Let go of whoever waits in `run`."""


@dataclass(frozen=True)
class _Copy:
    number: int
    files: tuple[SlideFile, ...]
    size: int


class SlideBuffer(InPlace):
    """Copies slides one after another in a thread of its own, and runs jobs on the copies.

    A slide that cannot be copied is read in place, as is one that is asked for while others fill the buffer.

    Parameters
    ----------
    jobs
        Slides to copy, in the order in which they will be asked for.
    folder
        Where to.
    most
        Bytes that copies may take at any time; None as for `BufferFolder.has_room`.
    ahead
        Most copies that wait for being extracted.
    """

    def __init__(self, jobs: Sequence[SlideJob], folder: BufferFolder, *, most: int | None, ahead: int) -> None:
        self._jobs = tuple(jobs)
        self._folder, self._most, self._ahead = folder, most, ahead
        self._names = {job.name for job in jobs}
        # What follows is changed and read under this condition, which is told of every change.
        self._news = threading.Condition()
        self._lent: dict[str, SlideJob] = {}  # decided, and not yet asked for
        self._copies: dict[str, _Copy] = {}
        self._asked: set[str] = set()
        self._held = 0
        self._stopped = self._ended = self._told_full = False
        self.inherited = (folder.lock,)
        # A daemon: a network that hangs must not hold up the end of the program.
        self._thread = threading.Thread(target=self._copy_all, name="slidekit-buffer", daemon=True)
        self._thread.start()

    # --- for those who extract ---------------------------------------------------------------------------------

    def run(self, job: SlideJob, extract: Extract) -> SlideReport:
        """Run a job on the copy of its slide, which is removed afterwards.

        Should the slide fail and its copy not be whole any more, the job is run once more on the slide itself.
        """
        lent = self._take(job)
        try:
            report = extract(lent)
            spoiled = report.status == "failed" and not self._is_whole(lent)
        finally:
            self._release(job)
        if spoiled and not self._stopped:
            _log.warning("slide %s: its copy in the buffer was damaged: the slide is read again, in place.", job.name)
            report = extract(job)
        return report

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
        with self._news:
            if job.name not in self._names:
                return job
            self._asked.add(job.name)
            self._news.notify_all()
            self._news.wait_for(lambda: job.name in self._lent or self._ended or self._stopped)
            lent = self._lent.pop(job.name, job)
            self._news.notify_all()
            return lent

    def _is_whole(self, lent: SlideJob) -> bool:
        with self._news:
            copy = self._copies.get(lent.name)
        return lent.copy is None or copy is None or self._folder.has(copy.number, copy.files)

    def _release(self, job: SlideJob) -> None:
        with self._news:
            copy = self._copies.pop(job.name, None)
        if copy is None:
            return
        try:
            self._folder.drop(copy.number)
        except OSError as error:
            # Its bytes stay counted, for they are still there.
            _log.warning("the copy of slide %s cannot be removed (%s).", job.name, error.strerror)
            return
        self._give_back(copy.size)

    # --- the thread --------------------------------------------------------------------------------------------

    def _copy_all(self) -> None:
        try:
            for number, job in enumerate(self._jobs):
                with self._news:
                    self._news.wait_for(lambda: self._stopped or self._has_turn())
                    if self._stopped:
                        return
                lent = self._copy(number, job)
                with self._news:
                    self._lent[job.name] = lent
                    self._news.notify_all()
        finally:
            # Whatever happened: nobody must wait for a copy that will not come.
            with self._news:
                self._ended = True
                self._news.notify_all()

    def _has_turn(self) -> bool:
        return sum(lent.copy is not None for lent in self._lent.values()) < self._ahead

    def _copy(self, number: int, job: SlideJob) -> SlideJob:
        """Copy a slide, if that can be done; a job that reads the copy, or the same job."""
        try:
            files = tuple(slide_files(job.path))
            size = sum(file.size for file in files)
            if not self._reserve(job, size):
                return job
            try:
                path = self._folder.add(number, files, going=lambda: not self._stopped)
            except BaseException:
                self._give_back(size)
                raise
        except (OSError, NotCopiedError) as error:
            if not self._stopped:
                # An OSError's text holds the whole path, which may hold a patient's name.
                why = error.strerror if isinstance(error, OSError) else error
                _log.warning("slide %s is not copied to the buffer, but read in place: %s.", job.name, why)
            return job
        with self._news:
            self._copies[job.name] = _Copy(number, files, size)
        return replace(job, copy=path)

    def _reserve(self, job: SlideJob, size: int) -> bool:
        """Wait until the buffer has room for so many bytes, and count them; False if the slide is not to wait."""
        if self._most is not None and size > self._most:
            raise NotCopiedError(f"its {size / _GB:.3g} GB are more than the {self._most / _GB:.3g} GB of the buffer")
        with self._news:
            while not self._folder.has_room(size, held=self._held, most=self._most):
                if self._stopped:
                    return False
                if not self._held:
                    raise NotCopiedError(f"the disk has no room for its {size / _GB:.3g} GB")
                if job.name in self._asked:
                    if not self._told_full:
                        _log.warning("The buffer is full while workers wait: some slides are read in place.")
                    self._told_full = True
                    return False
                self._news.wait()
            self._held += size
        return True

    def _give_back(self, size: int) -> None:
        with self._news:
            self._held -= size
            self._news.notify_all()
