"""`slidekit export` in a terminal of 80 columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from slidekit.cli import app
from slidekit.errors import DatasetError, SpecError
from slidekit.io.slide_tiff import write_svs
from slidekit.io.tfrecord import TileRecord, frame
from slidekit.project import create_project
from slidekit.slide.encode import encode_image

pytest.importorskip("pyarrow")


def export(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["export", *map(str, arguments)], env={"COLUMNS": "80"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def write_records(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    image = encode_image(np.full((8, 8, 3), 90, np.uint8), "jpg")
    for name in ("s1", "s2"):
        records = (TileRecord(name, image, loc_x=x, loc_y=5) for x in (1, 2, 3))
        (folder / f"{name}.tfrecords").write_bytes(b"".join(frame(record.encode()) for record in records))


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    path = tmp_path / "annotations.csv"
    path.write_text("patient,slide,category,site\np,s1,tumor,x\nq,s2,benign,y\n")
    return path


def test_a_folder_goes_out_with_its_annotations(tmp_path: Path, annotations: Path) -> None:
    # Arrange
    write_records(tmp_path / "8px_16um")

    # Act
    code, output = export(
        *(tmp_path / "8px_16um", "--to", "parquet", "--dest", tmp_path / "out"),
        *("--annotations", annotations, "--labels", "category", "--column", "site"),
    )

    # Assert
    rows = pd.read_parquet(tmp_path / "out")
    assert code == 0, output
    assert rows[["patient", "label", "site"]].values.tolist() == [["p", "tumor", "x"]] * 3 + [["q", "benign", "y"]] * 3
    assert output.splitlines()[-2].startswith("6 tiles of 2 slides: 2 files, ")
    assert output.splitlines()[-1] == f"exported: {tmp_path / 'out'}"


def test_a_project_goes_out_at_the_size_that_is_asked_for(tmp_path: Path, annotations: Path) -> None:
    # Arrange
    (tmp_path / "slides").mkdir()
    for name in ("s1", "s2"):
        write_svs(tmp_path / "slides" / f"{name}.svs", [np.full((64, 64, 3), 180, np.uint8)], mpp=0.5)
    create_project(tmp_path / "study", slides=tmp_path / "slides", annotations=annotations)
    for size in ("8px_16um", "8px_10x"):
        write_records(tmp_path / "study" / "tfrecords" / size)
    wanted = (tmp_path / "study", "--to", "parquet", "--dest", tmp_path / "out")

    # Act
    unclear = export(*wanted)
    absent = export(*wanted, "--tile-px", 9, "--tile-um", "10x")
    done = export(*wanted, "--tile-px", 8, "--tile-um", "10x", "--labels", "category")

    # Assert
    assert [unclear[0], absent[0], done[0]] == [2, 2, 0]
    assert "there are 8px_10x, 8px_16um; say which" in " ".join(unclear[1].replace("│", " ").split())
    assert "there are no tiles of 9px_10x" in " ".join(absent[1].replace("│", " ").split())
    assert pd.read_parquet(tmp_path / "out")["label"].tolist() == ["tumor"] * 3 + ["benign"] * 3


def test_wrong_use_is_said_and_nothing_written(tmp_path: Path, annotations: Path) -> None:
    write_records(tmp_path / "8px_16um")
    (tmp_path / "empty").mkdir()

    assert export(tmp_path / "empty", "--to", "zarr", "--dest", tmp_path / "out")[0] == 2
    assert export(tmp_path / "8px_16um", "--to", "zarr", "--dest", tmp_path / "out", "--tile-px", 8)[0] == 2
    assert export(tmp_path / "8px_16um", "--to", "zarr")[0] == 2
    with pytest.raises(SpecError, match="'hdf5' is no format"):
        export(tmp_path / "8px_16um", "--to", "hdf5", "--dest", tmp_path / "out")
    with pytest.raises(DatasetError, match="There is no column 'stage'"):
        export(
            *(tmp_path / "8px_16um", "--to", "parquet", "--dest", tmp_path / "out"),
            *("--labels", "stage", "--annotations", annotations),
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["8px_16um", "annotations.csv", "empty"]


def test_tiles_without_labels_are_counted(tmp_path: Path) -> None:
    write_records(tmp_path / "tiles")
    (tmp_path / "labels.csv").write_text("slide,loc_x,loc_y,label\ns1,2,5,tumor\n")

    code, output = export(
        tmp_path / "tiles", "--to", "parquet", "--dest", tmp_path / "out", "--labels", tmp_path / "labels.csv"
    )

    assert code == 0
    assert "5 tiles have no label and were left out" in output


def test_an_interrupt_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_records(tmp_path / "tiles")

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("slidekit.export.parquet._row", interrupt)

    code, output = export(tmp_path / "tiles", "--to", "parquet", "--dest", tmp_path / "out")

    assert code == 130
    assert "Nothing was written" in output
    assert [path.name for path in tmp_path.iterdir()] == ["tiles"]


def test_help_fits_80_columns() -> None:
    code, output = export("--help")

    assert code == 0
    assert max(map(len, output.splitlines())) <= 80
    for option in ("--to", "--dest", "--tile-px", "--labels", "--column", "--annotations", "--shard-mb", "--overwrite"):
        assert option in output


def test_a_column_needs_annotations(tmp_path: Path) -> None:
    write_records(tmp_path / "8px_16um")

    code, output = export(tmp_path / "8px_16um", "--to", "parquet", "--dest", tmp_path / "out", "--labels", "category")

    assert code == 2
    assert "give --annotations" in " ".join(output.replace("│", " ").split())


def test_a_shard_without_end_is_wrong_use(tmp_path: Path) -> None:
    write_records(tmp_path / "8px_16um")

    with pytest.raises(SpecError, match="shard_mb=inf is not a size"):
        export(tmp_path / "8px_16um", "--to", "parquet", "--dest", tmp_path / "out", "--shard-mb", "inf")
