"""The examples of docs/sampling.md run, one after another; its tables name options that there are."""

from __future__ import annotations

import re
import shlex
import warnings
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from slidekit.cli import app
from slidekit.demo.slides import draw_demo_slides
from slidekit.project import create_project
from slidekit.sampling import SamplingSpec

PAGE = Path(__file__).resolve().parents[2] / "docs" / "sampling.md"
FRAMEWORKS = ("torch", "tensorflow")


def blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def framework_of(code: str) -> str:
    """The framework whose tensors an example makes; empty for none."""
    return next((name for name in FRAMEWORKS if f".{name}(" in code), "")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLIDEKIT_CACHE", str(tmp_path / "cache"))
    # What a worker process costs at its start is not what is tested.
    monkeypatch.setattr("slidekit.sampling.feeding.feed.usable_cores", lambda: 0)
    data = draw_demo_slides(tmp_path / "demo-project" / "data", size=0.3)
    create_project("study", slides=data.slides_dir, rois=data.rois_dir, annotations=data.annotations)
    return tmp_path


def run(wanted: tuple[str, ...]) -> dict[str, object]:
    """Run the examples without a framework, and those with one of these; they assert on their own account, too."""
    names: dict[str, object] = {}
    for number, code in enumerate(blocks()):
        if framework_of(code) in wanted:
            exec(compile(code, f"{PAGE.name}[{number}]", "exec"), names)
    return names


@pytest.mark.long
def test_the_examples_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = run(("",))

    assert len(names["written"]) == 48  # type: ignore[arg-type]
    assert names["start"] == 640
    assert "demo-5-almost-empty" in capsys.readouterr().out
    masks = list((folder / "cache").rglob("*.png"))
    assert masks
    assert not list((folder / "demo-project").rglob("*.png"))


@pytest.mark.long
def test_the_commands_run(folder: Path) -> None:
    text = "\n".join(re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE))
    lines = [shlex.split(line) for line in text.splitlines()]

    # Fewer patches than the page times.
    ended = [
        CliRunner().invoke(app, [*words[1:], *(["--patches", "16", "--workers", "0"] * (words[1] == "bench-sampler"))])
        for words in lines
    ]

    assert [words[1] for words in lines] == ["sample", "bench-sampler"]
    assert [run.exit_code for run in ended] == [0, 0], "\n".join(f"{run.output}{run.exception}" for run in ended)
    assert (folder / "audit.png").is_file()


@pytest.mark.long
@pytest.mark.torch
def test_the_example_of_torch_runs(folder: Path) -> None:
    pytest.importorskip("torch")
    first, of_torch = blocks()[0], [code for code in blocks() if framework_of(code) == "torch"]
    names: dict[str, object] = {}

    for code in (first, *of_torch):
        exec(code, names)

    assert tuple(names["images"].shape) == (16, 3, 256, 256)  # type: ignore[attr-defined]
    assert -1 <= float(names["images"].min()) < 0  # type: ignore[attr-defined]


@pytest.mark.long
@pytest.mark.tensorflow
def test_the_example_of_tensorflow_runs(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what TensorFlow does on import is not ours
        pytest.importorskip("tensorflow")
    first, of_tensorflow = blocks()[0], [code for code in blocks() if framework_of(code) == "tensorflow"]
    names: dict[str, object] = {}

    for code in (first, *of_tensorflow):
        exec(code, names)

    assert tuple(names["images"].shape) == (16, 256, 256, 3)  # type: ignore[attr-defined]


def test_options_that_the_page_names_exist() -> None:
    from slidekit.augment.patches import PatchAugment
    from slidekit.sampling.feeding.faces import FaceOptions

    text = re.sub(r"^```.*?^```$", "", PAGE.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    # The last two tables name other packages' options in their first column.
    ours = re.sub(r"^\| .*? \| ", "| ", text[text.index("## Coming from") :], flags=re.MULTILINE)
    named = set(re.findall(r"`([a-z_]+)=", text[: text.index("## Coming from")] + ours))
    known = set(SamplingSpec.model_fields) | {field.name for field in (*fields(FaceOptions), *fields(PatchAugment))}
    # Of a feed, of materialise, of Dataset, and of HistoFetch.
    known |= {"workers", "look_ahead", "memory", "img_format", "masks", "label_masks"}

    assert len(named) > 20
    assert sorted(named - known) == []
