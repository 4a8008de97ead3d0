"""README and docs: examples run, links lead somewhere, options exist, pictures are small."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import warnings
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
import typer.main
from typer.testing import CliRunner

from slidekit.cli import app
from slidekit.demo.slides import draw_demo_slides
from slidekit.project import load_project

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "qupath").glob("*.md")])

# A region that crosses itself and a row without a number, as regions-of-interest.md shows them.
BAD_ROIS = "roi_name,label,x_base,y_base\na,tumor,10,10\na,tumor,90,90\na,tumor,90,10\na,tumor,10,90\nb,tumor,10,abc\n"


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[list[str]]:
    """Every command line of slidekit in the page's shell examples, as words."""
    lines = "\n".join(blocks(page_name(page), "sh")).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.startswith("slidekit ")]


def options_of(command: str) -> set[str]:
    group = typer.main.get_command(app)
    chosen = group.commands[command]  # type: ignore[attr-defined]
    found = [*chosen.params, *(one for inner in getattr(chosen, "commands", {}).values() for one in inner.params)]
    return {flag for parameter in found for flag in (*parameter.opts, *parameter.secondary_opts)}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small demo slides under the names that the examples use; not to be written into."""
    folder = tmp_path_factory.mktemp("docs")
    data = draw_demo_slides(folder / "demo-project" / "data", size=0.3)
    (folder / "slides").symlink_to(data.slides_dir)
    (folder / "rois").symlink_to(data.rois_dir)
    (folder / "annotations.csv").symlink_to(data.annotations)
    (folder / "bad.csv").write_text(BAD_ROIS, encoding="utf-8")
    return folder


@pytest.fixture
def folder(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of the test's own, with the demo slides in it."""
    for path in drawn.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Ended(NamedTuple):
    exit_code: int
    output: str


def run_command(words: list[str]) -> Ended:
    result = CliRunner().invoke(app, words[1:])
    return Ended(result.exit_code, f"{result.output}{result.exception or ''}")


def run_python(page: str) -> None:
    """Run the Python examples of a page, one after the other, as a reader would."""
    names: dict[str, object] = {"__name__": "example"}
    for number, code in enumerate(blocks(page, "python")):
        exec(compile(code, f"{page}[{number}]", "exec"), names)


def test_readme_python_example_makes_tiles(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Act
    run_python("README.md")

    # Assert
    printed = capsys.readouterr().out
    north = load_project("study").dataset(256, 128, filters={"site": "north"})
    assert "demo-2-blur-and-pen done" in printed
    assert north.num_tiles > 0
    assert f"{north.num_tiles} tiles in" in printed


def test_readme_command_line_does_the_same_as_its_python(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Arrange
    run_python("README.md")
    by_python = load_project("study").dataset(256, 128)
    names = [path.name for path in by_python.tfrecords()]
    python_tiles = [path.read_bytes() for path in by_python.tfrecords()]
    shutil.rmtree(folder / "study")

    # Act
    ended = [run_command(words) for words in commands(ROOT / "README.md")]

    # Assert
    assert [run.exit_code for run in ended] == [0, 0], "\n".join(run.output for run in ended)
    by_command = load_project("study").dataset(256, 128)
    assert [path.name for path in by_command.tfrecords()] == names
    assert [path.read_bytes() for path in by_command.tfrecords()] == python_tiles
    assert list((folder / "study/tfrecords/256px_128um").glob("tile_extraction_report-*.pdf"))


def test_getting_started_runs_from_top_to_bottom(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Arrange: the demonstration itself is tested elsewhere, at its full size.
    lines = [words for words in commands(DOCS / "getting-started.md") if words[1] != "demo"]

    # Act
    ended = [run_command(words) for words in lines]
    run_python("docs/getting-started.md")

    # Assert
    assert [words[1] for words in lines] == ["info", "preview", "create", "extract", "extract", "verify", "extract"]
    assert [run.exit_code for run in ended] == [0] * len(lines), "\n".join(run.output for run in ended)
    assert (folder / "preview.png").is_file()
    assert (folder / "study/reports/extraction_report.csv").is_file()
    assert "demo-3-rescan skipped" in capsys.readouterr().out


def test_quality_control_examples_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preview, alone, _extract = commands(DOCS / "quality-control.md")

    ended = [run_command(words) for words in (preview, alone)]
    run_python("docs/quality-control.md")

    assert [run.exit_code for run in ended] == [0, 0], "\n".join(run.output for run in ended)
    assert (folder / "stricter.png").is_file()
    assert (folder / "masks/qc_report.csv").is_file()
    assert len(list((folder / "masks").glob("*.qc.json"))) == 5
    assert "blue" in capsys.readouterr().out


def test_stain_normalisation_examples_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_python("docs/stain-normalisation.md")

    assert "TileCount(used=" in capsys.readouterr().out
    assert (folder / "macenko.json").is_file()
    assert '"norm_fit"' in (folder / "params.json").read_text(encoding="utf-8")


def test_coordinates_examples_run(folder: Path) -> None:
    # Arrange
    (folder / "mitoses.csv").write_text("slide,x,y,label\ndemo-1-regions.svs,700.5,800,mitosis\n", encoding="utf-8")
    extract, preview = commands(DOCS / "coordinates.md")

    # Act
    shown = run_command(preview)
    run_python("docs/coordinates.md")

    # Assert
    assert shown.exit_code == 0, shown.output
    assert "1 of 1 tiles" in shown.output
    assert "--coordinates" in extract
    report = json.loads((folder / "hot-spots/256px_128um/demo-1-regions.json").read_text(encoding="utf-8"))
    assert report["coordinates"] == 5


def run_magnifications(folder: Path, *without: str) -> dict[str, object]:
    """Run the Python examples of docs/magnifications.md on one slide, those that import some modules left out."""
    slide = (folder / "slides").resolve() / "demo-1-regions.svs"
    (folder / "slides").unlink()
    (folder / "slides").mkdir()
    (folder / "slides" / slide.name).symlink_to(slide)
    names: dict[str, object] = {"__name__": "example"}
    for code in blocks("docs/magnifications.md", "python"):
        if not any(f"import {module}\n" in code for module in without):
            exec(compile(code, "docs/magnifications.md", "exec"), names)
    return names


def test_magnifications_examples_run(folder: Path) -> None:
    # Act: the loop over batches asserts on its own account
    names = run_magnifications(folder, "keras", "torch")

    # Assert: the command asks for what the Python example asks for
    (command,) = commands(DOCS / "magnifications.md")
    sizes = [float(value) for flag, value in pairwise(command) if flag == "--tile-um"]
    assert sizes == list(names["dataset"].tile_sizes)  # type: ignore[attr-defined]
    assert names["same"].num_tiles == names["dataset"].num_tiles > 0  # type: ignore[attr-defined]
    assert len({names["tile"], names["around"]}) == 2
    assert json.loads((folder / "params.json").read_text(encoding="utf-8"))["hp"]["tile_um"] == [128.0, 512.0]


@pytest.mark.tensorflow
@pytest.mark.long
def test_magnifications_are_taken_by_a_keras_model(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what TensorFlow does on import is not ours
        pytest.importorskip("tensorflow")

    names = run_magnifications(folder, "torch")

    assert names["history"].history["loss"][0] > 0  # type: ignore[attr-defined]


@pytest.mark.torch
def test_magnifications_are_taken_by_a_torch_network(folder: Path) -> None:
    names = run_magnifications(folder, "keras")

    assert float(names["loss"].detach()) > 0  # type: ignore[attr-defined]


def test_regions_of_interest_example_says_what_is_wrong(folder: Path) -> None:
    (command,) = commands(DOCS / "regions-of-interest.md")

    ended = run_command(command)

    said = " ".join(ended.output.split())
    assert ended.exit_code == 0
    assert "line 6: ROI 'b': The row is left out: y_base is 'abc', which is not a number. (skipped)" in said
    assert "The outline crosses or touches itself" in said
    assert "a_part2" in said


@pytest.mark.tensorflow
def test_formats_examples_read_what_was_written(folder: Path) -> None:
    # Arrange
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what TensorFlow does on import is not ours
        pytest.importorskip("tensorflow")
    from slidekit import create_project

    project = create_project("study", slides="slides", rois="rois", annotations="annotations.csv")
    project.extract_tiles(256, 128, filters={"slide": "demo-1-regions"}, report=False)
    names: dict[str, object] = {}

    # Act
    for code in blocks("docs/formats.md", "python"):
        exec(code, names)

    # Assert
    assert tuple(names["image"].shape) == (256, 256, 3)  # type: ignore[attr-defined]
    assert names["tile"].slide == "demo-1-regions"  # type: ignore[attr-defined]


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_relative_links_and_pictures_exist(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"[a-z]+:", link)]

    missing = [link for link in links if not (page.parent / link.partition("#")[0]).exists()]

    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_to_headings_lead_to_one(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s:]*)#([^)\s]+)\)", page.read_text(encoding="utf-8"))

    lost = []
    for path, anchor in links:
        target = (page.parent / path) if path else page
        headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        if anchor not in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}:
            lost.append(f"{path}#{anchor}")

    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_commands_use_options_that_exist(page: Path) -> None:
    unknown = [
        f"{words[1]} {word}"
        for words in commands(page)
        for word in words[2:]
        if word.startswith("-") and word.partition("=")[0] not in options_of(words[1])
    ]

    assert unknown == []


# Options of pip, of the project's own scripts, of SLURM and of Dask.
OTHER_OPTIONS = {"--fix", "--all", "--torch", "--strict"}
OTHER_OPTIONS |= {"--array", "--cpus-per-task", "--mem", "--time", "--nthreads"}


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_options_in_the_text_exist(page: Path) -> None:
    names = ("create", "extract", "export", "verify", "info", "preview", "qc", "convert", "sample", "bench-sampler")
    names += ("segment", "cells")
    known = {"--help", *OTHER_OPTIONS}.union(*(options_of(name) for name in names))

    named = re.findall(r"(?<![\w-])--[a-z][a-z-]+", page.read_text(encoding="utf-8"))

    assert sorted(set(named) - known) == []


def test_every_picture_is_used_and_small() -> None:
    pictures = sorted(path for path in (DOCS / "images").iterdir() if path.suffix in (".png", ".jpg", ".svg"))
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)

    assert len(pictures) >= 4
    assert [picture.name for picture in pictures if f"images/{picture.name}" not in text] == []
    assert [picture.name for picture in pictures if picture.stat().st_size > 250_000] == []


def test_every_decision_is_listed() -> None:
    listed = (DOCS / "decisions" / "README.md").read_text(encoding="utf-8")

    pages = [page.name for page in sorted((DOCS / "decisions").glob("0*.md"))]

    assert len(pages) >= 10
    assert [name for name in pages if name not in listed] == []
