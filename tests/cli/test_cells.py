from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from slidekit.cells import Segmentation
from slidekit.cli.app import app
from slidekit.demo.nuclei import paint_nuclei
from slidekit.io.slide_tiff import write_tiff

SQUARE = np.array([[20, 20], [40, 20], [40, 40], [20, 40]], float)


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    folder = tmp_path / "slides"
    folder.mkdir()
    image = paint_nuclei((60, 50), 0.5, seed=3).image
    write_tiff(folder / "a.tiff", [image], mpp_x=0.5, mpp_y=0.5)
    return folder


def test_cells_are_found_and_written_for_others(slides: Path, tmp_path: Path) -> None:
    dest = tmp_path / "cells"

    result = CliRunner().invoke(app, ["cells", str(slides), "--dest", str(dest), "--geojson", "--csv"])

    cells = Segmentation.open(dest / "a.cells.zarr")
    assert result.exit_code == 0, result.output
    assert f"done     a: {len(cells)} cells" in result.output
    assert "per mm²" in result.output
    assert len((dest / "a.cells.geojson").read_text().splitlines()) == len(cells) + 2
    assert len((dest / "a.cells.csv").read_text().splitlines()) == len(cells) + 1

    # Files of the cells that were there before are named.
    other = ["cells", str(slides), "--dest", str(dest), "--diam-um", "7", "--overwrite", "--csv"]
    again = CliRunner().invoke(app, other)
    assert again.exit_code == 0, again.output
    assert "a.cells.geojson is of the cells that were there before" in " ".join(again.output.split())
    assert "a.cells.csv is of" not in again.output


def test_cells_are_taken_from_qupath_and_extracted(slides: Path, tmp_path: Path) -> None:
    source, dest, project = tmp_path / "qupath", tmp_path / "cells", tmp_path / "p"
    source.mkdir()
    seg = Segmentation.from_outlines("a", [SQUARE], dimensions=(120, 100), slide_mpp=0.5, classes=["tumor"])
    seg.to_geojson(source / "a.geojson")
    runner = CliRunner()

    taken = runner.invoke(app, ["cells", str(slides), "--dest", str(dest), "--import", str(source)])
    made = runner.invoke(app, ["create", str(project), "--slides", str(slides)])
    size = ["--tile-px", "16", "--tile-um", "8", "--grayspace-fraction", "1", "--no-report"]
    cut = runner.invoke(app, ["extract", str(project), "--cells", str(dest), *size])

    assert [result.exit_code for result in (taken, made, cut)] == [0, 0, 0], cut.output
    assert "done     a: 1 cells" in taken.output
    assert "done     a: 1 tiles" in cut.output


def test_wrong_use_is_told(slides: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "a.geojson"
    damaged.write_text("{")
    runner = CliRunner()

    unit = runner.invoke(app, ["cells", str(slides), "--unit", "mm"])
    broken = runner.invoke(app, ["cells", str(slides), "--dest", str(tmp_path / "c"), "--import", str(damaged)])

    assert unit.exit_code == 2
    assert broken.exit_code == 1
    assert "no JSON" in " ".join(broken.output.split())
