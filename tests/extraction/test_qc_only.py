"""QC of slides without extraction: the same figures as an extraction's, and nothing written but what was asked for."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PIL import Image

from slidekit.demo.slides import DemoData
from slidekit.errors import DatasetError, ReportError, ROIError, SpecError
from slidekit.extraction.qc_only import list_slides, run_qc
from slidekit.extraction.runner import run_extraction
from slidekit.slide.spec import ExtractionSpec


@pytest.fixture(scope="module")
def spec() -> ExtractionSpec:
    return ExtractionSpec.create(tile_px=64, tile_um=64, qc="both", workers=1, artifact_labels="stroma")


@pytest.fixture
def here(spec: ExtractionSpec) -> ExtractionSpec:
    """The same, with a function that cannot be sent to a child: slides run in this process, which takes less time."""
    return spec.model_copy(update={"qc": (*spec.qc, lambda wsi: None)})


@pytest.fixture
def slides(demo: DemoData) -> list[Path]:
    return [demo.slides[0].path, demo.slides[1].path]


def test_figures_are_those_of_an_extraction(slides, demo, jobs, spec, tmp_path) -> None:
    # Arrange
    dry = spec.model_copy(update={"dry_run": True, "report": False, "grayspace_fraction": 1.0})
    extracted = run_extraction(jobs[:2], dry, report_dir=tmp_path / "reports")

    # Act
    found = run_qc(slides, spec, dest=tmp_path / "qc", rois=demo.rois_dir)

    # Assert
    assert list(found) == slides
    for path in slides:
        assert found[path].counts == extracted[path].counts
        assert found[path].qc_methods == extracted[path].qc_methods
        assert found[path].qc_methods
        assert found[path].artifacts == extracted[path].artifacts
    assert found[slides[0]].artifacts == 2
    table = (tmp_path / "qc" / "qc_report.csv").read_bytes()
    with (tmp_path / "reports" / "qc_report.csv").open("rb") as file:
        assert file.read() == table
    left = sorted(str(path.relative_to(tmp_path / "qc")) for path in (tmp_path / "qc").rglob("*") if path.is_file())
    assert left == sorted(["qc_report.csv", *(f"previews/{path.stem}.jpg" for path in slides)])


def test_an_artifact_label_that_no_region_has_is_refused(slides, demo, here) -> None:
    with pytest.raises(SpecError, match=r"labelled 'strooma'.*Labels there are: .*stroma"):
        run_qc(slides, here.model_copy(update={"artifact_labels": ("strooma",)}), rois=demo.rois_dir)


def test_tiles_dropped_add_up_with_all_other_reasons(slides, demo, here) -> None:
    for report in run_qc(slides, here, rois=demo.rois_dir).values():
        by_methods = sum(one.tiles_dropped or 0 for one in report.qc_methods)
        other = sum(report.counts.get(reason, 0) for reason in ("outside_roi", "artifact", "kept"))
        assert by_methods + other == report.candidates > 0


def test_a_slide_that_fails_is_named_and_the_others_go_on(slides, here, tmp_path) -> None:
    broken = tmp_path / "broken.svs"
    broken.write_bytes(b"no slide")

    found = run_qc([broken, slides[1]], here, dest=tmp_path / "qc")

    assert [report.status for report in found.values()] == ["failed", "done"]
    assert found[broken].reason
    with (tmp_path / "qc" / "qc_report.csv").open(newline="") as file:
        assert {row["slide"] for row in csv.DictReader(file)} == {slides[1].stem}


def test_one_picture_of_one_slide(slides, here, tmp_path) -> None:
    run_qc(slides[:1], here, picture=tmp_path / "one.png")

    with Image.open(tmp_path / "one.png") as image:
        assert image.format == "PNG"
        assert max(image.size) == pytest.approx(1200, abs=1)
    assert [path.name for path in tmp_path.iterdir()] == ["one.png"]


def test_masks_are_saved_and_make_no_row(slides, here, tmp_path) -> None:
    run_qc(slides[:1], here, dest=tmp_path / "qc", save=tmp_path / "masks")

    saved = [path.name for path in (tmp_path / "masks").iterdir()]
    assert f"{slides[0].stem}.qc.json" in saved
    assert sum(name.endswith(".png") for name in saved) == 2
    with (tmp_path / "qc" / "qc_report.csv").open(newline="") as file:
        assert [row["method"] for row in csv.DictReader(file)] == ["blur", "otsu"]


def test_wrong_use_is_said_before_any_work(slides, demo, spec, tmp_path) -> None:
    with pytest.raises(SpecError, match="No QC method"):
        run_qc(slides, ExtractionSpec.create(tile_px=64, tile_um=64))
    with pytest.raises(SpecError, match="One picture cannot show 2"):
        run_qc(slides, spec, picture=tmp_path / "one.png")
    with pytest.raises(ROIError, match="One file of regions"):
        run_qc(slides, spec, rois=next(demo.rois_dir.iterdir()))
    with pytest.raises(SpecError, match="no slides"):
        list_slides([tmp_path])
    assert list(tmp_path.iterdir()) == []


def test_folders_and_files_are_listed_once(slides, tmp_path) -> None:
    assert list_slides([slides[0], slides[0].parent]) == sorted(slides[0].parent.iterdir())
    double = tmp_path / slides[0].name
    double.touch()
    with pytest.raises(DatasetError, match="Two slides"):
        list_slides([slides[0], double])


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "qc_report.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_rows_of_other_slides_stay(slides, here, tmp_path) -> None:
    one, other = (
        here.model_copy(update={"qc": (word, lambda wsi: None), "artifact_labels": ()}) for word in ("otsu", "pen")
    )
    run_qc(slides, one, dest=tmp_path)
    first = _rows(tmp_path)

    run_qc(slides[1:], other, dest=tmp_path)

    assert _rows(tmp_path)[:1] == first[:1]
    assert [(row["slide"], row["method"]) for row in _rows(tmp_path)] == sorted(
        [(slides[0].stem, "otsu"), (slides[1].stem, "pen")]
    )


def test_folders_are_tried_before_any_work(slides, spec, demo, tmp_path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "extraction.json").touch()
    (tmp_path / "qc_report.csv").write_text("a,b\n1,2\n")

    for arguments, what in (
        ({"dest": tmp_path / "file" / "qc"}, "--dest"),
        ({"save": tmp_path / "file" / "qc"}, "--save"),
        ({"dest": tmp_path / "run"}, "holds an extraction"),
    ):
        with pytest.raises(SpecError, match=what):
            run_qc(slides, spec, rois=demo.rois_dir, **arguments)
    with pytest.raises(ReportError, match="not a table of QC"):
        run_qc(slides, spec, rois=demo.rois_dir, dest=tmp_path)


def test_an_interrupted_run_leaves_the_table_of_what_is_done(slides, here, tmp_path) -> None:
    spec = here.model_copy(update={"artifact_labels": ()})

    def interrupt(event) -> None:
        if event.kind == "started" and event.slide == slides[1].stem:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_qc(slides, spec, dest=tmp_path, on_event=interrupt)

    assert {row["slide"] for row in _rows(tmp_path)} == {slides[0].stem}
