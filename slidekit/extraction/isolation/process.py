"""A child process that one thread minds: slide after slide, and started again when a slide kills it."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from slidekit.extraction.isolation.conversation import Conversation
from slidekit.extraction.isolation.limits import ChildLimits, GivenUpError
from slidekit.extraction.isolation.messages import LogMessage, receive, send
from slidekit.extraction.outcome import failed_report
from slidekit.extraction.progress import ProgressEvent
from slidekit.slide.cell_tiles import SegmentPlan
from slidekit.slide.job import SlideJob
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec

__all__ = ["ChildProcess", "can_cross"]

_log = logging.getLogger("slidekit")

_STDERR_TAIL = 2000
_LAST_WORDS = 5
_SECONDS_TO_END = 5.0

OnEvent = Callable[[ProgressEvent], None]

# Killed, and not gone: the system waits for a disk or a network on their behalf.
_lingering: list[subprocess.Popen[bytes]] = []


def can_cross(spec: ExtractionSpec | SegmentPlan | None) -> bool:
    """Whether a spec or a plan can be sent to a child: functions written in a notebook or a script cannot."""
    try:
        return b"__main__" not in pickle.dumps(spec)
    except (pickle.PicklingError, AttributeError, TypeError, ValueError, RuntimeError, NotImplementedError, OSError):
        return False  # whatever an object says that does not want to be sent


class ChildProcess:
    """A child that extracts slides, one at a time, within limits.

    Parameters
    ----------
    inherited
        File descriptors that it keeps open, such as the lock of what it reads.

    Attributes
    ----------
    died
        Whether the slide that was run last ended the child.
    killed
        Whether `kill` was called: what then becomes of slides is not their doing.
    """

    def __init__(self, inherited: Sequence[int] = ()) -> None:
        self.died = False
        self.killed = False
        self._inherited = tuple(inherited)
        self._process: subprocess.Popen[bytes] | None = None
        self._stderr: IO[bytes] | None = None

    def run(self, job: SlideJob, spec: ExtractionSpec, on_event: OnEvent) -> SlideReport:
        """Extract a slide in the child; if the child dies, or takes too much, that is the slide's report.

        What the child logs is logged here.
        """
        self.died = False
        try:
            process = self._process or self._start()
        except OSError as error:
            self.close()
            report = failed_report(job, f"No process can be started for it ({error.strerror or error}).")
            return report.model_copy(update={"worth_retrying": True})
        if self.killed:
            # It was asked to end while it was being started.
            _kill_group(process)
        try:
            return self._converse(process, job, spec, on_event)
        except GivenUpError as limit:
            how = str(limit)
        except (EOFError, BrokenPipeError):
            how = _describe_end(process)
        self.died = True
        reason = f"The process that read the slide {how}.{self._last_words(job)}"
        self.close()
        return failed_report(job, reason)

    def _converse(
        self, process: subprocess.Popen[bytes], job: SlideJob, spec: ExtractionSpec, on_event: OnEvent
    ) -> SlideReport:
        """Send a job, and take messages until its report comes.

        Raises
        ------
        GivenUpError
            If the child takes too much, or sends what is no message.
        EOFError, BrokenPipeError
            If it has ended.
        """
        if self._stderr is not None:
            # What an earlier slide had said is not this one's last words; and a night's warnings fill a disk.
            os.ftruncate(self._stderr.fileno(), 0)
            os.lseek(self._stderr.fileno(), 0, os.SEEK_SET)  # the place is the child's, too
        limits = ChildLimits(process.pid, spec)

        def look() -> None:
            if self.killed:
                raise EOFError  # it may take a while to end, or for ever
            limits.check()

        pipes = Conversation(process, look)
        send(pipes, (job, spec, min(logging.WARNING, _log.getEffectiveLevel())))
        while True:
            try:
                message = receive(pipes)
            except (GivenUpError, EOFError):
                raise
            except Exception as error:  # whoever writes into memory that is not his may send anything
                raise GivenUpError("sent what nobody understands, and was ended") from error
            limits.note_progress()
            if isinstance(message, SlideReport):
                return message
            if isinstance(message, LogMessage):
                about = "" if job.name in message.text else f"slide {job.name}: "
                _log.log(message.level, "%s%s", about, message.text)
            else:
                on_event(message)

    def _start(self) -> subprocess.Popen[bytes]:
        # The child must find slidekit, and the user's own modules, where this process does.
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self._process = subprocess.Popen(
            # -P: a file in the working directory must not stand in for a module.
            [sys.executable, "-P", "-m", "slidekit.extraction.isolation.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            # Unbuffered, so that waiting for the pipe sees all that has arrived.
            bufsize=0,
            env=environment,
            # Ctrl-C goes to the driver alone, which then ends its children. The child's group is its own.
            start_new_session=True,
            pass_fds=self._inherited,
        )
        return self._process

    def _last_words(self, job: SlideJob) -> str:
        """The end of what the child wrote to standard error, without the folder of the slide."""
        if self._stderr is None:
            return ""
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - _STDERR_TAIL))
        text = self._stderr.read().decode("utf-8", "replace")
        for path in (job.path, job.copy):
            if path is not None and path.is_absolute():
                # A folder may be called after a patient.
                text = text.replace(f"{path.parent}{os.sep}", "")
        lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
        return f" Its last words: {' / '.join(lines[-_LAST_WORDS:])}" if lines else ""

    def kill(self) -> None:
        """End the child now, whatever it is doing; may be called while another thread waits in `run`."""
        self.killed = True
        if (process := self._process) is not None:
            _kill_group(process)

    def close(self) -> None:
        """End the child and let go of its pipes; no thread may be in `run`."""
        process, self._process = self._process, None
        if process is not None:
            _kill_group(process)
            try:
                process.wait(_SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                _log.warning("process %d was killed and does not end: it waits for a disk, or a network", process.pid)
                _lingering[:] = [process, *(other for other in _lingering if other.poll() is None)]
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    try:
                        pipe.close()
                    except BrokenPipeError:
                        continue  # it died with a message half taken
        if self._stderr is not None:
            self._stderr.close()
            self._stderr = None


def _describe_end(process: subprocess.Popen[bytes]) -> str:
    """How a process ended whose pipe has ended."""
    try:
        code = process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        return "does not answer any more, and was ended"
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"  # real-time signals have no names
    # Nobody else sends it unasked.
    hint = " (memory has run out, it may be)" if name == "SIGKILL" else ""
    return f"was killed by {name}{hint}"


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End a child and whatever it has started, which would hold its pipes open."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it has ended by itself
