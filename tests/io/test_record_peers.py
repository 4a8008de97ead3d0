"""What slidekit writes is read by plain tf.data and by the package tfrecord from PyPI."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

import slidekit
from slidekit.io.tfrecord import TileRecord
from slidekit.slide.spool import RecordSpool

IMAGES = [np.random.default_rng(number).integers(0, 255, (8, 8, 3), np.uint8) for number in range(5)]
PLACES = [[30, -3], [0, 0], [40, -4], [10, -1], [20, -2]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file as the extraction writes it, tiles in the order 3, 0, 4, 1, 2."""
    path = tmp_path / "slide 1.tfrecords"
    with RecordSpool(tmp_path, "slide 1") as spool:
        for number, image in enumerate(IMAGES):
            data = cv2.imencode(".png", image[..., ::-1])[1].tobytes()
            spool.add(TileRecord("slide 1", data, 10 * number, -number, number, 0, "roi", "tumour"))
        spool.write_tfrecord(path, [3, 0, 4, 1, 2])
    return path


@pytest.mark.tensorflow
def test_tf_data_reads_it(path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    features = {
        "image_raw": tf.io.FixedLenFeature([], tf.string),
        "slide": tf.io.FixedLenFeature([], tf.string),
        "loc_x": tf.io.FixedLenFeature([], tf.int64),
        "loc_y": tf.io.FixedLenFeature([], tf.int64),
    }

    found = [tf.io.parse_single_example(record, features) for record in tf.data.TFRecordDataset(str(path))]

    assert [[int(tile["loc_x"]), int(tile["loc_y"])] for tile in found] == PLACES
    assert {tile["slide"].numpy() for tile in found} == {b"slide 1"}
    assert np.array_equal(tf.io.decode_png(found[0]["image_raw"]).numpy(), IMAGES[3])


READ = """
import base64, json, sys
sys.modules["torch"] = None  # its part for torch is not wanted, and takes seconds to import
from tfrecord.reader import tfrecord_loader
from tfrecord.tools.tfrecord2idx import create_index
create_index(sys.argv[1], sys.argv[2])
kinds = {"image_raw": "byte", "slide": "byte", "loc_x": "int", "loc_y": "int"}
tiles = list(tfrecord_loader(sys.argv[1], None, kinds))
print(json.dumps([
    [[int(tile["loc_x"][0]), int(tile["loc_y"][0])] for tile in tiles],
    sorted({bytes(tile["slide"]).decode() for tile in tiles}),
    base64.b64encode(bytes(tiles[0]["image_raw"])).decode(),
]))
"""


@pytest.mark.skipif(find_spec("tfrecord") is None, reason="the package tfrecord is not installed")
def test_the_package_tfrecord_reads_it(path: Path, tmp_path: Path) -> None:
    # In a process of its own: it declares TensorFlow's messages once more, which only one of the two can do.
    index = tmp_path / "theirs.index"
    run = subprocess.run([sys.executable, "-c", READ, path, index], check=True, capture_output=True, text=True)

    places, slides, first = json.loads(run.stdout)

    assert places == PLACES
    assert slides == ["slide 1"]
    image = cv2.imdecode(np.frombuffer(base64.b64decode(first), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.array_equal(image, IMAGES[3])
    # And the index that it makes says what ours says.
    assert [tile["loc_x"] for tile in slidekit.TFRecord(path, np.loadtxt(index, dtype=np.int64))] == [30, 0, 40, 10, 20]
    assert slidekit.TFRecord(path).locations.tolist() == PLACES
