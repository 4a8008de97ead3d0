"""Projects: Slideflow's layout, and files of the user that are never replaced."""

from __future__ import annotations

import json
import logging

import pandas as pd
import pytest

from slidekit.errors import AnnotationsError, DatasetError, ProjectError, SpecError
from slidekit.project import Project, create_project, load_project

SETTINGS = b"""{"name":"MyProject","annotations":"proj/ann.csv","dataset_config":"./datasets.json",
"sources":["MyProject"],"models_dir":"./models","eval_dir":"./eval","slideflow_version":"3.0.2+12.g7f5a40bd"}"""
DATASETS = b"""{"MyProject":{"slides":"proj/slides","roi":"proj/slides/rois","tiles":"proj/tiles",
"tfrecords":"proj/tfrecords"},"Other":{"slides":null,"roi":null,"tiles":null,"tfrecords":null,"extra":1}}"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Working directory with slides; the project is not in it yet."""
    (tmp_path / "slides" / "sub").mkdir(parents=True)
    for name in ("a.svs", "sub/b.ndpi"):
        (tmp_path / "slides" / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def slideflow(tmp_path):
    """A project as Slideflow 3.0.2 leaves it, paths as its user typed them one folder above."""
    root = tmp_path / "proj"
    (root / "slides" / "rois").mkdir(parents=True)
    (root / "slides" / "s1.svs").touch()
    (root / "settings.json").write_bytes(SETTINGS)
    (root / "datasets.json").write_bytes(DATASETS)
    (root / "ann.csv").write_text("patient,slide,category\np1,s1,tumor\n")
    (root / "slides" / "rois" / "s1.csv").write_text("roi_name,x_base,y_base\n1,0,0\n1,9,0\n1,9,9\n")
    return root


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestSlideflow:
    def test_opens_from_anywhere(self, slideflow, tmp_path_factory, monkeypatch):
        monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
        before = contents(slideflow)
        project = load_project(slideflow)
        dataset = project.dataset(256, 128, filters={"category": "tumor"})
        assert (project.name, project.sources) == ("MyProject", ["MyProject"])
        assert dataset.slide_paths() == [slideflow / "slides" / "s1.svs"]
        assert dataset.rois() == [slideflow / "slides" / "rois" / "s1.csv"]
        assert dataset.sources[0].tfrecords == slideflow / "tfrecords"
        assert contents(slideflow) == before

    def test_unknown_keys_are_kept_on_save(self, slideflow):
        project = load_project(slideflow)
        project.add_source("New", slides=slideflow / "slides")
        settings = json.loads((slideflow / "settings.json").read_text())
        sources = json.loads((slideflow / "datasets.json").read_text())
        assert settings["slideflow_version"] == "3.0.2+12.g7f5a40bd"
        assert settings["sources"] == ["MyProject", "New"]
        assert sources["Other"]["extra"] == 1
        assert sources["MyProject"] == json.loads(DATASETS)["MyProject"]

    @pytest.mark.parametrize(
        ("file", "text", "word"),
        [
            ("settings.json", "{", "not JSON"),
            ("settings.json", '{"sources": "MyProject"}', "sources"),
            ("datasets.json", '{"MyProject": {"slides": 3}}', "MyProject.slides"),
            ("datasets.json", "[]", "dict"),
        ],
    )
    def test_damage_is_named_with_file_and_key(self, slideflow, file, text, word):
        (slideflow / file).write_text(text)
        with pytest.raises(ProjectError, match=word) as error:
            load_project(slideflow)
        assert error.value.path == slideflow / file


class TestCreate:
    def test_a_folder_of_slides_is_enough(self, here, caplog):
        with caplog.at_level(logging.WARNING, logger="slidekit"):
            project = create_project("proj", slides="slides")
        assert "its own patient" in caplog.text
        assert project.dataset(256, 128).patients() == {"a": "a", "b": "b"}
        assert (here / "proj" / "annotations.csv").read_text() == "patient,slide\na,a\nb,b\n"

    def test_layout_is_slideflows(self, here):
        create_project("proj", slides="slides", tfrecords="proj/out")
        settings = json.loads((here / "proj" / "settings.json").read_text())
        version = settings.pop("slidekit_version")
        assert isinstance(version, str)
        assert len(settings.pop("slidekit_manifest")) == 64
        assert settings == {
            "name": "proj",
            "annotations": "./annotations.csv",
            "dataset_config": "./datasets.json",
            "sources": ["proj"],
            "models_dir": "./models",
            "eval_dir": "./eval",
        }
        assert json.loads((here / "proj" / "datasets.json").read_text()) == {
            "proj": {
                "slides": str(here / "slides"),
                "roi": str(here / "slides" / "rois"),
                "tiles": "./tiles",
                "tfrecords": "./out",
            }
        }

    def test_dot_slash_means_the_working_directory(self, here):
        text = "patient,slide,category\np,a,tumor\np,b,normal\n"
        (here / "ann.csv").write_text(text)
        project = create_project("proj", slides="./slides", annotations="./ann.csv")
        assert project.annotations == here / "ann.csv"
        assert load_project("proj").dataset(256, 128).patients() == {"a": "p", "b": "p"}
        assert (here / "ann.csv").read_text() == text
        assert not (here / "proj" / "annotations.csv").exists()

    def test_annotations_inside_the_project_are_stored_relative(self, here, monkeypatch):
        (here / "proj").mkdir()
        (here / "proj" / "ann.csv").write_text("patient,slide\np,a\np,b\n")
        monkeypatch.chdir(here / "proj")
        create_project(".", slides="../slides", annotations="./ann.csv", name="x")
        assert json.loads((here / "proj" / "settings.json").read_text())["annotations"] == "./ann.csv"
        (here / "proj").rename(here / "moved")
        assert load_project(here / "moved").dataset().patients() == {"a": "p", "b": "p"}

    def test_existing_annotations_are_used_and_never_replaced(self, here):
        (here / "proj").mkdir()
        (here / "proj" / "annotations.csv").write_text("patient,slide\nq,a\nq,b\n")
        project = create_project("proj", slides="slides")
        assert project.dataset().patients() == {"a": "q", "b": "q"}
        assert (here / "proj" / "annotations.csv").read_text() == "patient,slide\nq,a\nq,b\n"

    def test_a_data_frame_is_written_unless_there_is_a_file(self, here):
        frame = pd.DataFrame({"patient": [1, 1], "slide": ["a", "b"]})
        project = create_project("proj", slides="slides", annotations=frame)
        assert project.dataset().patients() == {"a": "1", "b": "1"}
        (here / "two").mkdir()
        (here / "two" / "annotations.csv").write_text("mine")
        with pytest.raises(ProjectError, match="not replaced"):
            create_project("two", slides="slides", annotations=frame)
        assert (here / "two" / "annotations.csv").read_text() == "mine"

    def test_no_file_outside_the_project(self, here):
        (here / "ann.csv").write_text("patient,grade\na,1\n")
        before = contents(here)
        project = create_project("proj", slides="slides", annotations="ann.csv")
        project.associate_slide_names()
        project.add_source("more", slides="slides/sub")
        after = contents(here)
        assert {path: after[path] for path in after if not path.is_relative_to(here / "proj")} == before

    def test_an_existing_project_is_not_made_again(self, here):
        create_project("proj", slides="slides")
        before = contents(here)
        with pytest.raises(ProjectError, match=f"load_project, or go on with `slidekit extract {here / 'proj'}`"):
            create_project("proj", slides="slides")
        assert contents(here) == before

    def test_a_lost_settings_file_is_not_made_up(self, here):
        create_project("proj", slides="slides")
        (here / "proj" / "settings.json").unlink()
        with pytest.raises(ProjectError, match="without a project"):
            create_project("proj", slides="slides")

    @pytest.mark.parametrize(
        ("options", "error"),
        [
            ({"slides": "nothing"}, ProjectError),
            ({"slides": "slides", "rois": "nothing"}, ProjectError),
            ({"slides": "slides", "annotations": "nothing.csv"}, AnnotationsError),
            ({"slides": "slides", "name": "../out"}, ProjectError),
            ({"slides": "slides", "annotations": "wrong.csv"}, AnnotationsError),
            ({"slides": "slides", "annotations": "nobody.csv"}, AnnotationsError),
            ({"slides": "slides", "annotations": "twice.csv"}, AnnotationsError),
            ({"slides": "slides", "annotations": pd.DataFrame({"case": ["a"], "slide": ["a"]})}, AnnotationsError),
        ],
    )
    def test_mistakes_leave_nothing_behind(self, here, options, error):
        for name, header in (("wrong", "case,file"), ("nobody", "patient,file"), ("twice", "patient,slide")):
            (here / f"{name}.csv").write_text(f"{header}\np,a\nq,a\n")
        before = contents(here)
        with pytest.raises(error):
            create_project("proj", **options)
        assert contents(here) == before

    def test_after_a_mistake_the_same_call_works(self, here):
        (here / "ann.csv").write_text("case,file\np,a\n")
        with pytest.raises(AnnotationsError, match="no column 'patient'"):
            create_project("proj", slides="slides", annotations="ann.csv")
        (here / "ann.csv").write_text("Patient,Slide\np,a\n")
        assert create_project("proj", slides="slides", annotations="ann.csv").dataset().patients() == {"a": "p"}

    def test_without_slides_there_is_a_place_for_them(self, here, caplog):
        with caplog.at_level(logging.WARNING, logger="slidekit"):
            project = create_project("proj")
        assert caplog.text == ""
        assert list((here / "proj" / "slides").iterdir()) == []
        assert json.loads((here / "proj" / "datasets.json").read_text())["proj"]["slides"] == "./slides"
        assert project.dataset(256, 128).slides() == []
        project.add_source("more", slides="slides/sub")
        (here / "proj" / "slides" / "z.svs").touch()
        assert load_project("proj").dataset(256, 128).slides() == ["b", "z"]

    def test_slides_that_lie_in_the_project_already(self, here):
        (here / "slides").rename(here / "moved")
        (here / "proj").mkdir()
        (here / "moved").rename(here / "proj" / "slides")
        assert create_project("proj").dataset().slides() == ["a", "b"]

    def test_a_folder_without_slides_is_said_plainly(self, here, caplog):
        (here / "empty").mkdir()
        with caplog.at_level(logging.WARNING, logger="slidekit"):
            create_project("proj", slides="empty")
        assert f"No slides were found in {here / 'empty'}" in caplog.text
        assert ".svs" in caplog.text
        assert "own patient" not in caplog.text

    def test_two_slides_of_one_name(self, here):
        (here / "slides" / "sub" / "a.tif").touch()
        with pytest.raises(DatasetError, match="Two slides"):
            create_project("proj", slides="slides")
        assert not (here / "proj").exists()

    def test_slides_that_come_later(self, here):
        (here / "later").mkdir()
        project = create_project("proj", slides="later")
        assert not (here / "proj" / "annotations.csv").exists()
        (here / "later" / "z.svs").touch()
        assert project.dataset().slides() == ["z"]


class TestProject:
    def test_no_project(self, here):
        with pytest.raises(ProjectError, match="create_project"):
            load_project("slides")

    def test_missing_annotations_are_not_made_up(self, here):
        (here / "ann.csv").write_text("patient,slide\np,a\n")
        project = create_project("proj", slides="slides", annotations="ann.csv")
        (here / "ann.csv").unlink()
        with pytest.raises(ProjectError, match="missing"):
            project.dataset()
        assert not (here / "ann.csv").exists()

    def test_other_annotations(self, here):
        project = create_project("proj", slides="slides")
        (here / "new.csv").write_text("patient,slide\np,b\n")
        project.annotations = "./new.csv"
        project.save()
        assert load_project("proj").dataset().slides() == ["b"]

    def test_sources(self, here):
        (here / "more").mkdir()
        (here / "more" / "c.svs").touch()
        project = create_project("proj", slides="slides", name="one")
        project.add_source("two", slides="more")
        project.add_source("two", slides="./more")
        assert project.sources == load_project("proj").sources == ["one", "two"]
        places = {source.name: source.tfrecords for source in project.dataset().sources}
        assert places == {"one": here / "proj" / "tfrecords", "two": here / "proj" / "tfrecords" / "two"}
        assert [source.name for source in project.dataset(sources="two").sources] == ["two"]
        with pytest.raises(ProjectError, match="'two'"):
            project.add_source("two", slides="slides")
        with pytest.raises(ProjectError, match="cannot be the name"):
            project.add_source("a/b", slides="more")

    def test_extraction_passes_through_and_dry_runs_report_in_the_project(self, here, monkeypatch):
        asked = []
        monkeypatch.setattr(
            "slidekit.dataset.Dataset.extract_tiles", lambda self, **options: asked.append((self, options)) or {}
        )
        project = create_project("proj", slides="slides")
        project.extract_tiles(256, tile_mpp=0.5, dry_run=True)
        [(dataset, options)] = asked
        assert dataset.label == "256px_128um"
        assert options == {"dry_run": True}
        assert dataset.dry_run_dir == here / "proj" / "reports"


class TestSize:
    def test_tile_mpp(self, here):
        project = create_project("proj", slides="slides")
        assert project.dataset(256, tile_mpp=0.5).label == "256px_128um"
        with pytest.raises(SpecError, match="say the same thing"):
            project.dataset(256, 128, tile_mpp=0.5)
        with pytest.raises(SpecError, match="say the same thing"):
            project.extract_tiles(256, 128, tile_mpp=0.5)

    def test_blank_cells(self, here):
        (here / "ann.csv").write_text("patient,slide,site\np,a,\nq,b,x\n")
        project = create_project("proj", slides="slides", annotations="ann.csv")
        assert project.dataset(256, 128, filter_blank="site").slides() == ["b"]


class TestSlidesThatAreAdded:
    def test_a_file_that_slidekit_made_grows(self, here, caplog):
        project = create_project("proj", slides="slides")
        for name in ("c.svs", "d.svs"):
            (here / "slides" / name).touch()
            caplog.clear()
            with caplog.at_level(logging.WARNING, logger="slidekit"):
                assert name[0] in project.dataset().slides()
            assert f"1 new slides were added to {here / 'proj' / 'annotations.csv'}" in caplog.text
            assert "left out" not in caplog.text
        assert (here / "proj" / "annotations.csv").read_text() == "patient,slide\na,a\nb,b\nc,c\nd,d\n"
        before = contents(here)
        assert load_project("proj").dataset().slides() == ["a", "b", "c", "d"]
        assert contents(here) == before

    def test_a_source_that_is_added_and_one_that_is_left_out(self, here):
        (here / "more").mkdir()
        (here / "more" / "c.svs").touch()
        project = create_project("proj", slides="slides")
        project.add_source("two", slides="more")
        assert project.dataset(sources="two").slides() == ["c"]
        assert project.dataset(sources="proj").slides() == ["a", "b"]
        assert project.dataset().slides() == ["a", "b", "c"]

    @pytest.mark.parametrize("text", ["patient,slide\na,a\n", "patient,slide\na,a\nb,b\n\n", "Patient,slide\na,a\n"])
    def test_one_that_was_edited_is_the_users(self, here, caplog, text):
        project = create_project("proj", slides="slides")
        (here / "proj" / "annotations.csv").write_text(text)
        (here / "slides" / "c.svs").touch()
        with caplog.at_level(logging.WARNING, logger="slidekit"):
            assert "c" not in project.dataset().slides()
        assert "have no row" in caplog.text
        assert (here / "proj" / "annotations.csv").read_text() == text

    def test_one_that_only_looks_so_is_the_users(self, here):
        (here / "proj").mkdir()
        (here / "proj" / "annotations.csv").write_text("patient,slide\na,a\n")
        assert create_project("proj", slides="slides").dataset().slides() == ["a"]
        assert (here / "proj" / "annotations.csv").read_text() == "patient,slide\na,a\n"

    def test_a_project_that_cannot_be_written(self, here, monkeypatch, caplog):
        project = create_project("proj", slides="slides")
        before = contents(here / "proj")
        (here / "slides" / "c.svs").touch()

        def refuse(path, text):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("slidekit.collection.annotation_files.atomic_write_text", refuse)
        with caplog.at_level(logging.WARNING, logger="slidekit"):
            assert project.dataset().slides() == ["a", "b", "c"]
        assert "Permission denied" in caplog.text
        assert contents(here / "proj") == before

    def test_names_with_a_suffix_in_them_do_not_spoil_the_file(self, here):
        (here / "slides" / "a.tif.svs").touch()
        (here / "slides" / "a.svs").unlink()
        project = create_project("proj", slides="slides")
        (here / "slides" / "c.svs").touch()
        assert "c" in project.dataset().slides()
        assert (here / "proj" / "annotations.csv").read_text() == "patient,slide\na.tif,a.tif\nb,b\nc,c\n"
        assert "c" in load_project("proj").dataset().slides()

    def test_what_is_not_saved_stays_unsaved(self, here):
        (here / "later").mkdir()
        project = create_project("proj", slides="later")
        project._settings.name = "unsaved"
        (here / "later" / "z.svs").touch()
        assert project.dataset().slides() == ["z"]
        assert load_project("proj").name == "proj"


class TestAssociate:
    def test_inside_the_project_the_original_is_kept(self, here):
        (here / "proj").mkdir()
        text = "patient,grade\na,3\nzz,1\n"
        (here / "proj" / "annotations.csv").write_text(text)
        project = create_project("proj", slides="slides")
        assert project.dataset().patients() == {"a": "a"}
        assert (here / "proj" / "annotations.csv").read_text() == text
        found = project.associate_slide_names()
        assert found.matched == {"a": "a"}
        assert (found.patients_without_slides, found.slides_without_patients) == (("zz",), ("b",))
        assert (here / "proj" / "annotations.csv.backup").read_text() == text
        assert (here / "proj" / "annotations.csv").read_text() == "patient,grade,slide\na,3,a\nzz,1,\n"
        assert project.dataset().slides() == ["a"]

    def test_what_is_filled_in_for_now_is_said(self, here, caplog):
        (here / "ann.csv").write_text("Patient,grade\na,3\nzz,1\n")
        with caplog.at_level(logging.WARNING, logger="slidekit"):
            project = create_project("proj", slides="slides", annotations="ann.csv")
        assert "1 of 2 rows have a slide" in caplog.text
        assert "associate_slide_names" in caplog.text
        assert project.dataset(filters={"grade": 3}).slides() == ["a"]

    def test_a_patient_with_slides_in_two_sources_stays_undecided(self, here):
        (here / "more").mkdir()
        (here / "slides" / "TCGA-AA-0001-DX1.svs").touch()
        (here / "more" / "TCGA-AA-0001-DX2.svs").touch()
        (here / "ann.csv").write_text("patient,grade\nTCGA-AA-0001,3\na,1\n")
        project = create_project("proj", slides="slides", annotations="ann.csv")
        assert project.dataset().slides() == ["TCGA-AA-0001-DX1", "a"]
        project.add_source("two", slides="more")
        assert project.dataset(sources="proj").slides() == ["a"]

    def test_a_backup_is_never_replaced(self, here):
        project = create_project("proj", slides="slides")
        project.associate_slide_names()
        first = (here / "proj" / "annotations.csv.backup").read_bytes()
        (here / "proj" / "annotations.csv").write_text("patient,slide\nb,\n")
        project.associate_slide_names()
        assert (here / "proj" / "annotations.csv.backup").read_bytes() == first
        assert (here / "proj" / "annotations.csv-2.backup").read_text() == "patient,slide\nb,\n"

    def test_outside_the_project_a_new_file_is_made_inside(self, here):
        (here / "ann.csv").write_text("patient,slide\na,\nmine,b\n")
        project = create_project("proj", slides="slides", annotations="ann.csv")
        project.associate_slide_names()
        assert (here / "ann.csv").read_text() == "patient,slide\na,\nmine,b\n"
        assert project.annotations == here / "proj" / "ann.csv"
        assert Project("proj").dataset().patients() == {"a": "a", "b": "mine"}

    def test_a_patient_in_two_rows_is_left_to_a_person(self, here):
        (here / "ann.csv").write_text("patient,slide,note\na,,1\na,,2\n")
        project = create_project("proj", slides="slides", annotations="ann.csv")
        assert project.associate_slide_names().matched == {}


def test_a_root_behind_a_link_works_like_the_root(here):
    (here / "real").mkdir()
    (here / "link").symlink_to(here / "real", target_is_directory=True)
    project = create_project("link/proj", slides="slides")
    project.annotations.unlink()
    assert project.dataset().slides() == ["a", "b"]
