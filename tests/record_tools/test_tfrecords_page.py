"""The examples of docs/tfrecords.md run, and what they leave is whole; TensorFlow reads it."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pytest
from tool_records import encoded, example, pixels

from slidekit.demo.slides import draw_demo_slides
from slidekit.extraction.verify.folder import verify_folder
from slidekit.project import create_project
from slidekit.record_tools.rewriting import TileChange, rewrite_record_file

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tfrecords.md"


def test_the_examples_run(tmp_path: Path, monkeypatch, capsys) -> None:
    # Arrange
    monkeypatch.chdir(tmp_path)
    data = draw_demo_slides(tmp_path / "data", size=0.3)
    project = create_project("study", slides=data.slides_dir, rois=data.rois_dir, annotations=data.annotations)
    wanted = ["demo-1-regions", "demo-2-blur-and-pen"]
    project.extract_tiles(256, 128, filters={"slide": wanted}, report=False)
    tiles = project.dataset(256, 128, filters={"slide": wanted}).num_tiles
    before = {path: path.read_bytes() for path in (tmp_path / "study/tfrecords/256px_128um").glob("*.tfrecords")}
    names: dict[str, object] = {}

    # Act
    for number, code in enumerate(re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.S | re.M)):
        exec(compile(code, f"{PAGE.name}[{number}]", "exec"), names)

    # Assert
    assert f"{tiles} tiles of 64 px" in capsys.readouterr().out
    folders = ["normalised", "darker", "merged", "packed", "split", "mostly", "study/tfrecords/64px_128um"]
    assert {folder: verify_folder(tmp_path / folder).faults for folder in folders} == dict.fromkeys(folders, ())
    assert verify_folder(tmp_path / "packed").records == verify_folder(tmp_path / "darker").records == tiles
    assert all(sum(count) > 0 for count in names["counts"].values())  # type: ignore[attr-defined]
    assert {path: path.read_bytes() for path in before} == before
    assert len(list((tmp_path / "thumbnails").glob("*.png"))) == 5


@pytest.mark.tensorflow
def test_tensorflow_reads_what_was_rewritten(write, tmp_path: Path) -> None:
    # Arrange
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what TensorFlow does on import is not ours
        tf = pytest.importorskip("tensorflow")
    source = write("a", [example("a", encoded(pixels(n)), n, 2 * n, score=[0.5, n / 4]) for n in range(3)])
    dest = tmp_path / "new.tfrecords"

    # Act
    rewrite_record_file(source, dest, TileChange(tile_px=8))

    # Assert
    features = {
        "image_raw": tf.io.FixedLenFeature([], tf.string),
        "loc_y": tf.io.FixedLenFeature([], tf.int64),
        "score": tf.io.FixedLenFeature([2], tf.float32),
    }
    read = [tf.io.parse_single_example(record, features) for record in tf.data.TFRecordDataset(str(dest))]
    assert [tf.io.decode_image(one["image_raw"]).shape for one in read] == [(8, 8, 3)] * 3
    assert [(int(one["loc_y"]), one["score"].numpy().tolist()) for one in read] == [
        (0, [0.5, 0.0]),
        (2, [0.5, 0.25]),
        (4, [0.5, 0.5]),
    ]
