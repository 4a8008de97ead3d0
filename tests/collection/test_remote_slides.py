from __future__ import annotations

import json
import logging
from pathlib import Path

import fsspec
import pytest
from typer.testing import CliRunner

from slidekit.cli import app
from slidekit.collection.remote_slides import find_remote_slides
from slidekit.dataset import Dataset
from slidekit.errors import DatasetError, ProjectError, SlideOpenError, SpecError
from slidekit.io.url import RemotePath
from slidekit.project import create_project, load_project


@pytest.fixture
def cohort():
    """Writes empty files into a folder of fsspec's store in memory."""
    store = fsspec.filesystem("memory")
    store.store.clear()
    store.pseudo_dirs[:] = [""]

    def write(*names: str) -> str:
        for name in names:
            store.pipe_file(f"/cohort/{name}", b"")
        return "memory://cohort"

    yield write
    store.store.clear()


def found(url: str) -> list[str]:
    return [str(path).removeprefix("memory://cohort/") for path in find_remote_slides(RemotePath.of(url))]


def test_slides_are_told_by_their_names(cohort, caplog) -> None:
    caplog.set_level(logging.INFO)
    url = cohort(
        *("b.SVS", "deep/er/a.ome.tif", "m.mrxs", "m/Slidedat.ini", "m/x.tif", "notes.txt", "a.png", "a_mask.tif"),
        *(".hidden.svs", ".trash/c.svs", "__MACOSX/d.svs", "@eaDir/e.svs", "label.svs"),
    )

    assert found(url) == ["b.SVS", "deep/er/a.ome.tif", "label.svs", "m.mrxs"]
    assert "4 slides; passed over: 1 hidden files, 1 label, macro, thumbnail or mask images." in caplog.text
    assert [record.levelname for record in caplog.records] == ["INFO"]


def test_dicom_is_passed_over_with_a_warning(cohort, caplog) -> None:
    assert found(cohort("a.svs", "b/1.dcm", "b/2.dcm")) == ["a.svs"]
    assert "2 DICOM files" in caplog.text


def test_a_slide_that_is_named_is_taken_without_asking() -> None:
    (only,) = find_remote_slides(RemotePath.of("nonsense://bucket/a.png"))

    assert only.name == "a.png"


def test_where_nothing_is_or_can_be_asked_is_an_error(cohort) -> None:
    with pytest.raises(DatasetError, match=r"^memory://cohort/none: holds no file"):
        found(f"{cohort('a.svs')}/none")
    with pytest.raises(DatasetError, match=r"^nonsense://bucket: cannot be looked into"):
        found("nonsense://user:pass@bucket")


def test_a_dataset_takes_urls_and_folders(cohort, tmp_path) -> None:
    (tmp_path / "here.svs").touch()
    dataset = Dataset(slides=[cohort("a.svs", "b.svs"), tmp_path], tfrecords=tmp_path / "tfrecords")

    assert dataset.slides() == ["a", "b", "here"]
    assert [str(path) for path in dataset.slide_paths()][:2] == ["memory://cohort/a.svs", "memory://cohort/b.svs"]
    assert dataset.filter({"slide": "b"}).slides() == ["b"]


def test_two_slides_of_one_name_are_an_error(cohort, tmp_path) -> None:
    (tmp_path / "a.svs").touch()

    with pytest.raises(DatasetError, match=r"memory://cohort/a\.svs"):
        Dataset(slides=[cohort("a.svs"), tmp_path]).slides()


@pytest.mark.parametrize("dry_run", [False, True])
def test_without_a_buffer_nothing_is_begun(cohort, tmp_path, dry_run: bool) -> None:
    dataset = Dataset(slides=cohort("a.svs"), tfrecords=tmp_path / "tfrecords", tile_px=64, tile_um=64)

    with pytest.raises(SpecError, match=r"^memory://cohort/a.svs: lies in a remote store.*buffer=FOLDER") as error:
        dataset.extract_tiles(dry_run=dry_run)
    assert not (tmp_path / "tfrecords").exists()
    assert "local" in str(error.value)


def test_tables_name_the_slides_that_are_not_local(cohort, tmp_path) -> None:
    dataset = Dataset(slides=cohort("a.svs"), tile_px=64, tile_um=64)

    table = dataset.get_tile_dataframe()

    assert len(table) == 0
    assert "remote store" in table.attrs["failed"]["a"]


@pytest.mark.parametrize("as_path", [False, True])
def test_a_project_remembers_a_url(cohort, tmp_path, as_path: bool) -> None:
    url = cohort("a.svs", "b.svs")

    create_project(tmp_path / "study", slides=Path(url) if as_path else url)

    stored = json.loads((tmp_path / "study" / "datasets.json").read_text())
    assert stored["study"]["slides"] == url
    assert stored["study"]["roi"] == "./rois"
    project = load_project(tmp_path / "study")
    assert project.dataset(64, 64).slides() == ["a", "b"]
    project.add_source("study", slides=url, **folders_of(project.root))
    project.add_source("more", slides=url)
    with pytest.raises(ProjectError, match="with other folders"):
        project.add_source("more", slides=f"{url}/2")


def folders_of(root: Path) -> dict[str, Path]:
    (root / "rois").mkdir()
    return {"rois": root / "rois", "tfrecords": root / "tfrecords", "tiles": root / "tiles"}


def test_the_command_line_takes_urls(cohort, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    url = cohort("a.svs")

    made = CliRunner().invoke(app, ["create", "study", "--slides", url])
    missing = CliRunner().invoke(app, ["create", "other", "--slides", "nowhere"])
    info = CliRunner().invoke(app, ["info", f"{url}/a.svs"])

    assert made.exit_code == 0, made.output
    assert json.loads(Path("study/datasets.json").read_text())["study"]["slides"] == url
    assert (missing.exit_code, isinstance(missing.exception, SystemExit)) == (2, True)
    assert isinstance(info.exception, SlideOpenError)
    assert str(info.exception).startswith(f"{url}/a.svs: lies in a remote store")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["study"]


@pytest.mark.parametrize("url", ["s3://KEY:secret@bucket/cohort", "https://host/cohort?sig=secret"])
def test_a_project_stores_no_secrets(tmp_path, url: str) -> None:
    with pytest.raises(ProjectError, match="a password or a query") as error:
        create_project(tmp_path / "study", slides=url)

    assert "secret" not in str(error.value)
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("what", ["rois", "tfrecords", "tiles"])
def test_only_slides_may_be_remote(cohort, tmp_path, what: str) -> None:
    url = cohort("a.svs")

    with pytest.raises(ProjectError, match="only slides may lie in a remote store"):
        Dataset(slides=url, **{what: "memory://elsewhere"})
    with pytest.raises(ProjectError, match=r"remote store|does not exist"):
        create_project(tmp_path / "study", slides=url, **{what: "memory://elsewhere"})
    assert not list(Path.cwd().glob("memory:*"))
