"""Exports of records with concentric tiles have all of their images."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from slidekit.annotations import manifest_of_slides
from slidekit.dataset import Dataset
from slidekit.dataset.exporting import export_records
from slidekit.dataset.record_folders import read_tile_size
from slidekit.errors import RecordError
from slidekit.io.tfrecord import FurtherImage, TileRecord
from slidekit.record_tools.writing import RecordWriter

PX = 16
SIZES = ("32um", "4um")


def image_of(tile: int, size: int) -> np.ndarray:
    return np.full((PX, PX, 3), (10 * tile, 100, 50 * size), np.uint8)


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()


def write(path: Path, *tiles: tuple[str, ...]) -> None:
    with RecordWriter(path) as writer:
        for tile, sizes in enumerate(tiles):
            further = tuple(FurtherImage(one, png(image_of(tile, k))) for k, one in enumerate(sizes, 1))
            record = TileRecord(path.stem, png(image_of(tile, 0)), tile + 5, 5, further=further)
            writer.append(record.encode(), (tile + 5, 5))


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    folder = tmp_path / "tfrecords" / f"{PX}px_8um+32um+4um"
    folder.mkdir(parents=True)
    write(folder / "a.tfrecords", SIZES, SIZES, SIZES)
    # The order of the extraction is not that of the alphabet.
    (folder / "extraction.json").write_text(json.dumps({"spec": {"more_um": [32.0, 4.0]}}))
    return Dataset(tfrecords=tmp_path / "tfrecords", tile_px=PX, tile_um=[8, 32, 4])


def test_webdataset(dataset: Dataset, tmp_path: Path) -> None:
    pytest.importorskip("webdataset")

    dataset.export("webdataset", tmp_path / "wds")

    with tarfile.open(tmp_path / "wds" / "tiles-000000.tar") as tar:
        files = {name: tar.extractfile(name).read() for name in tar.getnames()}
    assert files["a-6-5.png"] == png(image_of(1, 0))
    assert files["a-6-5.32um.png"] == png(image_of(1, 1))
    assert files["a-6-5.4um.png"] == png(image_of(1, 2))


def test_parquet(dataset: Dataset, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")

    dataset.export("parquet", tmp_path / "parquet")

    table = parquet.read_table(tmp_path / "parquet" / "tiles-00000.parquet")
    assert table.column_names[:3] == ["image", "image_32um", "image_4um"]
    row = table.to_pylist()[2]
    assert row["image_4um"] == {"bytes": png(image_of(2, 2)), "path": "a-7-5_4um.png"}
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features["image_32um"] == {"_type": "Image"}


def test_zarr(dataset: Dataset, tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")

    dataset.export("zarr", tmp_path / "tiles.zarr")

    group = zarr.open_group(tmp_path / "tiles.zarr", mode="r")
    for size, name in enumerate(("images", "images_32um", "images_4um")):
        assert (group[name][:] == np.stack([image_of(tile, size) for tile in range(3)])).all()
    assert group.attrs["more_um"] == [32, 4]


def test_records_of_other_sizes_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("webdataset")
    write(tmp_path / "a.tfrecords", SIZES, ("32um",))

    with pytest.raises(RecordError, match=r"tile at \(6, 5\), has no image of 4um"):
        export_records([tmp_path / "a.tfrecords"], manifest_of_slides(["a"]), "webdataset", tmp_path / "wds")


@pytest.mark.parametrize(("name", "size"), [
    ("256px_128um", (256, 128.0)), ("256px_10x", (256, "10x")), ("256px_1e+06um", (256, 1e6)),
    ("256px_128um+512um", (256, (128.0, 512.0))), ("256px_20x+5x+2.5x", (256, ("20x", "5x", "2.5x"))),
    ("256px_128um+", None), ("256px", None), ("128um", None),
])  # fmt: skip
def test_folders_say_all_sizes(name, size) -> None:
    assert read_tile_size(name) == size
