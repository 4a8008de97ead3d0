"""What a run looks like in a terminal while it goes on."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from slidekit.extraction.progress import ProgressEvent
from slidekit.slide.report_model import SlideReport

__all__ = ["RunProgress", "short_name"]

_SECONDS_BETWEEN_LINES = 30.0


class RunProgress:
    """Progress of a run: slides done, tiles per second, and the slides in work.

    Where the output is not a terminal, a line a slide instead, and one every 30 s of a slide that takes long.

    Parameters
    ----------
    console
        Where to draw.
    total
        Number of slides.
    cut
        Whether tiles are cut; where they are only decided about, what is told is how many are left.
    """

    def __init__(self, console: Console, total: int, *, cut: bool = True) -> None:
        self._console = console
        self._cut = cut
        self._started = time.monotonic()
        self._kept: dict[str, int] = {}
        self._tasks: dict[str, TaskID] = {}
        self._told: dict[str, float] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=console,
            expand=True,
            disable=not console.is_terminal,
        )
        self._all = self._progress.add_task("slides", total=total, note="")

    def __call__(self, event: ProgressEvent) -> None:
        """Take in an event."""
        if event.kind == "started":
            self._told[event.slide] = time.monotonic()
            self._tasks[event.slide] = self._progress.add_task(short_name(event.slide), total=None, note="")
        elif event.kind == "tiles":
            self._kept[event.slide] = event.kept
            self._progress.update(
                self._tasks[event.slide], total=event.candidates, completed=event.decided, note=f"{event.kept} kept"
            )
            self._tell(event)
        else:
            self._end(event)
        rate = sum(self._kept.values()) / max(time.monotonic() - self._started, 1e-3)
        self._progress.update(self._all, note=f"{rate:.0f} tiles/s" if self._cut else "")

    def _tell(self, event: ProgressEvent) -> None:
        now = time.monotonic()
        if self._console.is_terminal or now - self._told[event.slide] < _SECONDS_BETWEEN_LINES:
            return
        self._told[event.slide] = now
        self._print(f"{event.slide}: {event.decided} of {event.candidates} tiles")

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _end(self, event: ProgressEvent) -> None:
        if (task := self._tasks.pop(event.slide, None)) is not None:
            self._progress.remove_task(task)
        self._progress.advance(self._all)
        report = event.report
        if report is not None and not self._console.is_terminal:
            self._print(f"{report.status:8} {report.slide}: {self._outcome(report)}")

    def _outcome(self, report: SlideReport) -> str:
        if report.status in ("failed", "skipped") and report.reason and not report.kept:
            return report.reason
        return f"{report.kept} tiles" if self._cut else f"{report.kept} of {report.candidates} tiles left"

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


def short_name(name: str, most: int = 24) -> str:
    """A name of at most so many letters: its ends tell it apart."""
    return name if len(name) <= most else f"{name[: most // 2 - 1]}…{name[-most // 2 :]}"
