"""What a run looks like in a terminal: progress while it goes on, and a table in the end."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from slidekit.extraction.progress import ProgressEvent
from slidekit.slide.fate import Fate, reason_text
from slidekit.slide.report_model import SlideReport

__all__ = ["RunProgress", "report_places", "results_table", "show_results"]

_STATE_STYLE = {"done": "green", "empty": "yellow", "skipped": "cyan", "failed": "bold red"}
_MOST_ROWS = 30
_LONG = 60
_MOST_NAMED = 3
_SECONDS_BETWEEN_LINES = 30.0
# Some file systems keep the time of a change in steps of two seconds.
_CLOCK_STEP = 2.0


class RunProgress:
    """Progress of an extraction: slides done, tiles per second, and the slides in work.

    Where the output is not a terminal, a line a slide instead, and one every 30 s of a slide that takes long.

    Parameters
    ----------
    console
        Where to draw.
    total
        Number of slides.
    """

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
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
            self._tasks[event.slide] = self._progress.add_task(_short(event.slide), total=None, note="")
        elif event.kind == "tiles":
            self._kept[event.slide] = event.kept
            self._progress.update(
                self._tasks[event.slide], total=event.candidates, completed=event.decided, note=f"{event.kept} kept"
            )
            self._tell(event)
        else:
            self._end(event)
        rate = sum(self._kept.values()) / max(time.monotonic() - self._started, 1e-3)
        self._progress.update(self._all, note=f"{rate:.0f} tiles/s")

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
            self._print(f"{report.status:8} {report.slide}: {report.kept} tiles")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


def _short(name: str, most: int = 24) -> str:
    return name if len(name) <= most else f"{name[: most // 2 - 1]}…{name[-most // 2 :]}"


def results_table(reports: Sequence[SlideReport], *, width: int = 80) -> Table:
    """Put the outcome of each slide into a table; failed ones first.

    Names that are long are shortened in their middle, and a long reason stands in full once.

    Parameters
    ----------
    reports
        One a slide.
    width
        Columns of the terminal; of 80, 28 are for the name.
    """
    most = max(8, width * 28 // 80)
    table = Table(expand=True, box=None, header_style="bold", pad_edge=False)
    table.add_column("slide", no_wrap=True, max_width=most)
    table.add_column("state")
    table.add_column("kept", justify="right")
    table.add_column("of", justify="right")
    table.add_column("dropped, or why", ratio=1, overflow="fold")
    order = {"failed": 0, "empty": 1, "done": 2, "skipped": 3}
    ordered = sorted(reports, key=lambda report: (order[report.status], report.slide))
    said: set[str] = set()
    for report in ordered[:_MOST_ROWS]:
        table.add_row(
            Text(_short(report.slide, most)),
            Text(report.status, _STATE_STYLE[report.status]),
            f"{report.kept}",
            f"{report.candidates}",
            Text(_once(_why(report), said)),
        )
    if len(ordered) > _MOST_ROWS:
        table.add_row(f"… and {len(ordered) - _MOST_ROWS} more", "", "", "", "all are in extraction_report.csv")
    return table


def _once(text: str, said: set[str]) -> str:
    if text in said and len(text) > _LONG:
        return f"{' '.join(text.split()[:4])[: _LONG // 2]}… (as above)"
    said.add(text)
    return text


def _why(report: SlideReport) -> str:
    if report.status in ("failed", "skipped"):
        return report.reason
    dropped = [f"{n} {reason_text(why)}" for why, n in report.counts.items() if why != Fate.KEPT]
    return ", ".join(dropped) or report.reason


def show_results(
    console: Console, reports: Iterable[SlideReport], *, seconds: float, places: Sequence[tuple[str, Path]]
) -> None:
    """Print the closing table and panel of a run.

    Parameters
    ----------
    console
        Where to print.
    reports
        One a slide.
    seconds
        Wall time of the run.
    places
        What was made, and where it is.
    """
    listed = list(reports)
    console.print(results_table(listed, width=console.width))
    states = [report.status for report in listed]
    counted = [f"{states.count(state)} {state}" for state in _STATE_STYLE if state in states]
    made = sum(report.kept for report in listed if report.status != "skipped")
    rate = f" ({made / seconds:.0f} tiles/s)" if made else ""
    grid = Table.grid(padding=(0, 2))
    grid.add_row("slides", f"{len(listed)}: {', '.join(counted)}")
    grid.add_row("tiles", f"{made} in {seconds:.1f} s{rate}")
    if to_see := _to_look_at(listed):
        grid.add_row("look at", Text(to_see, overflow="fold"))
    for what, text in _shorten(places):
        grid.add_row(what, Text(text, overflow="fold"))
    failed = "failed" in states
    title, style = ("some slides failed", "red") if failed else ("finished", "green")
    console.print(Panel(grid, title=title, title_align="left", border_style=style))


def _to_look_at(reports: Sequence[SlideReport]) -> str:
    """Slides that a person should look at though they did not fail, the gravest first, and why in a word or two."""
    from slidekit.report.flags import flags_of, severity

    flagged = [(report, flags_of(report)) for report in sorted(reports, key=severity) if report.status != "failed"]
    # A slide without tiles says so in the table.
    said = [
        f"{_short(report.slide)} ({', '.join(titles)})"
        for report, flags in flagged
        if (titles := [flag.title for flag in flags if flag.code not in ("empty", "no_roi")])
    ]
    more = f" and {len(said) - _MOST_NAMED} more" if len(said) > _MOST_NAMED else ""
    return f"{', '.join(said[:_MOST_NAMED])}{more}"


def _shorten(places: Sequence[tuple[str, Path]]) -> list[tuple[str, str]]:
    """Paths relative to where the user is; files in a folder that was named before, by their name."""
    here = Path.cwd()
    named: set[Path] = set()
    short = []
    for what, path in places:
        path = path.absolute()
        if path.parent in named:
            short.append((f"  {what}", path.name))
            continue
        named.add(path)
        short.append((what, str(path.relative_to(here)) if path.is_relative_to(here) else str(path)))
    return short


def report_places(folder: Path, *, since: float | None) -> list[tuple[str, Path]]:
    """What a run leaves in a folder for people: its PDF, and the list to review.

    Parameters
    ----------
    folder
        Where reports are written.
    since
        When the run began, in seconds since the epoch: an older PDF is another run's. None if it wrote no PDF.
    """
    pdfs = [] if since is None else sorted(folder.glob("tile_extraction_report-*.pdf"))
    pdfs = [pdf for pdf in pdfs if since is not None and pdf.stat().st_mtime >= since - _CLOCK_STEP]
    first = [pdf for pdf in pdfs if "-volume-" not in pdf.name][-1:]
    review = [folder / "review.csv"] if (folder / "review.csv").is_file() else []
    return [("results", folder), *(("report", pdf) for pdf in first), *(("review", path) for path in review)]
