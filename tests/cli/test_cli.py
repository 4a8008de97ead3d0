from __future__ import annotations

import csv
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from slidekit.cli import app
from slidekit.cli.options import flags_of
from slidekit.demo.slides import DemoData, draw_demo_slides
from slidekit.slide.spec import ExtractionSpec

SIZE = ["--tile-px", "64", "--tile-um", "64"]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoData:
    return draw_demo_slides(tmp_path_factory.mktemp("demo"), size=0.3)


def slidekit(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does: a process of its own, 80 columns, no terminal."""
    return subprocess.run(
        [sys.executable, "-m", "slidekit", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | {"COLUMNS": "80", "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=120,
        check=False,
    )


def plain(text: str) -> str:
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", text).replace("│", " ").split())


def test_every_field_of_the_spec_is_an_option() -> None:
    text = plain(CliRunner().invoke(app, ["extract", "--help"], env={"COLUMNS": "400"}).output)

    for name, field in ExtractionSpec.model_fields.items():
        # Further sizes are said by --tile-um, which may be repeated.
        for flag in flags_of(name, field) if name != "more_um" else ["--tile-um"]:
            assert flag in text.split(), f"{flag} is missing"


@pytest.mark.parametrize(("flags", "field", "value"), [
    (["--qc", "otsu", "--qc", "gaussian"], "qc", ("otsu", "blur")),
    (["--roi-filter", "0.7"], "roi_filter_method", 0.7),
    (["--roi-filter", "center"], "roi_filter_method", "center"),
    (["--tile-um", "20x"], "tile_um", "20x"),
    (["--tile-um", "302.5"], "tile_um", 302.5),
    (["--tile-mpp", "0.5"], "tile_um", 32.0),
    (["--tile-um", "64", "--tile-um", "256"], "more_um", (256.0,)),
    (["--tile-um", "64", "--tile-um", "256"], "tile_um", 64.0),
    (["--tile-mpp", "0.5", "--tile-mpp", "2"], "more_um", (128.0,)),
    (["--roi-origin", "10", "20.5"], "roi_origin", (10.0, 20.5)),
    (["--no-shuffle"], "shuffle", False),
    (["--dry-run"], "dry_run", True),
    ([], "shuffle", True),
    (["--mpp", "0.5"], "mpp", 0.5),
    (["--img-format", "png"], "img_format", "png"),
    (["--buffer", "/fast"], "buffer", Path("/fast")),
    (["--buffer", "/fast", "--buffer-gb", "0.5"], "buffer_gb", 0.5),
])  # fmt: skip
def test_options_reach_the_spec(monkeypatch, flags, field, value) -> None:
    from slidekit import project

    seen: dict[str, object] = {}

    class StopError(Exception):
        pass

    def load(root: Path) -> None:
        raise StopError

    def create(**options: object) -> ExtractionSpec:
        seen.update(options)
        return original(**options)

    original = ExtractionSpec.create
    monkeypatch.setattr(project, "load_project", load)
    monkeypatch.setattr(ExtractionSpec, "create", create)
    size = ["--tile-px", "64"] + ([] if {"--tile-um", "--tile-mpp"} & set(flags) else ["--tile-um", "64"])

    result = CliRunner().invoke(app, ["extract", "p", *size, *flags])

    assert isinstance(result.exception, StopError), result.output
    assert getattr(original(**seen), field) == value


def test_create_extract_report_info_preview(demo: DemoData, tmp_path: Path) -> None:
    # Act / Assert: create
    made = slidekit(
        "create", "proj", "--slides", demo.slides_dir, "--rois", demo.rois_dir, "--annotations", demo.annotations,
        cwd=tmp_path,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert "slidekit extract proj" in made.stdout

    # extract
    run = slidekit("extract", "proj", *SIZE, "--qc", "both", "--normalizer", "macenko", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "slides 5: 4 done, 1 empty" in plain(run.stdout)
    assert max(map(len, run.stdout.splitlines())) <= 80
    folder = tmp_path / "proj" / "tfrecords" / "64px_64um"
    assert len(list(folder.glob("*.tfrecords"))) == 4
    assert len(list(folder.glob("*.pdf"))) == 1

    # extract again: nothing to do
    again = slidekit("extract", "proj", *SIZE, "--qc", "both", "--normalizer", "macenko", cwd=tmp_path)
    assert again.returncode == 0
    assert "slides 5: 5 skipped" in plain(again.stdout)

    # extract with a filter, dry
    dry = slidekit("extract", "proj", *SIZE, "--dry-run", "--filter", "site=north", cwd=tmp_path)
    assert dry.returncode == 0, dry.stderr
    assert "slides 2: 2 done" in plain(dry.stdout)
    assert len(list((tmp_path / "proj" / "reports").glob("*.pdf"))) == 1
    assert not list((tmp_path / "proj" / "reports").rglob("*.tfrecords"))

    # report
    for pdf in folder.glob("*.pdf"):
        pdf.unlink()
    report = slidekit("report", "proj", cwd=tmp_path)
    assert report.returncode == 0, report.stderr
    assert len(list(folder.glob("*.pdf"))) == 1

    # info and preview
    slide = demo.slides[0]
    info = slidekit("info", slide.path, "--rois", demo.rois_dir / f"{slide.name}.csv")
    assert info.returncode == 0, info.stderr
    assert f"{slide.mpp:g} (aperio.MPP)" in info.stdout
    assert "No problems found" in info.stdout
    picture = tmp_path / "preview.png"
    shown = slidekit("preview", slide.path, "-o", picture, "--tile-um", "64", "--qc", "otsu")
    assert shown.returncode == 0, shown.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert not [path for path in tmp_path.iterdir() if path.name not in ("proj", "preview.png")]


def test_broken_slides_among_good_ones(demo: DemoData, real_data: Path, tmp_path: Path) -> None:
    # Arrange
    slides = tmp_path / "slides"
    slides.mkdir()
    for path in [*(real_data / "broken").iterdir(), demo.slides[2].path, demo.slides[3].path]:
        if path.suffix in (".svs", ".tiff"):
            shutil.copy(path, slides)
    (slides / "text.svs").write_text("a text, no slide\n")

    # Act
    assert slidekit("create", "proj", "--slides", slides, cwd=tmp_path).returncode == 0
    run = slidekit("extract", "proj", *SIZE, cwd=tmp_path)

    # Assert
    assert run.returncode == 1
    bad = ["bad-tile-data", "not-a-tiff", "text", "unknown-compression"]
    output = plain(run.stdout)
    folder = tmp_path / "proj" / "tfrecords" / "64px_64um"
    rows = {row["slide"]: row for row in csv.DictReader((folder / "extraction_report.csv").read_text().splitlines())}
    assert len(rows) == 6
    pypdf = pytest.importorskip("pypdf")
    (pdf,) = folder.glob("*.pdf")
    text = " ".join(page.extract_text() for page in pypdf.PdfReader(pdf).pages)
    for name in bad:
        assert name in output
        assert rows[name]["status"] == "failed"
        assert rows[name]["reason"]
        assert name in text
    assert output.count(" failed ") >= 4
    assert {row["status"] for name, row in rows.items() if name not in bad} == {"done"}
    assert "Traceback" not in run.stdout + run.stderr
    assert str(tmp_path) not in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["extract", "nowhere", *SIZE], "is not a project"),
        (["extract", "nowhere", "--tile-px", "64"], "--tile-um is missing"),
        (["extract", "nowhere", "--tile-um", "64"], "--tile-px is missing"),
        (["extract", "nowhere", "--tile-mpp", "0.5"], "--tile-px is missing"),
        (["extract", "nowhere"], "--tile-px is missing. --tile-um is missing"),
        (["preview", "x.svs", "-o", "x.png"], "--tile-um is missing"),
        (["preview", "x.svs", "-o", "no/where.png", "--tile-um", "64"], "there is no folder 'no'"),
        (["preview", "x.svs", "-o", "x.gif", "--tile-um", "64"], "x.gif does not end in .png, .jpg or .jpeg"),
        (["preview", "x.svs", "-o", "x.png", "--width", "15"], "15 is not from 16 to 20000"),
        (["extract", "nowhere", *SIZE, "--qc", "magic"], "otsu, blur, gaussian, both"),
        (["extract", "nowhere", *SIZE, "--img-format", "gif"], "'gif' is not one of"),
        (["extract", "nowhere", "--tile-px", "64", "--tile-um", "big"], "is not a tile size"),
        (["nonsense"], "No such command"),
    ],
)
def test_wrong_use_is_a_sentence_and_exit_code_2(tmp_path: Path, arguments: list[str], says: str) -> None:
    result = slidekit(*arguments, cwd=tmp_path)

    assert result.returncode == 2
    assert says in plain(result.stderr)
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_slide_that_cannot_be_used_is_exit_code_1(tmp_path: Path) -> None:
    bad = tmp_path / "bad.svs"
    bad.write_text("no slide")

    result = slidekit("info", bad)

    assert result.returncode == 1
    assert "not a slide" in result.stderr
    assert "Traceback" not in result.stderr


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    result = slidekit("--debug", "info", tmp_path / "missing.svs")

    assert result.returncode == 1
    assert "Traceback" in result.stderr


def test_info_says_what_is_wrong_with_regions(demo: DemoData, tmp_path: Path) -> None:
    rois = tmp_path / "rois.csv"
    rois.write_text("roi_name,x_base,y_base,label\na,0,0,t\na,900,0,t\na,0,900,t\nb,10,10,t\nb,oops,20,t\n")

    result = slidekit("info", demo.slides[0].path, "--rois", rois)

    assert result.returncode == 0
    assert "1 regions of interest" in result.stdout
    assert "line 6" in plain(result.stdout)


def test_info_finds_the_regions_of_the_slide_in_a_folder(demo: DemoData, tmp_path: Path) -> None:
    slide = demo.slides[0]

    of_file = slidekit("info", slide.path, "--rois", demo.rois_dir / f"{slide.name}.csv")
    of_folder = slidekit("info", slide.path, "--rois", demo.rois_dir)
    of_none = slidekit("info", slide.path, "--rois", tmp_path)

    assert of_folder.returncode == 0
    assert "regions of interest" in of_folder.stdout
    assert of_folder.stdout == of_file.stdout
    assert of_none.returncode == 1
    assert f"no file of regions of {slide.name}" in plain(of_none.stdout)
    assert "Traceback" not in of_none.stderr


def test_the_next_line_can_be_pasted_into_a_shell(demo: DemoData, tmp_path: Path) -> None:
    name = "my [bold] project; with a name that is longer than a line of eighty columns has room for"

    made = slidekit("create", name, "--slides", demo.slides_dir, cwd=tmp_path)

    (line,) = [line for line in made.stdout.splitlines() if line.startswith("Next: ")]
    assert shlex.split(line)[1:4] == ["slidekit", "extract", name]


@pytest.mark.long
def test_no_report_names_no_report(demo: DemoData, tmp_path: Path) -> None:
    # Arrange: a run that leaves a report
    slidekit("create", "proj", "--slides", demo.slides_dir, cwd=tmp_path)
    first = slidekit("extract", "proj", *SIZE, "--dry-run", cwd=tmp_path)
    assert "tile_extraction_report-" in first.stdout

    # Act
    second = slidekit("extract", "proj", *SIZE, "--dry-run", "--no-report", cwd=tmp_path)

    # Assert
    assert second.returncode == 0, second.stderr
    assert "tile_extraction_report-" not in second.stdout


def test_help_and_import_are_light() -> None:
    code = (
        "import sys, slidekit\n"
        "heavy = {'numpy', 'pandas', 'cv2', 'tensorflow', 'torch', 'scipy', 'matplotlib', 'pydantic'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()\n"
        "import slidekit.cli\n"
        "heavy -= {'pydantic'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})


def test_version() -> None:
    import slidekit as package

    assert slidekit("--version").stdout.strip() == f"slidekit {package.__version__}"


def test_public_names_are_sorted_and_exist() -> None:
    import slidekit as package

    assert len(set(package.__all__)) == len(package.__all__)
    for name in package.__all__:
        assert getattr(package, name) is not None
