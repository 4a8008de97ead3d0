"""A child process that one thread minds: slide after slide, and started again when a slide kills it."""

from __future__ import annotations

import os
import pickle
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import IO

from slidekit.extraction.child import receive, send
from slidekit.extraction.outcome import failed_report
from slidekit.extraction.progress import ProgressEvent
from slidekit.slide.job import SlideJob
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec

__all__ = ["ChildProcess", "can_cross"]

_STDERR_TAIL = 2000


def can_cross(spec: ExtractionSpec) -> bool:
    """Whether a spec can be sent to a child: QC functions written in a notebook or a script cannot."""
    try:
        return b"__main__" not in pickle.dumps(spec)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False


class ChildProcess:
    """A child that extracts slides, one at a time.

    Parameters
    ----------
    inherited
        File descriptors that it keeps open, such as the lock of what it reads.

    Attributes
    ----------
    died
        Whether the slide that was run last ended the child.
    """

    def __init__(self, inherited: Sequence[int] = ()) -> None:
        self.died = False
        self._inherited = tuple(inherited)
        self._killed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._stderr: IO[bytes] | None = None

    def run(self, job: SlideJob, spec: ExtractionSpec, on_event: Callable[[ProgressEvent], None]) -> SlideReport:
        """Extract a slide in the child; if the child dies, that is the slide's report."""
        self.died = False
        try:
            process = self._process or self._start()
        except OSError as error:
            self.close()
            return failed_report(job, f"No process can be started for it ({error.strerror or error}).")
        if self._killed:
            # It was asked to end while it was being started.
            _kill_group(process)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            send(process.stdin, (job, spec))  # type: ignore[arg-type]
            while True:
                _wait_for_message(process)
                message = receive(process.stdout)  # type: ignore[arg-type]
                if isinstance(message, SlideReport):
                    return message
                on_event(message)
        except (EOFError, BrokenPipeError):
            self.died = True
            reason = self._epitaph(process.wait())
            self.close()
            return failed_report(job, reason)

    def _start(self) -> subprocess.Popen[bytes]:
        # The child must find slidekit, and the user's own modules, where this process does.
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self._process = subprocess.Popen(
            # -P: a file in the working directory must not stand in for a module.
            [sys.executable, "-P", "-m", "slidekit.extraction.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            # Unbuffered, so that waiting for the pipe sees all that has arrived.
            bufsize=0,
            env=environment,
            # Ctrl-C goes to the driver alone, which then ends its children.
            start_new_session=True,
            pass_fds=self._inherited,
        )
        return self._process

    def _epitaph(self, code: int) -> str:
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        tail = ""
        if self._stderr is not None:
            size = self._stderr.seek(0, os.SEEK_END)
            self._stderr.seek(max(0, size - _STDERR_TAIL))
            lines = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
            tail = f" Its last words: {lines[-1]}" if lines else ""
        return f"The process that read the slide {how}.{tail}"

    def kill(self) -> None:
        """End the child now, whatever it is doing; may be called while another thread waits in `run`."""
        self._killed = True
        if (process := self._process) is not None:
            _kill_group(process)

    def close(self) -> None:
        """End the child and let go of its pipes; no thread may be in `run`."""
        process, self._process = self._process, None
        if process is not None:
            _kill_group(process)
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    try:
                        pipe.close()
                    except BrokenPipeError:
                        continue  # it died with a message half taken
        if self._stderr is not None:
            self._stderr.close()
            self._stderr = None


def _wait_for_message(process: subprocess.Popen[bytes]) -> None:
    """Wait until the child has written something.

    Raises
    ------
    EOFError
        If it has ended: something that it started may still hold its end of the pipe.
    """
    assert process.stdout is not None
    while not select.select([process.stdout], [], [], 1.0)[0]:
        if process.poll() is not None:
            raise EOFError


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End a child and whatever it has started, which would hold its pipes open."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it has ended by itself
