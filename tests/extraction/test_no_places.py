"""What stays of a slide when nothing is to be cut from it any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from slidekit.extraction.outcome import keep_report, without_cells, without_coordinates
from slidekit.slide.coordinates import Coordinates
from slidekit.slide.job import SlideJob
from slidekit.slide.report_model import RecordFile, SlideReport
from slidekit.slide.spec import ExtractionSpec

SPEC = ExtractionSpec.create(tile_px=64, tile_um=32, coordinates="c.csv")


class _Cells:
    """Cells of a slide, of which there are none."""


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """Records of the slide a, and the report that claims them."""
    for suffix in ("tfrecords", "index.npz", "tiles.csv"):
        (tmp_path / f"a.{suffix}").write_bytes(b"")
    file = RecordFile(name="a.tfrecords", records=2, size=0, sha256="")
    report = SlideReport(slide="a", path="a.svs", status="done", reason="", counts={"kept": 2}, records=file)
    (tmp_path / "a.json").write_text(report.model_dump_json())
    return tmp_path


@pytest.mark.parametrize(
    ("given", "goes"),
    [
        ({"coordinates": Coordinates.of([], total=5), "overwrite": True}, True),
        # Without overwrite it may be a table of other slides.
        ({"coordinates": Coordinates.of([], total=5)}, False),
        ({"cells": _Cells()}, True),
        # No table was read that could say so: the file of its cells is away.
        ({"coordinates": Coordinates.of([])}, False),
    ],
)
def test_results_go_where_a_table_says_that_there_is_nothing(records: Path, given, goes: bool) -> None:
    # Arrange
    spec = SPEC.model_copy(update={"overwrite": given.get("overwrite", False)})
    given = {name: value for name, value in given.items() if name != "overwrite"}
    job = SlideJob(name="a", path=Path("a.svs"), tfrecords=records, **given)
    report = without_cells(job) if "cells" in given else without_coordinates(job)

    # Act
    told = keep_report(job, spec, report)

    # Assert
    assert told.status == "skipped"
    assert (records / "a.tfrecords").exists() == (not goes)
    assert told.reason.endswith("earlier run were removed.") == goes
    kept = SlideReport.model_validate_json((records / "a.json").read_text())
    assert kept.status == ("skipped" if goes else "done")


def test_who_cannot_look_removes_nothing(records: Path) -> None:
    job = SlideJob(name="a", path=Path("a.svs"), tfrecords=records, coordinates=Coordinates.of([[1, 2]]))
    failed = SlideReport(slide="a", path="a.svs", status="failed", reason="The share is away.")
    assert keep_report(job, SPEC, failed) == failed
    assert (records / "a.tfrecords").exists()
