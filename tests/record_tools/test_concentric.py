"""Tools that work on records keep the concentric tiles in them, and treat them as they treat the first."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from slidekit import TFRecord
from slidekit.dataset import Dataset
from slidekit.errors import SpecError
from slidekit.io.tfrecord import FurtherImage, TileRecord, iter_records
from slidekit.record_tools.writing import RecordWriter

PX = 16
LABEL = f"{PX}px_8um+32um"


def png(seed: int) -> bytes:
    image = np.random.default_rng(seed).integers(0, 255, (PX, PX, 3), np.uint8)
    return cv2.imencode(".png", image)[1].tobytes()


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def records_of(path: Path) -> dict[int, TileRecord]:
    records = (TileRecord.decode(payload) for _, payload in iter_records(path))
    return {record.loc_x: record for record in records}


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    folder = tmp_path / "tfrecords" / LABEL
    folder.mkdir(parents=True)
    for slide in "ab":
        with RecordWriter(folder / f"{slide}.tfrecords") as writer:
            for tile in range(3):
                further = (FurtherImage("32um", png(100 + tile), edge=tile == 1),)
                record = TileRecord(slide, png(tile), 10 * tile + 5, 5, label="tumour", further=further)
                writer.append(record.encode(), (record.loc_x, record.loc_y))
    return Dataset(tfrecords=tmp_path / "tfrecords", tiles=tmp_path / "tiles", tile_px=PX, tile_um=[8, 32])


def test_a_record_is_read_back_as_it_was() -> None:
    images = (FurtherImage("128um", b"1", True), FurtherImage("5x", b"2"))
    record = TileRecord("a", b"0", 1, 2, further=images)

    again = TileRecord.decode(record.encode())

    assert again == record
    assert again.image() == b"0"
    assert again.image("5x") == b"2"


def test_patches_with_views_have_no_concentric_tiles() -> None:
    from slidekit.io.example import encode_example

    payload = encode_example(
        {"image_raw": b"0", "slide": b"a", "view_1": b"1", "image_raw_": b"2", "image_raw_x": b"3"}
    )

    assert TileRecord.decode(payload).further == ()


def test_resized_records_have_all_sizes(dataset: Dataset) -> None:
    # Act
    path, _ = dataset.resize_tfrecords(8)

    # Assert: by Pillow's own Lanczos
    assert path.parent.name == "8px_8um+32um"
    for x, record in records_of(path).items():
        before = records_of(dataset.tfrecords()[0])[x]
        for one, other in ((record.image(), before.image()), (record.image("32um"), before.image("32um"))):
            wanted = np.asarray(Image.fromarray(pixels(other)).resize((8, 8), Image.Resampling.LANCZOS))
            assert (pixels(one) == wanted).all()
        assert record.label == "tumour"
        assert record.further[0].edge == before.further[0].edge
    small = Dataset(tfrecords=dataset.tfrecords()[0].parents[1], tile_px=8, tile_um=[8, 32])
    assert [image.shape for image in next(iter(small.numpy(batch_size=2)))] == [(2, 8, 8, 3)] * 2


def test_magnifications_are_not_resized(tmp_path: Path) -> None:
    folder = tmp_path / f"{PX}px_20x+5x"
    folder.mkdir()
    with RecordWriter(folder / "a.tfrecords") as writer:
        writer.append(TileRecord("a", png(0), 5, 5, further=(FurtherImage("5x", png(1)),)).encode(), (5, 5))
    dataset = Dataset(tfrecords=tmp_path, tile_px=PX, tile_um=["20x", "5x"])

    with pytest.raises(SpecError, match="magnifications cannot be resized"):
        dataset.resize_tfrecords(8)


def test_a_function_is_called_with_every_image(dataset: Dataset, tmp_path: Path) -> None:
    path, _ = dataset.transform_tfrecords(tmp_path / "flipped", function=lambda image: image[:, ::-1])

    for x, record in records_of(path).items():
        before = records_of(dataset.tfrecords()[0])[x]
        for size in (None, "32um"):
            assert (pixels(record.image(size)) == pixels(before.image(size))[:, ::-1]).all()


def test_merged_records_are_those_that_they_were(dataset: Dataset, tmp_path: Path) -> None:
    path = dataset.merge_tfrecords(tmp_path / "merged.tfrecords")

    merged = sorted(payload for _, payload in iter_records(path))
    assert merged == sorted(payload for one in dataset.tfrecords() for _, payload in iter_records(one))


def test_loose_tiles_there_and_back(dataset: Dataset, tmp_path: Path) -> None:
    # Act
    written = dataset.extract_tiles_from_tfrecords()
    files = dataset.tfrecords_from_tiles(delete_tiles=True, dest=tmp_path / "again")

    # Assert
    assert [path.name for path in written["a"]][:2] == ["a-5-5.png", "a-5-5_32um.png"]
    assert not any(path.exists() for path in written["a"])
    for path in files:
        before = records_of(dataset.tfrecords()[0].with_name(path.name))
        again = records_of(path)
        assert again.keys() == before.keys()
        for x, record in again.items():
            assert record.image() == before[x].image()
            assert [(one.name, one.image_raw) for one in record.further] == [("32um", before[x].image("32um"))]


def test_tfrecord_gives_all_images(dataset: Dataset) -> None:
    path = dataset.tfrecords()[0]

    with TFRecord(path) as plain, TFRecord(path, decode_images=True) as decoded:
        raw, images = plain[1], decoded[1]

    assert raw["image_raw_32um"] == records_of(path)[raw["loc_x"]].image("32um")
    assert (images["image_32um"] == pixels(raw["image_raw_32um"])).all()
