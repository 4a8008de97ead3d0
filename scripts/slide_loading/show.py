"""Medians of the times as a table for the console, a CSV file and a picture."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from slide_loading.measure import STAGES, Problem, Timing

__all__ = ["draw_medians", "show_problems", "show_table", "write_timings"]

_MOST_NAMED = 20


_HEADERS = ("open", "read\nlowest", "save\nPNG", "tile,\nsave", "tile,\nmemory")


def _common(timings: Sequence[Timing], stage: str) -> set[str]:
    """Slides of a stage that every reader did which did any: only on these are their times alike."""
    by_reader: dict[str, set[str]] = {}
    for one in timings:
        if one.stage == stage:
            by_reader.setdefault(one.reader, set()).add(one.slide)
    return set.intersection(*by_reader.values()) if by_reader else set()


def _median(timings: Sequence[Timing], reader: str, stage: str) -> float | None:
    """Median over common slides of each slide's median over rounds, seconds."""
    common, by_slide = _common(timings, stage), dict[str, list[float]]()
    for one in timings:
        if (one.reader, one.stage) == (reader, stage) and one.slide in common:
            by_slide.setdefault(one.slide, []).append(one.seconds)
    return statistics.median(map(statistics.median, by_slide.values())) if by_slide else None


def _rate(timings: Sequence[Timing], reader: str, stage: str) -> float | None:
    """Tiles a second over all rounds of the common slides."""
    common = _common(timings, stage)
    found = [one for one in timings if (one.reader, one.stage) == (reader, stage) and one.slide in common]
    seconds = sum(one.seconds for one in found)
    return sum(one.tiles or 0 for one in found) / seconds if seconds else None


def show_table(console: Console, timings: Sequence[Timing], readers: Sequence[str]) -> None:
    """Print medians: a row a reader."""
    counts = ", ".join(f"{len(_common(timings, stage))} {stage}" for stage in (STAGES[0], STAGES[-1]))
    console.print(f"Medians, ms, over the slides that all readers did ({counts})", highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("reader", no_wrap=True)
    for header in ("slides", *_HEADERS, "tiles/s,\nsaved", "tiles/s,\nmemory"):
        table.add_column(header, justify="right")
    for reader in readers:
        slides = {one.slide for one in timings if one.reader == reader}
        times = [_median(timings, reader, stage) for stage in STAGES]
        rates = [_rate(timings, reader, stage) for stage in STAGES[3:]]
        cells = ["–" if seconds is None else f"{seconds * 1e3:.1f}" for seconds in times]
        table.add_row(reader, str(len(slides)), *cells, *("–" if rate is None else f"{rate:.0f}" for rate in rates))
    console.print(table)


def show_problems(console: Console, problems: Sequence[Problem], lost: Sequence[str]) -> None:
    """Say what readers could not do, and which slides none could load or cut whole."""
    alike: dict[tuple[str, str], list[str]] = {}
    for one in dict.fromkeys(problems):
        alike.setdefault((one.slide, one.what), []).append(one.reader)
    for (slide, what), by in list(alike.items())[:_MOST_NAMED]:
        console.print(f"{slide} ({', '.join(by)}): {what}", markup=False, highlight=False, soft_wrap=True)
    if len(alike) > _MOST_NAMED:
        console.print(f"and {len(alike) - _MOST_NAMED} more: problems.csv", highlight=False)
    if lost:
        said = f"slides that no reader could load ({len(lost)}): {', '.join(lost[:_MOST_NAMED])}"
        console.print(f"failed: {said}", style="bold red", markup=False, highlight=False, soft_wrap=True)


def write_timings(timings: Sequence[Timing], problems: Sequence[Problem], out: Path) -> Path:
    """Write ``timings.csv`` and ``problems.csv``."""
    with (out / "timings.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("slide", "reader", "stage", "round", "seconds", "tiles"))
        writer.writerows(
            (one.slide, one.reader, one.stage, one.round, f"{one.seconds:.6f}", "" if one.tiles is None else one.tiles)
            for one in timings
        )
    with (out / "problems.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("slide", "reader", "problem"))
        writer.writerows((one.slide, one.reader, one.what) for one in dict.fromkeys(problems))
    return out / "timings.csv"


def draw_medians(timings: Sequence[Timing], readers: Sequence[str], path: Path) -> Path:
    """Draw the medians as bars, a group a stage."""
    from matplotlib.figure import Figure

    stages = [stage for stage in STAGES if any(one.stage == stage for one in timings)]
    shown = [reader for reader in readers if any(one.reader == reader for one in timings)]
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.add_subplot(ylabel="median over the slides that all did, ms", yscale="log")
    width = 0.8 / max(1, len(shown))
    for number, reader in enumerate(shown):
        medians = [(_median(timings, reader, stage) or float("nan")) * 1e3 for stage in stages]
        places = [k + (number - (len(shown) - 1) / 2) * width for k in range(len(stages))]
        bars = axes.bar(places, medians, width, label=reader, color=f"C{number}")
        axes.bar_label(bars, fmt=lambda ms: f"{ms:,.0f}" if ms >= 100 else f"{ms:.3g}", fontsize=7)
    axes.set_xticks(range(len(stages)), stages)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, ncols=len(shown), loc="upper left")
    axes.margins(y=0.2)
    figure.savefig(path, dpi=150)
    return path
