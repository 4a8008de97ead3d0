"""`slidekit extract --coordinates` and `slidekit preview --coordinates`."""

from __future__ import annotations

import csv
import json
import logging
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from slidekit.cli import app
from slidekit.io.slide_tiff import make_pyramid, write_tiff

SIZE = ["--tile-px", "64", "--tile-um", "32"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    image = np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)
    (tmp_path / "slides").mkdir()
    for name in "ab":
        write_tiff(
            tmp_path / "slides" / f"{name}.tiff", make_pyramid(image, ()), mpp_x=0.5, mpp_y=0.5, compression="deflate"
        )
    made = CliRunner().invoke(app, ["create", str(tmp_path / "p"), "--slides", str(tmp_path / "slides")])
    assert made.exit_code == 0, made.output
    return tmp_path / "p"


def test_extract_and_preview(project: Path, tmp_path: Path) -> None:
    # Arrange: top-left corners in microns; the third leaves the slide
    table = tmp_path / "hot.csv"
    table.write_text("slide,x_um,y_um,label\na.tiff,10,10,hot\na,20.25,30,hot\na,190,10,hot\n")
    given = ["--coordinates", str(table), "--coordinates-unit", "um", "--coordinates-anchor", "corner"]

    # Act
    run = CliRunner().invoke(app, ["extract", str(project), *SIZE, *given, "--grayspace-fraction", "1"])
    shown = CliRunner().invoke(
        app, ["preview", str(tmp_path / "slides" / "a.tiff"), "-o", str(tmp_path / "a.png"), *SIZE, *given]
    )

    # Assert
    assert run.exit_code == 0, run.output
    folder = project / "tfrecords" / "64px_32um"
    rows = {row["slide"]: row for row in csv.DictReader((folder / "extraction_report.csv").read_text().splitlines())}
    assert {name: (row["status"], row["kept"], row["dropped_outside_slide"]) for name, row in rows.items()} == {
        "a": ("done", "2", "1"),
        "b": ("skipped", "0", "0"),
    }
    report = json.loads((folder / "a.json").read_text())
    assert (report["coordinates"], report["labels"]) == (3, {"hot": 2})
    tiles = list(csv.DictReader((folder / "a.tiles.csv").read_text().splitlines()))
    assert [(row["loc_x"], row["loc_y"]) for row in tiles] == [("52", "52"), ("72", "92")]
    assert len(list(folder.glob("*.pdf"))) == 1
    assert shown.exit_code == 0, shown.output
    assert "2 of 3 tiles" in shown.output
    assert CliRunner().invoke(app, ["verify", str(project)]).exit_code == 0


@pytest.mark.parametrize(
    ("text", "said"), [("slide,x,y\na,1\n", "line 2: y is empty"), ("slide,x,y\nz,1,2\n", "names none of the 2 slides")]
)
def test_mistakes_are_said(project: Path, tmp_path: Path, text: str, said: str, caplog) -> None:
    (tmp_path / "c.csv").write_text(text)
    with caplog.at_level(logging.ERROR):
        run = CliRunner().invoke(app, ["extract", str(project), *SIZE, "--coordinates", str(tmp_path / "c.csv")])
    assert run.exit_code != 0
    assert said in str(run.exception)
