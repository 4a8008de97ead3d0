"""Progress and tables."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from rich.console import Console

from slidekit.cli import run_progress
from slidekit.cli.run_progress import RunProgress
from slidekit.cli.show import report_places, results_table, show_results
from slidekit.extraction.progress import ProgressEvent
from slidekit.slide.report_model import SlideReport

REASON = "The slide does not say its µm/px, and nothing else does: give --mpp, or a column mpp in the annotations."


def failed(name: str, reason: str = REASON) -> SlideReport:
    return SlideReport(slide=name, path=f"/x/{name}.svs", status="failed", reason=reason)


def drawn(reports: list[SlideReport], width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as capture:
        console.print(results_table(reports, width=width))
    return capture.get().splitlines()


def test_long_names_are_shortened_in_the_middle() -> None:
    name = "TCGA-44-2665-01A-01-BS1.98bc01a3-3e4c-4bd5-b1a8-7b2e36bf3a6a"

    lines = drawn([SlideReport(slide=name, path="x", status="done", candidates=123456)])

    cell = lines[1].split()[0]
    assert len(cell) == 28
    head, tail = cell.split("…")
    assert name.startswith(head)
    assert name.endswith(tail)
    assert len(lines) == 2
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("width", [60, 80, 200])
def test_names_that_fit_are_whole(width: int) -> None:
    name = "n" * (width * 28 // 80)

    lines = drawn([SlideReport(slide=name, path="x", status="done")], width)

    assert lines[1].split()[0] == name


def test_a_long_reason_stands_in_full_once() -> None:
    text = " ".join(" ".join(drawn([failed(name) for name in "abc"])).split())

    assert text.count("give --mpp") == 1
    assert text.count("The slide does not… (as above)") == 2


def test_other_and_short_reasons_are_left_alone() -> None:
    other = REASON.replace("--mpp", "--that")

    text = " ".join(" ".join(drawn([failed("a"), failed("b", other), failed("c", "No."), failed("d", "No.")])).split())

    assert "as above" not in text
    assert text.count("No.") == 2


def test_a_slide_that_takes_long_has_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    # Arrange
    now = [1000.0]
    monkeypatch.setattr(run_progress.time, "monotonic", lambda: now[0])
    console = Console(file=io.StringIO(), width=80)
    name = "[b]" + "long" * 30

    # Act
    with console.capture() as capture, RunProgress(console, 2) as progress:
        for slide in (name, "other"):
            progress(ProgressEvent("started", slide))
        for second in range(0, 100, 10):
            now[0] = 1000.0 + second
            progress(ProgressEvent("tiles", name, decided=second, candidates=500, kept=0))
        progress(ProgressEvent("tiles", "other", decided=7, candidates=8, kept=0))

    # Assert
    assert capture.get().splitlines() == [
        f"{name}: 30 of 500 tiles",
        f"{name}: 60 of 500 tiles",
        f"{name}: 90 of 500 tiles",
        "other: 7 of 8 tiles",
    ]


def test_a_terminal_has_its_bars_instead_of_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(run_progress.time, "monotonic", lambda: now[0])
    console = Console(file=io.StringIO(), width=80, force_terminal=True)

    progress = RunProgress(console, 1)
    progress(ProgressEvent("started", "slide"))
    now[0] += 100
    progress(ProgressEvent("tiles", "slide", decided=1, candidates=500, kept=0))

    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == ""


def test_only_the_report_of_this_run_is_named(tmp_path: Path) -> None:
    pdf = tmp_path / "tile_extraction_report-20250101-000000.pdf"
    pdf.touch()
    os.utime(pdf, (5000, 5000))

    assert ("report", pdf) in report_places(tmp_path, since=4999.0)
    assert ("report", pdf) not in report_places(tmp_path, since=5100.0)
    assert ("report", pdf) not in report_places(tmp_path, since=None)


def test_slides_to_look_at_are_named_with_the_reason() -> None:
    done = {"path": "x", "status": "done", "candidates": 9, "counts": {"kept": 9}}
    reports = [SlideReport(slide=f"blur{n}", blur_burden=0.5, **done) for n in range(4)]
    reports += [SlideReport(slide="fine", **done), failed("broken"), SlideReport(slide="mpp", mpp_doubt="?", **done)]
    console = Console(file=io.StringIO(), width=80)

    with console.capture() as capture:
        show_results(console, reports, seconds=1.0, places=[])

    [line] = [line for line in capture.get().splitlines() if "look at" in line]
    assert "mpp (µm/px doubtful), blur0 (out of focus), blur1 (out of focus)" in line
    assert "and 2 more" in capture.get()
