"""What a run says in the end: a table of its slides, and where its results are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from slidekit.cli.run_progress import short_name
from slidekit.slide.fate import Fate, reason_text
from slidekit.slide.report_model import SlideReport

__all__ = ["report_places", "results_table", "show_results", "slides_to_look_at"]

_STATE_STYLE = {"done": "green", "empty": "yellow", "skipped": "cyan", "failed": "bold red"}
_MOST_ROWS = 30
_LONG = 60
_MOST_NAMED = 3
# Some file systems keep the time of a change in steps of two seconds.
_CLOCK_STEP = 2.0


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
            Text(short_name(report.slide, most)),
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
    if to_see := slides_to_look_at(listed):
        grid.add_row("look at", Text(to_see, overflow="fold"))
    for what, text in _shorten(places):
        grid.add_row(what, Text(text, overflow="fold"))
    failed = "failed" in states
    title, style = ("some slides failed", "red") if failed else ("finished", "green")
    console.print(Panel(grid, title=title, title_align="left", border_style=style))


def slides_to_look_at(reports: Sequence[SlideReport], *, most: int = _MOST_NAMED) -> str:
    """Slides that a person should look at though they did not fail, the gravest first, and why in a word or two.

    Parameters
    ----------
    reports
        One a slide.
    most
        Slides that are named; of the others, their number is.
    """
    from slidekit.report.flags import flags_of, severity

    flagged = [(report, flags_of(report)) for report in sorted(reports, key=severity) if report.status != "failed"]
    # A slide without tiles says so in the table.
    said = [
        f"{short_name(report.slide)} ({', '.join(titles)})"
        for report, flags in flagged
        if (titles := [flag.title for flag in flags if flag.code not in ("empty", "skipped")])
    ]
    more = f" and {len(said) - most} more" if len(said) > most else ""
    return f"{', '.join(said[:most])}{more}"


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
