"""``--log FILE``: what happened in a run, a JSON object a line, for programs to read."""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console

from slidekit.extraction.progress import ProgressEvent
from slidekit.slide.spec import ExtractionSpec

__all__ = ["RunLog"]


class RunLog(logging.Handler):
    """A file of JSON lines: the run's begin and end, each slide's, and what is logged meanwhile.

    Parameters
    ----------
    path
        The file; lines are added to what it holds.
    project, spec, shard
        What the run is about.

    Raises
    ------
    OSError
        If it cannot be written.
    """

    def __init__(self, path: Path, project: Path, spec: ExtractionSpec, shard: str | None) -> None:
        super().__init__(logging.INFO)
        # One write a line, at the end of the file: lines of several runs do not mix.
        self._file = path.open("a", encoding="utf-8", errors="backslashreplace", buffering=1)
        self._is_broken = False
        self._write_lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._write("run_started", project=str(project), parameters=spec.canonical(), shard=shard)

    def note(self, event: ProgressEvent) -> None:
        """Add a line for a slide that began or ended."""
        report = event.report
        if report is not None:
            self._counts[report.status] += 1
            self._write(
                "slide_ended",
                slide=event.slide,
                status=report.status,
                reason=report.reason,
                candidates=report.candidates,
                counts=report.counts,
                reader=report.reader,
                seconds=round(report.seconds, 3),
            )
        elif event.kind == "started":
            self._write("slide_started", slide=event.slide)

    def emit(self, record: logging.LogRecord) -> None:
        """Add a line for what slidekit logs."""
        self._write("message", level=record.levelname.lower(), text=record.getMessage())

    def __enter__(self) -> Self:
        logging.getLogger("slidekit").addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger("slidekit").removeHandler(self)
        broken = {} if kind is None else {"error": kind.__name__, "text": str(error)}
        self._write("run_ended" if kind is None else "run_broken_off", **self._counts, **broken)
        try:
            self._file.close()
        except OSError:
            self._is_broken = True  # what could not be written cannot be on closing, either

    def _write(self, event: str, **facts: Any) -> None:
        line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **facts}
        try:
            with self._write_lock:
                self._file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
        except OSError as error:
            # A full disk, it may be: slides are more important than their log.
            if not self._is_broken:
                self._is_broken = True
                Console(stderr=True).print(f"the log cannot be written any more: {error.strerror}", markup=False)
