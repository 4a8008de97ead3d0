"""`slidekit segment` in a terminal of 80 columns."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
import typer.main
from typer.testing import CliRunner

from slidekit.cli import app
from slidekit.cli.segment_spelling import EXPORT_OPTIONS, ROI_OPTIONS, TRAIN_OPTIONS, spell
from slidekit.errors import DatasetError, SpecError
from slidekit.io.slide_tiff import write_svs
from slidekit.pixels.mpp import MPP_MEND
from slidekit.project import create_project
from slidekit.segment.training import EpochResult, TrainedModel
from slidekit.slide.segmentation.config import SegmentConfig
from tests.slide.segmentation.handmade import save_pointwise


def segment(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["segment", *map(str, arguments)], env={"COLUMNS": "80"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def flags_of(command: str) -> set[str]:
    group = typer.main.get_command(app).commands["segment"]  # type: ignore[attr-defined]
    return {flag for parameter in group.commands[command].params for flag in parameter.opts}


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
    assert output.splitlines()[-2:] == [
        f"for QuPath: {tmp_path / 'rois' / 'generated'}",
        f"regions of interest: {tmp_path / 'rois'}",
    ]
    rows = (tmp_path / "rois" / "s2.csv").read_text().splitlines()[1:]
    assert all(re.fullmatch(r"tissue_\d+,,\d+(\.\d\d?)?,\d+(\.\d\d?)?", row) for row in rows)
    # Act, Assert: what the network drew is no truth
    code, output = segment("export", project, "--dest", tmp_path / "data")
    assert code == 0, output
    assert "generated by a network (s2.csv); --include-generated takes them" in output
    assert "done: 1 slide\n" in segment("export", project, "--dest", tmp_path / "data", "--include-generated")[1]


def history(*dices: float) -> tuple[EpochResult, ...]:
    return tuple(EpochResult(n, 0.5, 0.5, dice, {"background": 0.9, "a": dice}) for n, dice in enumerate(dices, 1))


def test_epochs_are_lines_where_there_is_no_terminal_and_a_leak_is_told_beside_the_dice(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Arrange: no network
    config = SegmentConfig(mode="multiclass", labels=["a"], epochs=2)

    def learn(config, dataset, *, on_epoch, dest, include_generated, **options) -> TrainedModel:
        assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "3"
        assert (config.val_fraction, include_generated) == (0.3, True)
        for one in history(0.25, 0.75):
            on_epoch(one)
        return TrainedModel(dest, config, history(0.25, 0.75), ("s0",), ("s1",), ("p",))

    monkeypatch.setattr("slidekit.segment.train", learn, raising=False)
    # Noted before it is set by the command, so that it is as before afterwards.
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "")
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")
    # Act
    options = ("--mode", "multiclass", "--label", "a", "--epochs", 2, "--val-fraction", 0.3, "--include-generated")
    code, output = segment("train", project, "--dest", tmp_path / "model", *options)
    # Assert
    assert code == 0, output
    assert config.class_names == ("background", "a")
    assert "epoch 1 of at most 2: loss 0.500, Dice 0.250\nepoch 2 of at most 2:" in output
    assert "Dice 0.750, the mean without background, on 1 slide for validation, epoch 2 of 2\n" in output
    assert "patients who validate also train (p)" in output


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("Train into another folder, or with overwrite=True.", TRAIN_OPTIONS, "or with --overwrite."),
        ("labels=[a, b], not none; epochs=2, not 3.", TRAIN_OPTIONS, "--label [a, b], not none; --epochs 2, not 3."),
        ("lr=0.01, not 0.001", TRAIN_OPTIONS, "--lr 0.01, not 0.001"),
        ("Give a smaller train_batch_size=, size= or filters=.", TRAIN_OPTIONS, "--batch-size, --size or --filters."),
        (
            "size=100 is no multiple of 16, which depth=4 needs.",
            TRAIN_OPTIONS,
            "--size 100 is no multiple of 16, which",
        ),
        ("val_batch_size=3: too large", TRAIN_OPTIONS, "val_batch_size=3: too large"),
        (f"No µm/px. {MPP_MEND}", ROI_OPTIONS, "column `mpp`, or for all slides by --slide-mpp."),
        (f"No µm/px. {MPP_MEND}", EXPORT_OPTIONS, "annotations column `mpp`."),
    ],
)
def test_messages_are_in_the_spelling_of_the_command_line(text: str, options: dict[str, str], said: str) -> None:
    assert said in spell(text, options)


@pytest.mark.parametrize(
    ("command", "options"), [("export", EXPORT_OPTIONS), ("train", TRAIN_OPTIONS), ("rois", ROI_OPTIONS)]
)
def test_every_option_of_the_spelling_is_there(command: str, options: dict[str, str]) -> None:
    assert set(options.values()) <= flags_of(command)


def test_errors_are_told_in_the_spelling_of_the_command_line(project: Path, tmp_path: Path) -> None:
    assert segment("export", project, "--dest", tmp_path / "data", "--mpp", 8)[0] == 0
    with pytest.raises(DatasetError, match="other parameters: --mpp 8, not 16; --label none, not ") as raised:
        segment("export", project, "--dest", tmp_path / "data", "--mpp", 16, "--label", "tumor")
    assert raised.value.mend == "Give another folder, or --overwrite."
    assert raised.value.path == tmp_path / "data"


def test_the_page_has_every_parameter_with_its_option_and_default() -> None:
    # Arrange
    page = (Path(__file__).parents[2] / "docs" / "tissue-segmentation.md").read_text("utf-8")
    words = {None: "none", True: "true"}
    wanted = []
    for name, field in SegmentConfig.model_fields.items():
        default = f"`{field.default}`" if isinstance(field.default, str) else words.get(field.default, field.default)
        option = f"`{TRAIN_OPTIONS[name]}`" if name in TRAIN_OPTIONS else ""
        wanted.append((name, option, str(default)))
    # Act
    rows = re.findall(r"^\| `(\w+)` \| ?(`--[\w-]+`)? ?\| ([^|]+) \| [^|]+ \|$", page, re.MULTILINE)
    # Assert
    assert rows == wanted
