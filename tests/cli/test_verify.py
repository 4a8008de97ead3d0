from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from slidekit.cli import app
from slidekit.demo.slides import draw_demo_slides
from slidekit.io.tfrecord import RecordIndex, TileRecord, frame, index_path, write_index
from slidekit.project import create_project
from slidekit.slide.encode import encode_image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve files as Slideflow leaves them, of slides whose names are long."""
    path = tmp_path / "records"
    path.mkdir()
    for number in range(12):
        name = f"TCGA-{number:02}-0001-01Z-00-DX1.a2e7b2b5-9f2d-4a5c-8f3a-0123456789ab"
        image = encode_image(np.full((8, 8, 3), number * 20, np.uint8), "jpg")
        framed = frame(TileRecord(name, image, 1, 2).encode())
        (path / f"{name}.tfrecords").write_bytes(framed)
        index = RecordIndex(np.array([[0, len(framed)]]), np.array([[1, 2]]))
        write_index(index_path(path / f"{name}.tfrecords"), index)
    return path


def verify(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["verify", *map(str, arguments)], env={"COLUMNS": "80"})
    return result.exit_code, result.output


def test_all_well_is_one_line_and_exit_code_0(folder: Path) -> None:
    code, output = verify(folder)

    assert code == 0
    assert len(output.splitlines()) == 1
    assert output.startswith("all whole; read: 12 TFRecords, 12 whole tiles, ")


def test_every_bad_file_is_named_with_its_mend_and_exit_code_1(folder: Path) -> None:
    # Arrange
    paths = sorted(folder.glob("*.tfrecords"))
    content = bytearray(paths[3].read_bytes())
    content[100] ^= 1
    paths[3].write_bytes(content)
    paths[7].write_bytes(paths[7].read_bytes()[:-3])
    index_path(paths[5]).write_bytes(b"no index")
    (folder / "b.tfrecords.part").write_bytes(b"")

    # Act
    code, output = verify(folder)

    # Assert
    joined = "".join(line[:33].strip() for line in output.splitlines())
    assert code == 1
    for path in (paths[3], index_path(paths[5]), paths[7]):
        assert path.name in joined
    assert max(map(len, output.splitlines())) <= 80
    assert "record at byte 0" in " ".join(output.split())
    assert "Move it away" in output
    assert "b.tfrecords.part" in output
    assert output.splitlines()[-1].startswith("3 bad files; read: 12 TFRecords, 10 whole tiles, ")


def test_fast_leaves_images_alone(folder: Path) -> None:
    path = folder / "bad.tfrecords"
    path.write_bytes(frame(TileRecord("bad", b"no image", 1, 2).encode()))

    assert verify(folder)[0] == 1
    assert verify(folder, "--fast")[0] == 0


def test_wrong_use_is_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "80"}

    for argument in (tmp_path, tmp_path / "nowhere", tmp_path / "text"):
        result = subprocess.run(
            [sys.executable, "-m", "slidekit", "verify", str(argument)],
            capture_output=True,
            text=True,
            env=environment,
            timeout=60,
            check=False,
        )
        assert result.returncode == 2
        assert "Traceback" not in result.stderr
        assert result.stderr


def test_an_interrupt_says_that_nothing_was_changed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from slidekit.extraction.verify import folder as module

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "verify_folder", interrupt)

    code, output = verify(folder)

    assert code == 130
    assert "Nothing was changed" in output


def test_slides_of_a_project_that_no_run_has_come_to_are_named(tmp_path: Path) -> None:
    # Arrange
    data = draw_demo_slides(tmp_path / "data", size=0.2)
    project = create_project(tmp_path / "project", slides=data.slides_dir)
    project.extract_tiles(64, 64, shard=(1, 2), report=False)
    names = [slide.name for slide in data.slides]

    # Act
    code, output = verify(project.root)

    # Assert: every second one
    assert code == 1
    assert f"2 not extracted into tfrecords/64px_64um: {names[1]}, {names[3]}" in " ".join(output.split())
    assert "what is there is whole" in output

    # Act: the folder alone, then the rest
    assert verify(project.root / "tfrecords" / "64px_64um")[0] == 0
    project.extract_tiles(64, 64, shard=(2, 2), report=False)
    assert verify(project.root)[0] == 0
