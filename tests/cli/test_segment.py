"""`slidekit segment` in a terminal of 80 columns."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from slidekit.cli import app
from slidekit.errors import SpecError
from slidekit.io.slide_tiff import write_svs
from slidekit.project import create_project
from slidekit.slide.segmentation.config import SegmentConfig
from tests.slide.segmentation.handmade import save_pointwise


def segment(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["segment", *map(str, arguments)], env={"COLUMNS": "80"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Three slides with a dark square each, outlined on all but the last."""
    (tmp_path / "slides").mkdir()
    (tmp_path / "rois").mkdir()
    for number in range(3):
        image = np.full((200, 240, 3), 240, np.uint8)
        left = 30 + 20 * number
        image[40:140, left : left + 100] = (180, 90, 160)
        write_svs(tmp_path / "slides" / f"s{number}.svs", [image], mpp=4.0)
        corners = [(left, 40), (left + 100, 40), (left + 100, 140), (left, 140)]
        rows = "".join(f"a,tumor,{x},{y}\n" for x, y in corners)
        if number < 2:
            (tmp_path / "rois" / f"s{number}.csv").write_text(f"roi_name,label,x_base,y_base\n{rows}")
    create_project(tmp_path / "study", slides=tmp_path / "slides", rois=tmp_path / "rois")
    return tmp_path / "study"


@pytest.mark.parametrize("command", ["export", "train", "rois"])
def test_help_fits_and_has_uniform_metavars(command: str) -> None:
    text = re.sub(r"\x1b\[[0-9;]*m", "", segment(command, "--help")[1])
    assert max(map(len, text.splitlines())) <= 80
    assert not re.search(r"<(bool|float|str|int.*|list.*)>", text)
    assert "--overwrite" in text


def test_export_tells_which_slides_are_in_it(project: Path, tmp_path: Path) -> None:
    code, output = segment("export", project, "--dest", tmp_path / "data", "--mpp", 8, "--label", "tumor")
    assert code == 0, output
    assert "done: 2 slides" in output
    assert "skipped: 1 slide\n" in output
    assert output.splitlines()[-1] == f"exported: {tmp_path / 'data'}"
    assert (tmp_path / "data" / "s0.png").is_file()


def test_wrong_use_is_told(project: Path, tmp_path: Path) -> None:
    code, output = segment("export", project, "--dest", tmp_path / "data", "--slide", "s7")
    assert code == 2
    assert "s7" in output
    code, output = segment("train", tmp_path / "slides", "--dest", tmp_path / "model", "--validate", "s1")
    assert code == 2
    with pytest.raises(SpecError, match="multiple of 16"):
        segment("train", project, "--dest", tmp_path / "model", "--size", 100)


@pytest.mark.long
@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:keras")
def test_train_shows_dice_and_where_the_model_is(project: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    small = ("--size", 16, "--depth", 1, "--filters", 2, "--steps", 1, "--epochs", 1, "--mpp", 8)
    code, output = segment("train", project, "--dest", tmp_path / "model", "--validate", "s1", *small)
    assert code == 0, output
    assert re.search(r"^tissue +[01]\.\d{3}$", output, re.MULTILINE)
    assert re.search(r"^Dice [01]\.\d{3} on 1 slide for validation, epoch 1 of 1$", output, re.MULTILINE)
    assert output.splitlines()[-1] == f"model: {tmp_path / 'model'}"


@pytest.mark.tensorflow
def test_rois_are_drawn_where_nobody_drew_any(project: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    model = save_pointwise(tmp_path / "model", SegmentConfig(size=32, depth=1, mpp=8), [0, -0.05, 0], 8)
    code, output = segment("rois", project, "--model", model)
    assert code == 0, output
    assert "done: 1 slide\n" in output
    assert "skipped: 2 slides" in output
    assert (tmp_path / "rois" / "s2.csv").is_file()
