"""What stands beside the records after a run."""

from __future__ import annotations

from datetime import datetime

import pytest

from slidekit.extraction.outputs import _read_timings
from slidekit.report import write_tables
from slidekit.slide.report_model import SlideReport


@pytest.mark.parametrize("name", ["plain", "-1", "=1+1", "'quoted'", "@home"])
def test_times_are_found_under_the_names_of_slides(name, tmp_path) -> None:
    write_tables(tmp_path, [SlideReport(slide=name, status="done", seconds=2.5)], None, created=datetime(2026, 2, 3))

    assert _read_timings(tmp_path / "timings.csv") == {name: 2.5}
