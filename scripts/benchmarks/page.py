"""The page ``docs/benchmarks.md`` and its pictures, from the results of a run."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from benchmarks.page_cells import cells_section
from benchmarks.page_focus import focus_section
from benchmarks.page_loading import loading_section
from benchmarks.page_normalizers import frameworks_section, normalizers_section
from benchmarks.page_sampling import sampling_section

__all__ = ["extraction_table", "write"]

_LOOPS = {"openslide + Pillow": "OpenSlide + Pillow", "pyvips crop().resize()": "pyvips loop"}
_COLOURS = {"openslide + Pillow": "#0b6e4f", "pyvips crop().resize()": "#d98324"}


def write(results: dict[str, Any], docs: Path) -> Path:
    """Write the page with what has been measured."""
    images = docs / "images"
    sections = [_HEAD.format(commit=_commit(), machine=_machine())]
    if "extraction" in results:
        _plot_ratios(results["extraction"], images / "benchmarks-ratios.png")
        sections.append(_EXTRACTION + extraction_table(results["extraction"]))
    if "threads" in results:
        sections.append(_threads_section(results["threads"]))
    if "command" in results:
        sections.append(_command_section(results["command"]))
    if "stages" in results:
        sections.append(_stages_section(results["stages"]))
    if "growth" in results:
        _plot_growth(results["growth"], images / "benchmarks-growth.png")
        sections.append(_GROWTH)
    if "masks" in results:
        sections.append(_masks_section(results["masks"]))
    if "focus" in results:
        sections.append(focus_section(results["focus"]))
    if "cells" in results:
        sections.append(cells_section(results["cells"]))
    if "normalizers" in results:
        sections.append(normalizers_section(results["normalizers"]))
    if "frameworks" in results:
        sections.append(frameworks_section(results["frameworks"]))
    if "loading" in results:
        sections.append(loading_section(results["loading"]))
    if "sampling" in results:
        sections.append(sampling_section(results["sampling"]))
    path = docs / "benchmarks.md"
    path.write_text("\n".join(sections), encoding="utf-8")
    return path


def _machine() -> str:
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    return f"{model}, 2 cores of a virtual machine, Python {platform.python_version()}, files in the page cache"


def _commit() -> str:
    """The code that was measured, as git names it."""
    done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


_HEAD = """# Benchmarks

`scripts/bench` measures and writes this page. The ways of a table are compared side by side in one run, taking turns
round by round; figures are medians of five rounds unless another number is given. Not all tables are of the same run.
Times of one machine say little: look at the ratios.

Machine: {machine}. The last table that was measured: commit {commit}.

The bench slide: 40000 × 40000 px, 0.25 µm/px, JPEG Q80 4:2:0, native tiles of 240 px, levels 1/4/16, 35 % tissue,
mosaicked from a real H&E slide where `SLIDEKIT_TEST_DATA` is set, else drawn.
"""

_EXTRACTION = """
## Extraction

All ways do the same work on the same cells, on one thread: read, resample, grayspace filter, JPEG Q95 4:2:0, TFRecord.
slidekit also measures whitespace, checksums and indexes its file, shuffles it and writes the table of all tiles. The
loops are what people write: `read_region` and Pillow's Lanczos; `crop().resize()` of pyvips, tile by tile. At this
quality slidekit's encoder (TurboJPEG) uses the fast integer transform, the loops' encoders the accurate one: its tiles
are 0.35 dB further from the pixels.
The **floor** is the time to decode each native tile under the cells once and to encode each kept tile once, from
memory to memory; it is measured in the same rounds.

![Ratios by case](images/benchmarks-ratios.png)

"""


def extraction_table(cases: dict[str, Any]) -> str:
    """The table of the extraction cases, Markdown."""
    lines = [
        "| case | way | CPU ms per tile | tiles/s | peak memory | × OpenSlide + Pillow | × pyvips loop | of floor |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, case in cases.items():
        rounds = "" if case.get("rounds", 5) == 5 else f", {case['rounds']} rounds"
        for way, row in case["ways"].items():
            share = "" if row["share"] is None else f"{row['share']:.0%}"
            ratios = (f"{row['ratios'][loop]:.1f}" for loop in _LOOPS)
            bold = "**" if way.startswith("slidekit") else ""
            lines.append(
                f"| {name}, {case['tiles']} tiles{rounds} | {bold}{way}{bold} | {row['ms']:.2f}"
                f" | {row['tiles_per_second']:.0f}"
                f" | {row['peak']:.0f} MB | {' | '.join(ratios)} | {share} |"
            )
    return "\n".join(lines) + "\n"


def _threads_section(threads: dict[str, float]) -> str:
    return f"""
By the clock, two threads extract the whole bench slide {threads["shrink"]:.2f} × as fast as one in mode `shrink`,
{threads["exact"]:.2f} × in mode `exact`, on the two cores of this machine.
"""


def _plot_ratios(cases: dict[str, Any], path: Path) -> None:
    bars = [
        (f"{name}\n{way.removeprefix('slidekit ')}", row["ratios"])
        for name, case in cases.items()
        for way, row in case["ways"].items()
        if way.startswith("slidekit")
    ]
    figure, axes = plt.subplots(figsize=(8, 0.62 * len(bars) + 1.1), layout="constrained")
    for offset, loop in ((-0.2, "openslide + Pillow"), (0.2, "pyvips crop().resize()")):
        values = [ratios[loop] for _, ratios in bars]
        drawn = axes.barh([k + offset for k in range(len(bars))], values, 0.38, color=_COLOURS[loop])
        axes.bar_label(drawn, fmt="%.1f×", padding=3, fontsize=8)
        drawn.set_label(f"against {_LOOPS[loop]}")
    axes.axvline(1, color="#555", linewidth=0.8)
    axes.set_yticks(range(len(bars)), [label for label, _ in bars], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("times less CPU for a tile; 1 is the loop itself")
    axes.margins(x=0.1)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


_GROWTH = """
## Growth

Cost grows with the tiles that are kept. Left: one slide, regions of interest that hold more and more of it. Right:
slides of growing area with the same square of tissue; what grows there is the mask, read from a small level.

![CPU time against kept tiles, and against the slide's area](images/benchmarks-growth.png)
"""


def _plot_growth(growth: dict[str, Any], path: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.1), layout="constrained", sharey=True)
    kept, seconds = zip(*growth["tiles"], strict=True)
    left.plot(kept, seconds, "o-", color=_COLOURS["openslide + Pillow"])
    left.set_xlabel("tiles kept, one slide of 1600 megapixels")
    left.set_ylabel("CPU seconds of the slide")
    area, tiles, spent = zip(*growth["area"], strict=True)
    right.plot(area, spent, "o-", color=_COLOURS["pyvips crop().resize()"])
    right.set_xlabel(f"megapixels of the slide, {min(tiles)}–{max(tiles)} tiles kept")
    for axes in (left, right):
        axes.set_xlim(0)
        axes.set_ylim(0)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _command_section(command: dict[str, Any]) -> str:
    imports, glass, one, two = (command[way] for way in ("imports", "glass", "one thread", "two threads"))
    rows = {
        '`python -c "import cv2, pyvips, pandas, reportlab"`': imports,
        "`slidekit extract`, a slide without tissue": glass,
        "`slidekit extract --threads 1`, the bench slide": one,
        "`slidekit extract --threads 2`, the bench slide": two,
    }
    table = "\n".join(
        f"| {name} | {run['wall']:.2f} s | {run['cpu']:.2f} s | {run['peak']:.0f} MB |" for name, run in rows.items()
    )
    return f"""
## The whole command

From the start of the process to its exit: child process, Otsu mask, 256 px @ 128 µm, TFRecord, tables and PDF.
Memory is that of the largest process.

| command | wall | CPU | peak memory |
|---|--:|--:|--:|
{table}

On a slide without tissue the command takes {glass["wall"] / imports["wall"]:.1f} × the time of the bare imports. Two
threads are {one["wall"] / two["wall"]:.2f} × as fast as one.
"""


def _stages_section(stages: dict[str, float]) -> str:
    total = sum(stages.values())
    rows = "\n".join(f"| {name} | {seconds:.2f} s | {seconds / total:.0%} |" for name, seconds in stages.items())
    return f"""
## Where the time goes

One thread, the bench slide, 256 px @ 128 µm, mode `shrink`, with Otsu mask and pictures for the report.

| stage | time | share |
|---|--:|--:|
{rows}
"""


def _masks_section(masks: dict[str, float]) -> str:
    rows = "\n".join(f"| {way} | {ms:.0f} |" for way, ms in masks.items())
    return f"""
## Masks

From opening the bench slide to its mask; CPU ms. Otsu at 4 µm/px, blur at 2 µm/px.

| mask | CPU ms |
|---|--:|
{rows}
"""
