"""What a feed says of itself."""

from __future__ import annotations

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
