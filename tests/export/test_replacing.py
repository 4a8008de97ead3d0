"""An overwrite replaces what an earlier export wrote, and nothing else; a run that ends early leaves the old one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from slidekit.errors import DatasetError, RecordError, SpecError
from slidekit.export import FORMATS, ExportOptions, TileSource, export_tiles
from slidekit.export.folder import whole_folder
from slidekit.io.lock import take_lock

OVERWRITE = ExportOptions(overwrite=True)


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("to", FORMATS)
def test_what_a_user_added_is_never_removed(make_source: Callable[..., TileSource], tmp_path: Path, to) -> None:
    # Arrange
    source, dest = make_source(), tmp_path / "out"
    export_tiles(source, to, dest)
    export_tiles(source, to, dest, OVERWRITE)  # of itself it is replaced
    whole = content(dest)

    # Act, Assert
    for name in ("notes.txt", "images/mine/zarr.json", "tiles-00099.parquet"):
        added = dest / name
        added.parent.mkdir(parents=True, exist_ok=True)
        added.write_text("three years")
        with pytest.raises(DatasetError, match=f"has not written: {name}"):
            export_tiles(source, to, dest, OVERWRITE)
        assert added.read_text() == "three years"
        added.unlink()
        if added.parent != dest:
            shutil.rmtree(added.parent) if to == "zarr" else shutil.rmtree(dest / "images")
    (dest / "model").mkdir()
    with pytest.raises(DatasetError, match="has not written: model"):
        export_tiles(source, to, dest, OVERWRITE)
    assert content(dest) == whole


def test_an_array_that_a_user_added_stays(make_source: Callable[..., TileSource], tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    export_tiles(make_source(), "zarr", tmp_path / "out")
    zarr.open_group(tmp_path / "out", mode="r+")["features"] = np.arange(10)

    with pytest.raises(DatasetError, match="has not written: features"):
        export_tiles(make_source(), "zarr", tmp_path / "out", OVERWRITE)

    assert zarr.open_group(tmp_path / "out", mode="r")["features"][3] == 3


def test_a_source_within_an_export_stays(make_source: Callable[..., TileSource], tmp_path: Path) -> None:
    # Arrange
    dest = tmp_path / "out"
    export_tiles(make_source(), "parquet", dest)
    shutil.copytree(tmp_path / "records", dest / "rec")
    source = make_source()
    source = replace(source, slides=[replace(one, path=dest / "rec" / one.path.name) for one in source.slides])

    # Act, Assert
    with pytest.raises(DatasetError, match="holds what is to be exported"):
        export_tiles(source, "parquet", dest, OVERWRITE)
    assert len(list((dest / "rec").iterdir())) == 3


@pytest.mark.parametrize("which", [1, 2])
def test_an_interrupt_between_the_renames_leaves_the_old_one(tmp_path: Path, monkeypatch, which: int) -> None:
    # Arrange
    dest = tmp_path / "out"
    with whole_folder(dest, overwrite=False) as folder:
        (folder / "_export.json").write_text('{"slidekit_version": "1"}')
    rename, calls = Path.rename, []

    def interrupted(self: Path, target: Path) -> Path:
        calls.append(self)
        if len(calls) == which:
            raise KeyboardInterrupt
        return rename(self, target)

    def replace_it() -> None:
        with whole_folder(dest, overwrite=True):
            monkeypatch.setattr(Path, "rename", interrupted)

    # Act, Assert
    with pytest.raises(KeyboardInterrupt):
        replace_it()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in dest.iterdir()] == ["_export.json"]


def test_what_a_killed_export_has_left_is_removed_by_the_next(tmp_path: Path) -> None:
    # Arrange: a process that is killed while it writes; and a folder of the user's
    program = (
        "import os, signal, sys; from pathlib import Path; from slidekit.export.folder import whole_folder\n"
        "with whole_folder(Path(sys.argv[1]), overwrite=False) as folder:\n"
        "    (folder / 'half').touch(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    (tmp_path / "out.0123abcd.part").mkdir()
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "out")], check=False)
    assert done.returncode == -9
    assert len(list(tmp_path.iterdir())) == 3

    # Act
    with whole_folder(tmp_path / "out", overwrite=False) as folder:
        (folder / "whole").touch()

    # Assert
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.0123abcd.part"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["whole"]


def test_two_at_once_into_one_folder(make_source: Callable[..., TileSource], tmp_path: Path) -> None:
    lock = take_lock(tmp_path / "out.lock")
    assert lock is not None

    with lock, pytest.raises(DatasetError, match="another run"):
        export_tiles(make_source(), "parquet", tmp_path / "out")


def test_a_full_disk_is_an_error_of_the_records(
    make_source: Callable[..., TileSource], tmp_path: Path, monkeypatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("slidekit.export.exporter.atomic_write_text", full)
    with pytest.raises(RecordError, match=r"out: the export cannot be written: No space"):
        export_tiles(make_source(), "parquet", tmp_path / "out")

    assert [path.name for path in tmp_path.iterdir()] == ["records"]


@pytest.mark.parametrize("size", [float("inf"), float("nan"), 0])
def test_a_size_that_is_none(make_source: Callable[..., TileSource], tmp_path: Path, size: float) -> None:
    with pytest.raises(SpecError, match="is not a size"):
        export_tiles(make_source(), "zarr", tmp_path / "out", ExportOptions(shard_mb=size))


def test_labels_by_place_are_compared_with_the_records(make_source: Callable[..., TileSource], tmp_path: Path) -> None:
    # Arrange: an index of records of the same lengths in another order
    import pandas as pd

    from slidekit.io.tfrecord import RecordIndex, index_path, read_index, write_index
    from slidekit.record_tools.indexing import build_indexes

    path = tmp_path / "records" / "c.tfrecords"
    make_source()
    build_indexes([path])
    index = read_index(index_path(path))
    assert index.locations is not None
    frame = pd.DataFrame({"slide": "c", "loc_x": [0, 100, 200], "loc_y": 7, "label": ["A", "B", "C"]})
    export_tiles(make_source(labels=frame), "parquet", tmp_path / "good")

    # Act, Assert
    write_index(index_path(path), RecordIndex(index.extents, index.locations[::-1]))
    with pytest.raises(RecordError, match=r"its index says.*rebuild_index"):
        export_tiles(make_source(labels=frame), "parquet", tmp_path / "out")


def test_labels_of_a_merged_file_say_why_there_are_none(
    make_source: Callable[..., TileSource], tmp_path: Path, annotations
) -> None:
    from slidekit.dataset.exporting import source_of_records

    make_source()
    merged = tmp_path / "all.tfrecords"
    merged.write_bytes(b"".join((tmp_path / "records" / f"{name}.tfrecords").read_bytes() for name in ("c", "d")))

    with pytest.raises(DatasetError, match="The file is merged"):
        source_of_records([merged], annotations, labels="category")


@pytest.mark.parametrize("to", FORMATS)
def test_the_files_of_an_export_are_listed(make_source: Callable[..., TileSource], tmp_path: Path, to) -> None:
    export_tiles(make_source(), to, tmp_path / "out")

    name = "zarr.json" if to == "zarr" else "_export.json"
    facts = json.loads((tmp_path / "out" / name).read_text())
    assert sorted({*facts.get("attributes", facts)["files"], name}) == sorted(content(tmp_path / "out"))
