from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from slidekit.cli.run_log import RunLog
from slidekit.extraction.progress import ProgressEvent
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec


@pytest.fixture
def make_log(tmp_path: Path):
    spec = ExtractionSpec.create(tile_px=64, tile_um=32, qc=[lambda wsi: None])
    return lambda: RunLog(tmp_path / "run.log", tmp_path / "proj", spec, "2/3")


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_each_line_is_an_object_and_says_when_and_what(make_log, tmp_path) -> None:
    # Arrange
    failed = SlideReport(slide="腫瘍", status="failed", reason="It is\ndamaged.", seconds=1.23456)

    # Act
    with make_log() as log:
        log.note(ProgressEvent("started", "腫瘍"))
        log.note(ProgressEvent("tiles", "腫瘍", 1, 2, 1))
        logging.getLogger("slidekit").warning("slide %s: something is odd", "腫瘍")
        log.note(ProgressEvent("ended", "腫瘍", report=failed))
    logging.getLogger("slidekit").warning("after the run")

    # Assert
    lines = lines_of(tmp_path / "run.log")
    assert [line["event"] for line in lines] == ["run_started", "slide_started", "message", "slide_ended", "run_ended"]
    assert all(line["time"].endswith("+00:00") for line in lines)
    assert lines[0]["parameters"]["tile_px"] == 64
    assert lines[0]["shard"] == "2/3"
    assert lines[2]["level"] == "warning"
    assert lines[2]["text"] == "slide 腫瘍: something is odd"
    assert (
        lines[3].items() >= {"slide": "腫瘍", "status": "failed", "reason": "It is\ndamaged.", "seconds": 1.235}.items()
    )
    assert lines[4]["failed"] == 1


def test_lines_are_added_and_a_run_that_breaks_off_says_why(make_log, tmp_path) -> None:
    with make_log():
        pass
    with pytest.raises(KeyboardInterrupt), make_log():
        raise KeyboardInterrupt

    lines = lines_of(tmp_path / "run.log")
    assert [line["event"] for line in lines] == ["run_started", "run_ended", "run_started", "run_broken_off"]
    assert lines[-1]["error"] == "KeyboardInterrupt"


def test_what_is_written_can_be_read_while_the_run_goes_on(make_log, tmp_path) -> None:
    with make_log() as log:
        log.note(ProgressEvent("started", "S1"))
        assert lines_of(tmp_path / "run.log")[-1]["slide"] == "S1"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_disk_costs_the_log_alone(make_log, tmp_path, capfd) -> None:
    with make_log() as log:
        log._file.close()
        log._file = Path("/dev/full").open("a", buffering=1)  # noqa: SIM115 - the log closes it
        log.note(ProgressEvent("started", "S1"))
        log.note(ProgressEvent("started", "S2"))

    assert capfd.readouterr().err.count("No space left on device") == 1


def test_a_name_that_is_no_text_is_written_all_the_same(make_log, tmp_path) -> None:
    with make_log() as log:
        log.note(ProgressEvent("started", "a\udcff"))

    assert lines_of(tmp_path / "run.log")[1]["slide"] == b"a\\udcff".decode("unicode_escape")
