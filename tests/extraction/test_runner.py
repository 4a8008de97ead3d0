from __future__ import annotations

import csv
import errno
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from slidekit.errors import DatasetError, MissingExtraError, NormalizerError, SpecError
from slidekit.extraction.runner import ProgressEvent, SlideJob, run_extraction
from slidekit.io.tfrecord import TileRecord, index_path, iter_records, read_index


def run(jobs, spec, **options):
    return run_extraction(jobs, spec, report_dir=jobs[0].tfrecords or jobs[0].tiles, **options)


def seconds(folder: Path) -> dict[str, float]:
    rows = csv.DictReader((folder / "timings.csv").read_text().splitlines())
    return {row["slide"]: float(row["seconds"]) for row in rows}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but what holds a time."""
    names = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in names
        if path.suffix != ".pdf" and path.name != "timings.csv" and not path.name.startswith("warn_report")
    }


def test_counts_agree_everywhere(jobs, make_spec) -> None:
    # Act
    reports = run(jobs, make_spec(report=True))

    # Assert
    folder = jobs[0].tfrecords
    manifest = json.loads((folder / "manifest.json").read_text())
    rows = {row["slide"]: row for row in csv.DictReader((folder / "extraction_report.csv").read_text().splitlines())}
    assert {report.status for report in reports.values()} == {"done", "empty"}
    for report in reports.values():
        assert sum(report.counts.values()) == report.candidates
        assert int(rows[report.slide]["kept"]) == report.kept
        stored = json.loads((folder / f"{report.slide}.json").read_text())
        assert stored["counts"] == report.counts
        path = folder / f"{report.slide}.tfrecords"
        if report.kept == 0:
            assert not path.exists()
            assert path.name not in manifest
            continue
        found = [TileRecord.decode(payload) for _, payload in iter_records(path)]
        index = read_index(index_path(path))
        assert len(found) == len(index) == report.kept == manifest[path.name]["total"]
        assert [(record.loc_x, record.loc_y) for record in found] == [tuple(row) for row in index.locations]
        assert {record.slide for record in found} == {report.slide}
    assert len(list(folder.glob("tile_extraction_report-*.pdf"))) == 1


def test_the_pdf_states_the_same_counts(jobs, make_spec) -> None:
    pypdf = pytest.importorskip("pypdf")

    reports = run(jobs, make_spec(report=True))

    (pdf,) = jobs[0].tfrecords.glob("*.pdf")
    pages = [" ".join(page.extract_text().split()) for page in pypdf.PdfReader(pdf).pages]
    total = sum(report.kept for report in reports.values())
    assert f"{total}tiles kept" in pages[0]
    for report in reports.values():
        assert f"{report.slide} {report.status} {report.kept} {report.candidates} " in pages[1], pages[1]


@pytest.mark.tensorflow
def test_tensorflow_reads_and_decodes_every_record(jobs, make_spec) -> None:
    tf = pytest.importorskip("tensorflow")
    reports = run(jobs, make_spec(normalizer="macenko"))

    features = {
        "image_raw": tf.io.FixedLenFeature([], tf.string),
        "slide": tf.io.FixedLenFeature([], tf.string),
        "loc_x": tf.io.FixedLenFeature([], tf.int64),
        "loc_y": tf.io.FixedLenFeature([], tf.int64),
        "label": tf.io.FixedLenFeature([], tf.string, default_value=""),
    }
    for report in reports.values():
        if not report.kept:
            continue
        dataset = tf.data.TFRecordDataset(str(jobs[0].tfrecords / f"{report.slide}.tfrecords"))
        seen = 0
        labels: dict[str, int] = {}
        for raw in dataset:
            example = tf.io.parse_single_example(raw, features)
            assert tf.io.decode_jpeg(example["image_raw"]).shape == (64, 64, 3)
            assert example["slide"].numpy().decode() == report.slide
            label = example["label"].numpy().decode()
            labels[label] = labels.get(label, 0) + 1
            seen += 1
        assert seen == report.kept
        labels.pop("", None)
        assert labels == report.labels


def test_bytes_are_the_same_whatever_the_workers_and_threads(jobs, make_spec, tmp_path) -> None:
    # Arrange
    folders = {}
    for workers, threads in [(1, 1), (2, 1), (1, 3)]:
        folder = tmp_path / f"{workers}-{threads}" / "64px_64um"
        moved = [replace(job, tfrecords=folder) for job in jobs]

        # Act
        run(moved, make_spec(normalizer="reinhard", workers=workers, threads=threads))
        folders[workers, threads] = contents(folder)

    # Assert
    first, *others = folders.values()
    assert len(first) > 15
    for other in others:
        assert other == first


def test_dry_run_counts_as_the_real_one_and_writes_no_tiles(jobs, make_spec, tmp_path) -> None:
    # Arrange
    real = run(jobs, make_spec())
    dry_jobs = [replace(job, tfrecords=None) for job in jobs]

    # Act
    dry = run_extraction(dry_jobs, make_spec(dry_run=True, report=True), report_dir=tmp_path / "reports")

    # Assert
    assert {report.slide: report.counts for report in dry.values()} == {
        report.slide: report.counts for report in real.values()
    }
    assert not list((tmp_path / "reports").rglob("*.tfrecords"))
    assert not list((tmp_path / "reports").rglob("*.json"))
    assert len(list((tmp_path / "reports").glob("*.pdf"))) == 1


def test_finished_slides_are_left_alone(jobs, make_spec) -> None:
    # Arrange
    run(jobs, make_spec())
    before = contents(jobs[0].tfrecords)
    stamps = {path: path.stat().st_mtime_ns for path in jobs[0].tfrecords.glob("*.tfrecords")}
    timings = seconds(jobs[0].tfrecords)

    # Act
    reports = run(jobs, make_spec())

    # Assert
    assert {report.status for report in reports.values()} == {"skipped"}
    assert contents(jobs[0].tfrecords) == before
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert seconds(jobs[0].tfrecords) == timings
    assert all(timings.values())


@pytest.mark.parametrize(
    "damage",
    [
        "truncate",
        pytest.param("delete index", marks=pytest.mark.long),
        pytest.param("delete records", marks=pytest.mark.long),
    ],
)
def test_a_slide_whose_files_are_damaged_is_extracted_again(jobs, make_spec, damage: str) -> None:
    # Arrange
    first = run(jobs, make_spec())
    victim = next(report for report in first.values() if report.kept)
    path = jobs[0].tfrecords / f"{victim.slide}.tfrecords"
    whole = path.read_bytes()
    if damage == "truncate":
        path.write_bytes(whole[:-1])
    elif damage == "delete index":
        index_path(path).unlink()
    else:
        path.unlink()

    # Act
    again = run(jobs, make_spec())

    # Assert
    states = {report.slide: report.status for report in again.values()}
    assert states.pop(victim.slide) == "done"
    assert set(states.values()) == {"skipped"}
    assert path.read_bytes() == whole


def test_a_changed_region_file_has_its_slide_extracted_again(jobs, make_spec, tmp_path) -> None:
    # Arrange
    with_rois = next(job for job in jobs if job.rois)
    rois = tmp_path / "rois.csv"
    rois.write_bytes(with_rois.rois.read_bytes())
    jobs = [replace(job, rois=rois) if job is with_rois else job for job in jobs]
    run(jobs, make_spec())

    # Act
    rois.write_text(rois.read_text().replace("stroma", "fibrous"))
    again = run(jobs, make_spec())

    # Assert
    assert again[with_rois.path].status == "done"
    assert "fibrous" in again[with_rois.path].labels
    assert sum(report.status == "skipped" for report in again.values()) == len(jobs) - 1


def test_a_slide_that_went_away_does_not_cost_its_tiles(jobs, make_spec, tmp_path) -> None:
    # Arrange: a share that is not mounted this time
    moved = tmp_path / f"{jobs[0].name}.svs"
    moved.write_bytes(jobs[0].path.read_bytes())
    jobs = [replace(jobs[0], path=moved, rois=None)]
    run(jobs, make_spec())
    before = contents(jobs[0].tfrecords)
    moved.rename(tmp_path / "elsewhere.svs")

    # Act
    reports = run(jobs, make_spec())

    # Assert
    assert reports[moved].status == "failed"
    after = contents(jobs[0].tfrecords)
    kept = [name for name in before if name.startswith(f"{jobs[0].name}.")]
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert len(kept) == 4


def test_records_that_somebody_else_made_are_not_replaced(jobs, make_spec) -> None:
    folder = jobs[0].tfrecords
    folder.mkdir(parents=True)
    theirs = folder / f"{jobs[0].name}.tfrecords"
    theirs.write_bytes(b"Slideflow's")

    reports = run(jobs, make_spec())

    assert theirs.read_bytes() == b"Slideflow's"
    assert reports[jobs[0].path].status == "failed"
    assert "was not made by slidekit" in reports[jobs[0].path].reason
    assert sum(report.status == "done" for report in reports.values()) == 3


@pytest.mark.long
def test_loose_tiles_off_and_on_again(jobs, make_spec, tmp_path) -> None:
    # Arrange
    jobs = [replace(job, tiles=tmp_path / "tiles") for job in jobs[:1]]
    run(jobs, make_spec(save_tiles=True))
    own = tmp_path / "tiles" / jobs[0].name / f"{jobs[0].name}-128-128.mask.png"
    own.write_bytes(b"the user's")

    # Act / Assert: overwritten with other tiles; the user's file stays
    (report,) = run(jobs, make_spec(save_tiles=True, img_format="png", overwrite=True)).values()
    assert report.status == "done"
    assert own.read_bytes() == b"the user's"
    assert len(list(own.parent.glob("*.jpg"))) == 0
    assert len(list(own.parent.glob("*.png"))) == report.kept + 1


def test_a_reader_that_is_not_installed_is_found_before_any_work(jobs, make_spec, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "cucim", None)
    with pytest.raises(MissingExtraError, match=r"slidekit\[cucim\]"):
        run(jobs, make_spec(reader="cucim"))
    assert not jobs[0].tfrecords.exists()


def test_a_folder_that_became_read_only_fails_its_slide_alone(jobs, make_spec, monkeypatch) -> None:
    # Arrange: both slides failed before; what the first left cannot be removed any more
    from slidekit.extraction import outcome

    clear = outcome.clear_slide

    def refuse(job) -> None:
        if job.name == jobs[0].name:
            raise OSError(errno.EROFS, "Read-only file system")
        clear(job)

    monkeypatch.setattr(outcome, "clear_slide", refuse)

    # Act
    reports = [outcome.keep_report(job, make_spec(), outcome.failed_report(job, "damaged.")) for job in jobs[:2]]

    # Assert
    assert [report.status for report in reports] == ["failed", "failed"]
    assert "cannot be written" in reports[0].reason
    assert reports[1].reason == "Damaged."


def test_a_child_that_cannot_be_started_fails_its_slide(jobs, make_spec, monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("slidekit.extraction.isolation.process.subprocess.Popen", refuse)
    reports = run(jobs, make_spec())
    assert {report.reason for report in reports.values()} == {"No process can be started for it (Too many open files)."}


def test_reserved_and_impossible_names(jobs, make_spec, tmp_path) -> None:
    with pytest.raises(DatasetError, match=r"may not be called manifest.*Rename it"):
        run([replace(jobs[0], name="manifest")], make_spec())

    reports = run([replace(jobs[0], name="腫" * 82), jobs[1]], make_spec())
    assert reports[jobs[0].path].status == "failed"
    assert reports[jobs[1].path].status == "done"


def test_part_files_of_a_slide_with_a_longer_name_stay(jobs) -> None:
    from slidekit.extraction.ownership import remove_parts

    folder = jobs[0].tfrecords
    folder.mkdir(parents=True)
    for name in ("S1.spool.part", "S1.2.spool.part", "S1.2.tfrecords.part"):
        (folder / name).touch()
    remove_parts(replace(jobs[0], name="S1"))
    assert sorted(path.name for path in folder.iterdir()) == ["S1.2.spool.part", "S1.2.tfrecords.part"]


@pytest.mark.long
def test_an_unreadable_review_costs_neither_tables_nor_pdf(jobs, make_spec) -> None:
    folder = jobs[0].tfrecords
    folder.mkdir(parents=True)
    (folder / "review.csv").write_bytes("slide;decision;größer\n".encode("cp1252"))

    run(jobs, make_spec(report=True))

    assert len(list(folder.glob("*.pdf"))) == 1
    assert (folder / "extraction_report.csv").exists()
    assert "größer".encode("cp1252") in (folder / "review.csv").read_bytes()


@pytest.mark.long
def test_a_helper_that_outlives_a_dead_child_does_not_hold_the_run(jobs, make_spec) -> None:
    from tests_standins import LeavesAHelper

    started = time.monotonic()
    reports = run(jobs[:2], make_spec(qc=[LeavesAHelper(jobs[0].name)], workers=1))

    assert time.monotonic() - started < 30
    assert reports[jobs[0].path].status == "failed"
    assert reports[jobs[1].path].status == "done"


def test_a_module_in_the_working_directory_is_not_imported(jobs, make_spec, tmp_path, monkeypatch) -> None:
    (tmp_path / "queue.py").write_text("raise RuntimeError('my own notes')")
    monkeypatch.chdir(tmp_path)

    reports = run(jobs[:1], make_spec())

    assert reports[jobs[0].path].status == "done"


def test_other_parameters_into_the_same_folder_are_refused_and_named(jobs, make_spec) -> None:
    run(jobs, make_spec())
    before = contents(jobs[0].tfrecords)

    with pytest.raises(SpecError, match=r"jpeg_quality: 95 before, 80 now.*overwrite=True"):
        run(jobs, make_spec(jpeg_quality=80))

    assert contents(jobs[0].tfrecords) == before


def test_overwrite_replaces_all_of_the_folder_or_nothing(jobs, make_spec) -> None:
    # Arrange
    run(jobs, make_spec())
    before = contents(jobs[0].tfrecords)

    # Act / Assert: some slides only would mix two kinds of tiles
    with pytest.raises(SpecError, match="also holds tiles of other slides"):
        run(jobs[:1], make_spec(jpeg_quality=80, overwrite=True))
    assert contents(jobs[0].tfrecords) == before

    reports = run(jobs, make_spec(jpeg_quality=80, overwrite=True))
    assert "skipped" not in {report.status for report in reports.values()}
    after = contents(jobs[0].tfrecords)
    assert all(after[name] != before[name] for name in after if name.endswith(".tfrecords"))


def test_a_failed_slide_is_named_and_tried_again(jobs, make_spec, tmp_path) -> None:
    # Arrange
    broken = tmp_path / "broken.svs"
    broken.write_text("this is no slide")
    jobs = [*jobs, SlideJob("broken", broken, tfrecords=jobs[0].tfrecords)]

    # Act
    first = run(jobs, make_spec())

    # Assert
    assert first[broken].status == "failed"
    assert "not a slide" in first[broken].reason
    assert str(tmp_path) not in first[broken].reason
    assert sum(report.status == "done" for report in first.values()) == 4

    # Act: mended, it is extracted and the others are left alone
    broken.write_bytes(jobs[0].path.read_bytes())
    second = run(jobs, make_spec())

    # Assert
    assert second[broken].status == "done"
    assert {report.status for path, report in second.items() if path != broken} == {"skipped"}


def test_a_slide_that_kills_its_process_costs_that_slide_alone(jobs, make_spec) -> None:
    # Arrange
    from tests_standins import Crash

    # Act
    reports = run(jobs, make_spec(qc=[Crash("demo-3-rescan")], workers=2))

    # Assert
    dead = {report.slide: report for report in reports.values() if report.status == "failed"}
    assert list(dead) == ["demo-3-rescan"]
    assert "SIGSEGV" in dead["demo-3-rescan"].reason
    assert len(reports) == len(jobs)
    assert not list(jobs[0].tfrecords.glob("*.part"))
    assert json.loads((jobs[0].tfrecords / "demo-3-rescan.json").read_text())["status"] == "failed"


def test_a_function_of_a_notebook_serves_as_qc(jobs, make_spec) -> None:
    def left_half(wsi) -> np.ndarray:
        width, height = wsi.dimensions
        mask = np.zeros((height // 10, width // 10), bool)
        mask[:, : width // 20] = True
        return mask

    events: list[ProgressEvent] = []
    reports = run(jobs, make_spec(qc=[left_half]), on_event=events.append)

    for report in reports.values():
        # Where there are regions of interest, what lies outside of them is counted first.
        assert report.rois or 0.4 < report.counts["left_half"] / report.candidates <= 0.6, report
    assert {event.kind for event in events} == {"started", "tiles", "ended"}


def test_a_qc_function_that_was_edited_is_another_parameter(jobs, make_spec) -> None:
    def make(threshold: int):
        return lambda wsi: wsi.thumb(256)[..., 1] < threshold

    run(jobs, make_spec(qc=[make(150)]))
    assert {r.status for r in run(jobs, make_spec(qc=[make(150)])).values()} == {"skipped"}

    with pytest.raises(SpecError, match="qc: "):
        run(jobs, make_spec(qc=[make(240)]))


def test_an_error_in_a_qc_function_says_where_it_arose(jobs, make_spec) -> None:
    def divides(wsi):
        return 1 / 0

    reports = run(jobs[:1], make_spec(qc=[divides]))

    (report,) = reports.values()
    assert report.status == "failed"
    assert report.reason.startswith("ZeroDivisionError: division by zero (test_runner.py, line ")
    assert report.reason.endswith("in divides)")


def test_progress_tells_of_every_slide_and_tile(jobs, make_spec) -> None:
    events: list[ProgressEvent] = []

    reports = run(jobs, make_spec(), on_event=events.append)

    for report in reports.values():
        kinds = [event.kind for event in events if event.slide == report.slide]
        assert kinds[0] == "started"
        assert kinds[-1] == "ended"
        last = [event for event in events if event.slide == report.slide and event.kind == "tiles"]
        if last:
            assert last[-1].decided == last[-1].candidates
            assert last[-1].kept == report.kept


def test_mistakes_are_said_before_any_work(jobs, make_spec) -> None:
    with pytest.raises(DatasetError, match="Two slides are called"):
        run([jobs[0], replace(jobs[1], name=jobs[0].name)], make_spec())
    with pytest.raises(NormalizerError, match="no-such-method"):
        run(jobs, make_spec(normalizer="no-such-method"))
    assert not jobs[0].tfrecords.exists()


def test_loose_tiles_equal_the_records(jobs, make_spec, tmp_path) -> None:
    jobs = [replace(job, tiles=tmp_path / "tiles") for job in jobs]

    reports = run(jobs, make_spec(save_tiles=True))

    for report in reports.values():
        folder = tmp_path / "tiles" / report.slide
        if not report.kept:
            assert not folder.exists()
            continue
        records = [
            TileRecord.decode(payload) for _, payload in iter_records(jobs[0].tfrecords / f"{report.slide}.tfrecords")
        ]
        loose = {path.name: path.read_bytes() for path in folder.iterdir()}
        assert loose == {f"{report.slide}-{r.loc_x}-{r.loc_y}.jpg": r.image_raw for r in records}


@pytest.mark.long
def test_loose_tiles_alone_are_resumed_and_overwritten(jobs, make_spec, tmp_path) -> None:
    folder = tmp_path / "tiles" / "64px_64um"
    jobs = [replace(job, tiles=folder, tfrecords=None) for job in jobs]
    options = {"save_tiles": True, "save_tfrecords": False}

    run(jobs, make_spec(**options))
    again = run(jobs, make_spec(**options))
    assert {report.status for report in again.values()} == {"skipped"}
    other = run(jobs, make_spec(**options, img_format="png", overwrite=True))

    assert {report.status for report in other.values()} == {"done", "empty"}
    assert {path.suffix for path in folder.glob("*/*-*-*.*") if path.parent.name != "previews"} == {".png"}


def test_skipped_for_want_of_regions_is_said(jobs, make_spec) -> None:
    reports = run(jobs, make_spec(roi_method="inside"))

    without = {report.slide: report for report in reports.values() if report.status == "skipped"}
    assert len(without) == 4
    assert all("regions of interest" in report.reason for report in without.values())


@pytest.mark.long
def test_parameters_that_cannot_be_read_are_replaced_only_when_asked(jobs, make_spec) -> None:
    # Arrange
    run(jobs, make_spec())
    (jobs[0].tfrecords / "extraction.json").write_text("{")

    # Act / Assert
    with pytest.raises(SpecError, match=r"is not readable.*--overwrite"):
        run(jobs, make_spec())
    reports = run(jobs, make_spec(overwrite=True))
    assert {report.status for report in reports.values()} == {"skipped"}


def test_a_damaged_region_file_is_named(jobs, make_spec, tmp_path) -> None:
    rois = tmp_path / "outlines.geojson"
    rois.write_text("[{")
    reports = run([replace(jobs[0], rois=rois)], make_spec())
    assert reports[jobs[0].path].reason.startswith("outlines.geojson, line 1: ")


def test_a_file_of_regions_that_lie_elsewhere_is_the_reason_that_is_given(jobs, make_spec, tmp_path) -> None:
    # Arrange: the regions of another slide, far beyond this one
    rois = tmp_path / "elsewhere.csv"
    corners = ((9e6, 9e6), (9.1e6, 9e6), (9.1e6, 9.1e6))
    rois.write_text("roi_name,label,x_base,y_base\n" + "".join(f"a,tumor,{x:.0f},{y:.0f}\n" for x, y in corners))

    # Act
    (report,) = run([replace(jobs[0], rois=rois)], make_spec(roi_method="inside")).values()

    # Assert
    assert report.status == "skipped"
    assert report.reason.startswith("The file of regions of interest holds none that lies on the slide.")
