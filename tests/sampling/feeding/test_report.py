"""What a feed says of itself."""

from __future__ import annotations

import pytest
from rich.console import Console

from slidekit.sampling.feeding.report import FeedReport


def test_the_table_says_what_was_counted() -> None:
    report = FeedReport(patches=1000, batches=10, decodes=1500, seconds=2.0, waits=[0.001] * 9 + [0.1])
    report.count("a", "pixels cannot be decoded", redrawn=True)
    report.count("a", "pixels cannot be decoded", 2, redrawn=True)
    report.count("b", "cannot be opened: gone", redrawn=False)
    report.crashes.append("signal 11")
    console = Console(width=100)
    with console.capture() as capture:
        console.print(report)
    text = capture.get()
    assert "500" in text
    assert "1.50" in text
    assert "1.0 ms (p50)" in text
    assert "3 of a: pixels cannot be decoded" in text
    assert "1 of b: cannot be opened: gone" in text
    assert "signal 11" in text
    assert report.redrawn == {"a": {"pixels cannot be decoded": 3}}
    assert report.left_out == {"b": {"cannot be opened: gone": 1}}


def test_nothing_given_is_no_division_by_nothing() -> None:
    report = FeedReport()
    assert (report.patches_per_second, report.decodes_per_patch) == (0.0, 0.0)
    assert report.wait(50) != report.wait(50)  # NaN


def test_the_log_names_each_slide_and_reason_once_and_few_of_them(caplog: pytest.LogCaptureFixture) -> None:
    report = FeedReport()

    for slide in range(20):
        for _ in range(2):
            report.count(f"slide {slide}", "cannot be opened", redrawn=True)
    report.leave_out({"slide 30": "no tissue"})

    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "slide 0: cannot be opened; other patches are drawn"
    assert len(said) == 11
    assert said[-1] == "more slides give no patches, or not all: the feed's report names them"
    assert report.redrawn["slide 19"]["cannot be opened"] == 2
