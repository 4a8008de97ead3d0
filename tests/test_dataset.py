"""`Dataset`: what is in it, filters, reviews, TFRecords and the jobs of an extraction."""

from __future__ import annotations

import json
import logging
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import rich
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.annotations import Annotations
from slidekit.collection.filters import Filters
from slidekit.collection.summary import summary_table
from slidekit.dataset import Dataset
from slidekit.errors import AnnotationsError, DatasetError, RecordError, ReportError, SlidekitError, SpecError
from slidekit.io.slide_tiff import write_svs
from slidekit.slide.report_model import SlideReport

ANNOTATIONS = "patient,slide,mpp,category,site\np1,a,0.25,tumor,x\np1,b,,tumor,y\np2,c,,normal,x\n"
ROI = "roi_name,label,x_base,y_base\n" + "".join(
    f"r,{{label}},{x},{y}\n" for x, y in ((0, 0), (300, 0), (300, 300), (0, 300))
)


@pytest.fixture
def folder(tmp_path):
    for name in ("slides/a.svs", "slides/deep/b.ndpi", "slides/c.tif"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "ann.csv").write_text(ANNOTATIONS)
    (tmp_path / "rois").mkdir()
    (tmp_path / "rois" / "a.csv").write_text(ROI.format(label="tumor"))
    (tmp_path / "rois" / "c.csv").write_text(ROI.format(label="stroma"))
    return tmp_path


@pytest.fixture
def make(folder):
    def make(**options):
        given = {
            "slides": folder / "slides",
            "rois": folder / "rois",
            "tfrecords": folder / "tfrecords",
            "annotations": folder / "ann.csv",
            "tile_px": 256,
            "tile_um": 128,
        }
        return Dataset(**{name: value for name, value in {**given, **options}.items() if value is not None})

    return make


@pytest.fixture
def runs(monkeypatch):
    """Stand-in for the extraction: remembers what it was asked to do."""

    @dataclass(frozen=True)
    class SlideJob:
        name: str
        path: Path
        mpp: float | None
        rois: Path | None
        tfrecords: Path | None
        tiles: Path | None
        coordinates: object = None
        cells: object = None

    calls = []

    def run_extraction(jobs, spec, *, report_dir, on_event=None, executor=None):
        calls.append((list(jobs), spec, report_dir))
        return {job.path: SlideReport(slide=job.name, status="done") for job in jobs}

    module = ModuleType("slidekit.extraction.runner")
    module.SlideJob, module.run_extraction = SlideJob, run_extraction
    module.check_jobs = lambda jobs, spec, here=True: None
    monkeypatch.setitem(sys.modules, "slidekit.extraction.runner", module)
    return calls


def record_file(path, payloads):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(struct.pack("<QI", len(data), 0) + data + b"\0" * 4 for data in payloads))


class TestContent:
    def test_slides_paths_patients_and_rois(self, make, folder):
        dataset = make()
        assert dataset.slides() == ["a", "b", "c"]
        assert dataset.slide_paths() == [folder / "slides" / name for name in ("a.svs", "deep/b.ndpi", "c.tif")]
        assert dataset.patients() == {"a": "p1", "b": "p1", "c": "p2"}
        assert dataset.rois() == [folder / "rois" / "a.csv", folder / "rois" / "c.csv"]

    @pytest.mark.parametrize("as_list", [False, True])
    def test_slides_given_by_name(self, folder, as_list):
        path = folder / "photo.PNG"
        path.touch()
        assert Dataset(slides=[path] if as_list else str(path)).slides() == ["photo"]

    def test_folders_and_files_together(self, folder):
        (folder / "photo.png").touch()
        dataset = Dataset(slides=[folder / "slides", folder / "photo.png", folder / "gone.svs"])
        assert dataset.slides() == ["a", "b", "c", "gone", "photo"]

    def test_a_missing_folder_is_an_error(self, folder):
        with pytest.raises(DatasetError, match="does not exist"):
            Dataset(slides=folder / "nothing").slides()

    def test_slideflow_configuration(self, folder, monkeypatch):
        config = {"one": {"slides": "./slides", "roi": "./rois", "tiles": None, "tfrecords": None}, "two": {}}
        (folder / "datasets.json").write_text(json.dumps(config))
        assert Dataset(folder / "datasets.json", "one").rois() == [folder / "rois" / f"{name}.csv" for name in "ac"]
        monkeypatch.chdir(folder)
        assert Dataset(config=config).slides() == ["a", "b", "c"]
        with pytest.raises(DatasetError, match=r"no source 'three'.*one, two"):
            Dataset(config=config, sources=["three"])

    @pytest.mark.parametrize("options", [{}, {"config": {}, "slides": "x"}, {"slides": "x", "sources": "a"}])
    def test_folders_or_configuration(self, options):
        with pytest.raises(DatasetError):
            Dataset(**options)

    def test_rois_must_be_a_folder(self, make):
        with pytest.raises(DatasetError, match="not a folder"):
            make(rois="/nowhere")

    def test_without_annotations_each_slide_is_a_patient(self, make, caplog):
        with caplog.at_level(logging.WARNING, logger="slidekit"):
            dataset = make(annotations=None)
            assert dataset.patients() == {"a": "a", "b": "b", "c": "c"}
            dataset.filter({"slide": "a"}).slides()
        assert caplog.text.count("its own patient") == 1

    def test_what_does_not_match_is_named(self, make, folder, caplog):
        (folder / "ann.csv").write_text("patient,slide\np,a\np,ghost\n")
        (folder / "rois" / "lost.geojson").touch()
        with caplog.at_level(logging.WARNING, logger="slidekit"):
            dataset = make()
            assert dataset.slides() == ["a"]
        assert dataset.unmatched.slides_without_rows == ("b", "c")
        assert dataset.unmatched.rows_without_slides == ("ghost",)
        assert dataset.unmatched.rois_without_slides == (folder / "rois" / "lost.geojson",)
        assert all(word in caplog.text for word in ("b, c", "ghost", "lost.geojson"))

    def test_two_slides_of_one_name(self, make, folder, runs):
        (folder / "slides" / "deep" / "a.tif").touch()
        with pytest.raises(DatasetError, match=r"a\.svs and .*deep/a\.tif|deep/a\.tif and .*a\.svs"):
            make().extract_tiles()
        assert runs == []

    def test_find_slide_respects_filters(self, make, folder):
        dataset = make()
        assert dataset.find_slide(slide="a") == folder / "slides" / "a.svs"
        assert dataset.find_slide(patient="p2") == folder / "slides" / "c.tif"
        assert dataset.filter({"slide": "b"}).find_slide(slide="a") is None
        with pytest.raises(DatasetError, match="2 slides: a, b"):
            dataset.find_slide(patient="p1")
        with pytest.raises(DatasetError, match="either"):
            dataset.find_slide()

    def test_wrong_tile_size(self, make):
        with pytest.raises(SpecError):
            make(tile_um="big")

    def test_tile_mpp(self, make):
        dataset = make(tile_um=None, tile_mpp=0.5)
        assert (dataset.label, dataset.tile_um) == ("256px_128um", 128)

    @pytest.mark.parametrize(
        ("options", "word"),
        [
            ({"tile_mpp": 0.5}, "say the same thing"),
            ({"tile_um": None, "tile_px": None, "tile_mpp": 0.5}, "without tile_px"),
            ({"tile_um": None, "tile_mpp": -1}, "tile_mpp=-1"),
        ],
    )
    def test_wrong_tile_mpp(self, folder, options, word):
        given = {"slides": folder / "slides", "tile_px": 256, "tile_um": 128, **options}
        with pytest.raises(SpecError, match=word):
            Dataset(**given)

    def test_of_several_roi_files_csv_goes_first(self, make, folder):
        for name in ("b.geojson", "a.json", "a.xml", ".c.json", "b.txt"):
            (folder / "rois" / name).touch()
        assert make().rois() == [folder / "rois" / name for name in ("a.csv", "b.geojson", "c.csv")]

    def test_labels_of_rois(self, make):
        assert make().get_unique_roi_labels() == ["stroma", "tumor"]
        assert make(filters={"slide": "a"}).get_unique_roi_labels() == ["tumor"]

    def test_summary_is_printed(self, make, capsys):
        assert make(filters={"site": "x"}).summary() is None
        text = capsys.readouterr().out
        assert "256px_128um" in text
        assert "Filter: site" in text

    def test_rich_prints_the_summary(self, make, capsys):
        dataset = make()
        dataset.summary()
        expected = capsys.readouterr().out
        rich.print(dataset)
        assert capsys.readouterr().out == expected
        assert [column.justify for column in summary_table(dataset).columns] == ["left", "left"]

    def test_repr_is_one_line(self, make, folder):
        assert repr(make()) == "<Dataset 256px_128um: 3 slides of 2 patients>"
        narrow = make(filters={"category": ["tumor", "normal"], "site": "x"}, tile_px=None, tile_um=None)
        assert repr(narrow) == (
            "<Dataset without a tile size: 2 slides of 2 patients, where category=normal|tumor, site=x>"
        )
        assert "cannot be looked up" in repr(Dataset(slides=folder / "nothing"))

    def test_no_slides_are_said_plainly(self, folder, caplog):
        (folder / "empty").mkdir()
        with caplog.at_level(logging.WARNING, logger="slidekit"):
            assert Dataset(slides=folder / "empty").slides() == []
        assert f"No slides were found in {folder / 'empty'}" in caplog.text
        assert ".svs" in caplog.text
        assert "own patient" not in caplog.text


class TestFilters:
    def test_scalars_lists_and_intersection(self, make):
        dataset = make()
        assert dataset.filter({"category": "tumor"}).slides() == ["a", "b"]
        assert dataset.filter({"category": ["tumor", "normal"], "site": "x"}).slides() == ["a", "c"]
        assert dataset.filter({"slide": ["a", "b"]}).filter({"slide": ["b", "c"]}).slides() == ["b"]
        assert dataset.filter({"mpp": 0.25}).slides() == ["a"]

    def test_a_dataset_does_not_change(self, make):
        dataset = make()
        narrow = dataset.filter({"category": "tumor"})
        assert dataset.slides() == ["a", "b", "c"]
        assert narrow.filters == {"category": ["tumor"]}
        assert narrow.clear_filters().slides() == ["a", "b", "c"]
        assert narrow.filter({"site": "x"}).remove_filter("category").slides() == ["a", "c"]
        assert narrow.filtered_annotations["slide"].tolist() == ["a", "b"]

    def test_blank(self, make):
        assert make().filter(filter_blank="mpp").slides() == ["a"]
        assert make(filter_blank=["mpp", "site"]).slides() == ["a"]
        with pytest.raises(DatasetError, match="no column 'grade'"):
            make(filter_blank="grade")

    @pytest.mark.parametrize(
        ("filters", "words"),
        [
            ({"grade": 1}, "patient, slide, mpp, category, site"),
            ({"category": ["tumor", "tumour"]}, "'tumour'.*'normal', 'tumor'"),
            ({"category": []}, "at least one"),
        ],
    )
    def test_unknown_columns_and_values(self, make, filters, words):
        with pytest.raises(DatasetError, match=words):
            make().filter(filters)

    def test_removing_what_is_not_there(self, make):
        with pytest.raises(DatasetError, match="There are no filters"):
            make().remove_filter("site")

    @given(
        rows=st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("123")), min_size=1, max_size=12),
        data=st.data(),
    )
    @settings(deadline=None, max_examples=60)
    def test_filters_intersect(self, rows, data):
        frame = pd.DataFrame(
            [(f"p{i}", f"s{i}", *row) for i, row in enumerate(rows)], columns=["patient", "slide", "u", "v"]
        )
        annotations = Annotations.read(frame)
        steps = data.draw(
            st.lists(
                st.sampled_from(["u", "v"]).flatmap(
                    lambda column: st.tuples(
                        st.just(column), st.sets(st.sampled_from(sorted(set(frame[column]))), min_size=1)
                    )
                ),
                max_size=5,
            )
        )
        filters, expected = Filters(), frame
        for column, values in steps:
            filters = filters.narrow({column: values}, annotations)
            expected = expected[expected[column].isin(values)]
        assert filters.select(annotations) == frozenset(expected["slide"])


class TestReview:
    def test_decisions(self, make, folder, caplog):
        (folder / "review.csv").write_text(
            "slide,flag,decision,comment\na,blur,Exclude,\nb,,,\nc,,KEEP,ok\nzz,,no,\n", encoding="utf-8-sig"
        )
        with caplog.at_level(logging.WARNING, logger="slidekit"):
            dataset = make().filter(review=folder / "review.csv")
        assert dataset.slides() == ["b", "c"]
        assert dataset.filter({"slide": ["a", "b"]}).slides() == ["b"]
        assert dataset.remove_filter(review=True).slides() == ["a", "b", "c"]
        assert "zz" in caplog.text

    @pytest.mark.parametrize("word", ["exclude", "drop", "reject", "no", "keep", "include", "accept", "yes", "ok", ""])
    def test_words(self, make, folder, word):
        (folder / "review.csv").write_text(f"slide,decision\na, {word} \n")
        kept = word not in {"exclude", "drop", "reject", "no"}
        assert ("a" in make().filter(review=folder / "review.csv").slides()) == kept

    @pytest.mark.parametrize(
        ("text", "line", "word"),
        [
            ("slide,decision\na,keep\nb,maybe\n", 3, "'maybe'"),
            ("slide,decision\na,keep\na,drop\n", 3, "twice"),
            ("slide,verdict\na,keep\n", 1, "decision"),
        ],
    )
    def test_mistakes(self, make, folder, text, line, word):
        (folder / "review.csv").write_text(text)
        with pytest.raises((DatasetError, ReportError), match=word) as error:
            make().filter(review=folder / "review.csv")
        assert error.value.line == line

    def test_a_spreadsheet_may_have_saved_it(self, make, folder):
        text = "slide;decision;comment\r\na;drop;größer\r\n"
        (folder / "review.csv").write_bytes(text.encode("utf-8-sig"))
        assert "a" not in make().filter(review=folder / "review.csv").slides()


class TestRecords:
    def test_counts_from_manifest_index_and_file(self, make, folder):
        place = folder / "tfrecords" / "256px_128um"
        for name, count in (("a", 2), ("b", 3), ("c", 4)):
            record_file(place / f"{name}.tfrecords", [b"x" * n for n in range(count)])
        (place / "manifest.json").write_text('{"a.tfrecords": {"total": 2}}')
        np.savez(place / "b.index.npz", arr_0=np.zeros((3, 2), np.int64))
        dataset = make()
        assert dataset.manifest() == {
            str(place / f"{name}.tfrecords"): {"total": n, "clipped": n} for name, n in (("a", 2), ("b", 3), ("c", 4))
        }
        assert dataset.num_tiles == 9
        assert dataset.filter({"category": "tumor"}).tfrecords() == [place / "a.tfrecords", place / "b.tfrecords"]

    def test_a_truncated_file_without_index(self, make, folder):
        path = folder / "tfrecords" / "256px_128um" / "a.tfrecords"
        record_file(path, [b"abc", b"defg"])
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(RecordError, match="record 2"):
            make().manifest()

    def test_records_alone_make_a_dataset(self, folder):
        record_file(folder / "tfrecords" / "299px_10x" / "z.tfrecords", [b"x"])
        dataset = Dataset(tfrecords=folder / "tfrecords", tile_px=299, tile_um="10x")
        assert dataset.slides() == ["z"]
        assert dataset.slide_paths() == []
        assert dataset.num_tiles == 1

    def test_new_records_are_seen(self, make, folder):
        dataset = make()
        assert dataset.tfrecords() == []
        record_file(folder / "tfrecords" / "256px_128um" / "a.tfrecords", [])
        assert len(dataset.tfrecords()) == 1

    def test_a_size_is_needed(self, folder):
        with pytest.raises(DatasetError, match="tile_px= and tile_um="):
            Dataset(slides=folder / "slides").tfrecords()

    def test_report_without_records(self, make):
        with pytest.raises(DatasetError, match="no TFRecords of 256px_128um"):
            make().tfrecord_report()

    def test_report(self, make, folder, monkeypatch):
        asked = {}
        module = ModuleType("slidekit.extraction.report")
        module.report_from_records = lambda folders, **keywords: asked.update(folders=folders, **keywords) or []
        monkeypatch.setitem(sys.modules, "slidekit.extraction.report", module)
        record_file(folder / "tfrecords" / "256px_128um" / "a.tfrecords", [b"x"])
        make().tfrecord_report()
        assert asked["folders"] == [folder / "tfrecords" / "256px_128um"]
        assert asked["slides"]["a"] == folder / "slides" / "a.svs"
        assert asked["dest"] is None


class TestExtract:
    def test_needs_no_argument(self, make, folder, runs):
        reports = make().extract_tiles()
        [(jobs, spec, report_dir)] = runs
        assert list(reports) == make().slide_paths()
        assert [job.name for job in jobs] == ["a", "b", "c"]
        assert [job.mpp for job in jobs] == [0.25, None, None]
        assert [job.rois for job in jobs] == [folder / "rois" / "a.csv", None, folder / "rois" / "c.csv"]
        assert {job.tfrecords for job in jobs} == {report_dir} == {folder / "tfrecords" / "256px_128um"}
        assert {job.tiles for job in jobs} == {None}
        assert (spec.tile_px, spec.tile_um) == (256, 128)

    def test_slideflow_keywords_and_loose_tiles(self, make, folder, runs):
        make(tiles=folder / "tiles").extract_tiles(mpp_override=0.5, num_threads=2, save_tiles=True)
        [(jobs, spec, _)] = runs
        assert (spec.mpp, spec.threads) == (0.5, 2)
        assert {job.tiles for job in jobs} == {folder / "tiles" / "256px_128um"}

    def test_slideflows_buffer(self, make, folder, runs):
        make().extract_tiles(buffer=str(folder), buffer_gb=20)
        [(_, spec, _)] = runs
        assert (spec.buffer, spec.buffer_gb) == (folder, 20)

    def test_artifact_labels_reach_the_run_and_a_typo_is_refused_before_it(self, make, runs):
        with pytest.raises(SpecError, match=r"labelled 'stomra'.* Labels there are: stroma, tumor\."):
            make().extract_tiles(artifact_labels=["tumor", "stomra"])
        assert runs == []
        make().extract_tiles(artifact_labels=["tumor"])
        assert runs[0][1].artifact_labels == ("tumor",)

    def test_an_artifact_label_that_only_other_slides_have_is_warned_of(self, make, runs, caplog):
        with caplog.at_level(logging.WARNING):
            make(filters={"site": "y"}).extract_tiles(artifact_labels=["tumor"])
        assert len(runs) == 1
        assert "labelled 'tumor'" in caplog.text

    def test_only_the_filtered_slides(self, make, runs):
        make(filters={"site": "y"}).extract_tiles()
        assert [job.name for job in runs[0][0]] == ["b"]

    @pytest.mark.parametrize(
        ("options", "error", "word"),
        [
            ({"tile_pixels": 3}, SpecError, "tile_pixels"),
            ({"tile_px": 128}, SpecError, "256px_128um"),
            ({"save_tfrecords": False}, DatasetError, "dry_run"),
            ({"save_tiles": True}, DatasetError, "tiles="),
            ({"buffer_gb": 20}, SpecError, "buffer_gb is given without buffer"),
            ({"buffer": ""}, SpecError, r"buffer='' cannot be used \(it is empty\)"),
            ({"buffer": 3}, SpecError, "buffer=3 is not a path"),
            ({"buffer": "/fast", "buffer_gb": 0}, SpecError, "buffer_gb=0 must be more than 0"),
        ],
    )
    def test_wrong_use_is_said_before_any_work(self, make, runs, options, error, word):
        with pytest.raises(error, match=word):
            make().extract_tiles(**options)
        assert runs == []

    def test_nowhere_to_write(self, make, folder, runs, monkeypatch):
        with pytest.raises(DatasetError, match="tfrecords="):
            make(tfrecords=None).extract_tiles()
        monkeypatch.chdir(folder)
        make(tfrecords=None).extract_tiles(dry_run=True)
        assert runs[0][2] == folder / "reports"

    def test_dry_run_names_no_folder_for_tiles(self, make, folder, runs):
        make().extract_tiles(dry_run=True)
        assert {job.tfrecords for job in runs[0][0]} == {None}
        assert runs[0][2] == folder / "tfrecords" / "reports"

    @pytest.mark.parametrize(("tile_px", "tile_um"), [(256, 128), (299, 302), (None, 302), (299, None)])
    def test_a_tile_mpp_that_agrees_is_the_same_extraction(self, make, runs, tile_px, tile_um):
        given = (tile_px or 299, tile_um or 302)
        make(tile_px=given[0], tile_um=given[1]).extract_tiles()
        dataset = Dataset(
            slides=make().sources[0].slides, tfrecords=make().sources[0].tfrecords, tile_px=tile_px, tile_um=tile_um
        )
        dataset.extract_tiles(tile_px=given[0], tile_mpp=given[1] / given[0])
        assert runs[1][1].tile_um == pytest.approx(runs[0][1].tile_um)
        assert tile_um is None or runs[0][1].digest() == runs[1][1].digest()

    @pytest.mark.parametrize("size", [{"tile_px": 256, "tile_um": 128}, {"tile_um": 128}, {"tile_px": 512}])
    def test_a_tile_mpp_that_contradicts_is_refused(self, folder, runs, size):
        dataset = Dataset(slides=folder / "slides", tfrecords=folder / "tfrecords", **size)
        with pytest.raises(SpecError, match="were asked for"):
            dataset.extract_tiles(tile_px=256, tile_mpp=0.6)
        assert runs == []

    def test_sizes_may_come_with_the_call(self, make, folder, runs):
        make(tile_px=None, tile_um=None).extract_tiles(tile_px=256, tile_mpp=0.5)
        assert runs[0][2] == folder / "tfrecords" / "256px_128um"

    def test_each_source_has_its_own_folder_and_report(self, folder, runs):
        config = {
            "one": {"slides": str(folder / "slides" / "deep"), "tfrecords": str(folder / "t1")},
            "two": {"slides": str(folder / "slides" / "a.svs"), "tfrecords": str(folder / "t2")},
        }
        dataset = Dataset(config=config, tile_px=256, tile_um=128)
        assert len(dataset.extract_tiles()) == 2
        assert {call[2].parent.name: [job.name for job in call[0]] for call in runs} == {"t1": ["b"], "t2": ["a"]}
        dataset.extract_tiles(dry_run=True)
        assert len(runs[2][0]) == 2

    def test_no_slides(self, folder, runs):
        (folder / "empty").mkdir()
        (folder / "empty" / "x.png").touch()
        with pytest.raises(DatasetError, match="1 PNG and JPEG"):
            Dataset(slides=folder / "empty", tile_px=256, tile_um=128).extract_tiles(dry_run=True)

    def test_annotations_of_other_slides(self, make, folder, runs):
        (folder / "ann.csv").write_text("patient,slide\np,other\n")
        with pytest.raises(DatasetError, match="named a, b, c; the annotations name other"):
            make().extract_tiles()
        assert runs == []


def test_real_extraction_agrees_with_itself(tmp_path):
    rng = np.random.default_rng(0)
    for name, mpp in (("s1", 0.5), ("s2", 0.25)):
        pixels = rng.integers(90, 230, (40, 50, 3), np.uint8).repeat(10, axis=0).repeat(10, axis=1)
        (tmp_path / "slides").mkdir(exist_ok=True)
        write_svs(tmp_path / "slides" / f"{name}.svs", [pixels], mpp=mpp)
    (tmp_path / "slides" / "bad.svs").write_text("not a slide")
    dataset = Dataset(slides=tmp_path / "slides", tfrecords=tmp_path / "out", tile_px=100, tile_um=50)
    reports = dataset.extract_tiles(report=False, workers=1)
    assert {path.stem: report.status for path, report in reports.items()} == {
        "bad": "failed",
        "s1": "done",
        "s2": "done",
    }
    table = dataset.get_tile_dataframe()
    assert dataset.num_tiles == sum(report.kept for report in reports.values()) == len(table) == 24


class TestTileTable:
    def test_all_slides_with_index_and_failures(self, tmp_path, caplog):
        pixels = np.full((600, 500, 3), 180, np.uint8)
        for name in ("s1", "s2"):
            write_svs(tmp_path / f"{name}.svs", [pixels], mpp=0.5)
        (tmp_path / "bad.svs").write_text("not a slide")
        frame = pd.DataFrame({"patient": "p", "slide": ["s1", "s2", "bad"], "mpp": [None, 1.0, None]})
        dataset = Dataset(slides=tmp_path, tile_px=100, tile_um=50, annotations=frame)
        table = dataset.get_tile_dataframe()
        assert (table["slide"] == "s1").sum() == 30
        assert (table["slide"] == "s2").sum() == 120
        assert list(table.index) == [f"{row.slide}-{row.loc_x}-{row.loc_y}" for row in table.itertuples()]
        assert list(table.attrs["failed"]) == ["bad"]
        assert "bad" in caplog.text

    def test_stride_and_size(self, tmp_path):
        write_svs(tmp_path / "s.svs", [np.full((200, 200, 3), 180, np.uint8)], mpp=0.5)
        dataset = Dataset(slides=tmp_path, tile_px=100, tile_um=50)
        assert len(dataset.get_tile_dataframe(stride_div=2)) == 9
        with pytest.raises(DatasetError, match="size of tile"):
            Dataset(slides=tmp_path).get_tile_dataframe()

    def test_it_is_of_the_options_given_and_not_of_the_records(self, tmp_path):
        write_svs(tmp_path / "s.svs", [np.full((250, 200, 3), 180, np.uint8)], mpp=0.5)
        dataset = Dataset(slides=tmp_path, tfrecords=tmp_path / "out", tile_px=100, tile_um=50)
        dataset.extract_tiles(use_edge_tiles=True, grayspace_fraction=1, report=False, workers=1)
        assert dataset.num_tiles == len(dataset.get_tile_dataframe(use_edge_tiles=True)) == 6
        assert len(dataset.get_tile_dataframe()) == 4


def test_errors_of_the_dataset_belong_to_the_tree():
    assert issubclass(AnnotationsError, SlidekitError)
