"""`slidekit qc`: a table in 80 columns, files, and exit codes."""

from __future__ import annotations

import io
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from slidekit.cli import app
from slidekit.cli.qc import qc_results
from slidekit.errors import SpecError
from slidekit.io.slide_tiff import write_svs
from slidekit.slide.report_model import QCFigures, SlideReport


@pytest.fixture(scope="session")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Glass with a disk of tissue."""
    image = np.full((600, 800, 3), 244, np.uint8)
    cv2.circle(image, (300, 300), 200, (190, 90, 160), -1)
    return write_svs(tmp_path_factory.mktemp("slides") / "disk.svs", [image], mpp=0.5, quality=90)


def run(*arguments: object):
    return CliRunner().invoke(app, ["qc", *map(str, arguments)], env={"COLUMNS": "80"})


def test_a_table_of_slides_and_a_failed_one(slide, tmp_path) -> None:
    broken = tmp_path / "broken.svs"
    broken.write_bytes(b"no slide")

    result = run(slide, broken, "--qc", "both", "--dest", tmp_path / "out", "--workers", "1")

    assert result.exit_code == 1
    assert re.search(r"^disk +blur +[\d.]+% +[\d.]+% +[\d.]+ +\d+$", result.output, re.MULTILINE)
    assert re.search(r"^ +otsu +[\d.]+% +– +[\d.]+ +\d+$", result.output, re.MULTILINE)
    assert re.search(r"^failed broken: ", result.output, re.MULTILINE)
    # Lines of progress: no tile was cut, and what failed says why.
    assert re.search(r"^(done|empty) +disk: \d+ of \d+ tiles left$", result.output, re.MULTILINE)
    assert re.search(r"^failed +broken: (?!0 tiles)\w", result.output, re.MULTILINE)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["previews", "qc_report.csv"]


def test_a_picture_of_one_slide_and_no_failure(slide, tmp_path) -> None:
    result = run(slide, "--qc", "otsu", "--dest", tmp_path, "-o", tmp_path / "p.png", "--workers", "1")

    assert result.exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.png", "qc_report.csv"]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--qc", "otsu", "-o", "p.gif"], "does not end in"),
        (["--qc", "otsu", "-o", "nowhere/p.png"], "there is no folder"),
    ],
)
def test_wrong_use_of_options(slide, arguments, what) -> None:
    result = run(slide, *arguments)

    assert result.exit_code == 2
    assert what in " ".join(result.output.replace("│", " ").split())


def test_a_method_is_needed(slide, tmp_path) -> None:
    # `main` makes of such an error a sentence and exit code 2.
    result = run(slide, "--dest", tmp_path)

    assert isinstance(result.exception, SpecError)
    assert "--qc" in str(result.exception)


def test_a_folder_of_plain_images_says_how_to_name_them(tmp_path) -> None:
    cv2.imwrite(str(tmp_path / "plain.jpg"), np.full((30, 40, 3), 200, np.uint8))

    result = run(tmp_path, "--qc", "otsu", "--dest", tmp_path / "qc")

    assert isinstance(result.exception, SpecError)
    assert f"{tmp_path}/*.jpg" in str(result.exception)


def test_advice_names_the_command_that_was_called(slide, tmp_path) -> None:
    result = run(slide, "--qc", "otsu", "--dest", tmp_path, "--qc-filter-threshold", "3")

    assert isinstance(result.exception, SpecError)
    assert str(result.exception).endswith("See `slidekit qc --help`.")


def test_slides_to_look_at_are_named(slide, tmp_path, monkeypatch) -> None:
    figures = QCFigures(method="pen", reason="pen", share_of_slide=0.1, share_of_tissue=0.2)
    report = SlideReport(slide="inked", status="done", counts={"kept": 1}, candidates=1, qc_methods=(figures,))
    monkeypatch.setattr("slidekit.extraction.qc_only.run_qc", lambda *_, **__: {slide: report})

    result = run(slide, "--qc", "pen", "--dest", tmp_path)

    assert "look at: inked (pen marks)" in result.output


def test_missing_slides(tmp_path) -> None:
    assert run(tmp_path / "none.svs", "--qc", "otsu").exit_code == 2


def test_long_names_do_not_break_the_table() -> None:
    figures = QCFigures(method="my_very_long_named_quality_control_method" * 2, share_of_slide=0.5, area_mm2=1234.5)
    report = SlideReport(slide="染みのスライド" * 20, status="done", counts={"artifact": 1}, qc_methods=(figures,))
    console = Console(width=80, record=True, file=io.StringIO())

    console.print(qc_results([report]))

    lines = console.export_text().splitlines()
    assert len(lines) == 4
    assert "50.0%" in lines[1]
    assert "artifact region" in lines[2]
    assert "no tile fits" in lines[3]


def test_labels_of_artifacts_need_regions(slide, tmp_path) -> None:
    result = run(slide, "--qc", "otsu", "--dest", tmp_path, "--artifact-labels", "fold")

    assert isinstance(result.exception, SpecError)
    assert "--rois" in str(result.exception)


def test_a_slide_without_resolution_is_advised_on_options_alone(tmp_path) -> None:
    cv2.imwrite(str(tmp_path / "plain.tiff"), np.full((300, 400, 3), 200, np.uint8))

    result = run(tmp_path / "plain.tiff", "--qc", "otsu", "--dest", tmp_path / "qc", "--workers", "1")

    assert result.exit_code == 1
    assert "--mpp" in result.output
    assert "annotations" not in result.output
