"""Tools that work on records keep the concentric tiles in them, and treat them as they treat the first."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from slidekit import TFRecord
from slidekit.dataset import Dataset
from slidekit.errors import RecordError, SpecError
from slidekit.io.tfrecord import FurtherImage, TileRecord, iter_records
from slidekit.norm import autoselect
from slidekit.record_tools.loose import tiles_from_records
from slidekit.record_tools.merging import merge_records
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
    assert [image.shape for image in next(iter(small.numpy(batch_size=2)))[0]] == [(2, 8, 8, 3)] * 2


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


@pytest.fixture
def loose(dataset: Dataset) -> Path:
    """Folder of the loose tiles of slide a: a-5-5.png, a-5-5_32um.png and so on."""
    return dataset.extract_tiles_from_tfrecords()["a"][0].parent


@pytest.mark.parametrize("lost", ["a-15-5_32um.png", "a-15-5.png"])
@pytest.mark.parametrize("delete_tiles", [False, True])
def test_a_loose_tile_that_lacks_a_size_is_named_and_nothing_is_lost(
    dataset: Dataset, loose: Path, tmp_path: Path, lost: str, delete_tiles: bool
) -> None:
    (loose / lost).unlink()
    before = sorted(path.name for path in loose.iterdir())

    with pytest.raises(RecordError, match=f"lacks 1 image of tiles whose other sizes are there: {lost}"):
        dataset.tfrecords_from_tiles(delete_tiles=delete_tiles, dest=tmp_path / "again")

    assert sorted(path.name for path in loose.iterdir()) == before
    assert [path.stem for path in (tmp_path / "again").rglob("*.tfrecords")] == ["b"]  # the others are finished


def test_loose_tiles_that_all_lack_a_size_are_named(dataset: Dataset, loose: Path, tmp_path: Path) -> None:
    for path in loose.glob("*_32um.png"):
        path.unlink()

    with pytest.raises(RecordError, match="lacks 3 images") as caught:
        dataset.tfrecords_from_tiles(dest=tmp_path / "again")

    assert caught.value.path == loose


def test_loose_tiles_of_sizes_that_were_not_asked_for_are_refused(
    dataset: Dataset, loose: Path, tmp_path: Path
) -> None:
    (loose.parent).rename(loose.parents[1] / f"{PX}px_8um")
    one = Dataset(tiles=loose.parents[1], tfrecords=tmp_path / "one", tile_px=PX, tile_um=8)

    with pytest.raises(RecordError, match=r"sizes that were not asked for: 32um, such as a-\d+-5_32um.png"):
        one.tfrecords_from_tiles()

    assert not (tmp_path / "one").exists()


def test_two_images_of_one_tile_and_size_are_refused(dataset: Dataset, loose: Path, tmp_path: Path) -> None:
    (loose / "a-5-5_32um.jpg").write_bytes((loose / "a-5-5_32um.png").read_bytes())

    with pytest.raises(RecordError, match=r"one tile and size: a-5-5_32um.jpg, a-5-5_32um.png"):
        dataset.tfrecords_from_tiles(delete_tiles=True, dest=tmp_path / "again")


def test_a_further_size_of_another_format_keeps_it(tmp_path: Path) -> None:
    further = (FurtherImage("32um", b"\xff\xd8\xff not looked at"),)
    with RecordWriter(tmp_path / "a.tfrecords") as writer:
        writer.append(TileRecord("a", png(0), 5, 5, further=further).encode(), (5, 5))

    paths = tiles_from_records(tmp_path / "a.tfrecords", tmp_path / "tiles")

    assert [path.name for path in paths] == ["a-5-5.png", "a-5-5_32um.jpg"]


@pytest.fixture
def lacking(dataset: Dataset) -> Dataset:
    """The dataset, but that the second record of slide a lacks its further size."""
    (path, _) = dataset.tfrecords()
    records = list(records_of(path).values())
    with RecordWriter(path, overwrite=True) as writer:
        for number, record in enumerate(records):
            record = replace(record, further=()) if number == 1 else record
            writer.append(record.encode(), (record.loc_x, record.loc_y))
    return dataset


@pytest.mark.parametrize("tool", [
    lambda dataset, home: dataset.merge_tfrecords(home / "new" / "merged.tfrecords"),
    lambda dataset, home: dataset.resize_tfrecords(8, home / "new"),
    lambda dataset, home: dataset.transform_tfrecords(home / "new", hue_shift=0.1),
    lambda dataset, home: dataset.extract_tiles_from_tfrecords(home / "new"),
    lambda dataset, home: dataset.export("parquet", home / "new"),
])  # fmt: skip
def test_tools_name_a_record_that_lacks_a_size(lacking: Dataset, tmp_path: Path, tool) -> None:
    with pytest.raises(RecordError, match=r"the tile at \(15, 5\), has no image of 32um"):
        tool(lacking, tmp_path)

    assert not list(tmp_path.glob("new/**/a*"))
    assert not list(tmp_path.glob("new/*merged*"))


def test_records_of_one_size_are_not_merged_with_those_of_two(dataset: Dataset, tmp_path: Path) -> None:
    plain = tmp_path / "c.tfrecords"
    with RecordWriter(plain) as writer:
        writer.append(TileRecord("c", png(7), 5, 5).encode(), (5, 5))
    both = [plain, dataset.tfrecords()[0]]

    with pytest.raises(
        RecordError, match=r"more than it should have, 32um\. The first record, of c\.tfrecords, has no further size"
    ):
        merge_records(both, tmp_path / "new" / "all.tfrecords")
    with pytest.raises(RecordError, match="has no image of 32um"):
        merge_records(both[::-1], tmp_path / "new" / "all.tfrecords")

    assert not (tmp_path / "new").exists()


def test_a_normaliser_that_draws_gives_all_sizes_of_a_tile_the_same(dataset: Dataset, tmp_path: Path) -> None:
    normalizer = autoselect("augment")

    path, _ = dataset.transform_tfrecords(tmp_path / "drawn", normalizer="augment")

    for x, record in records_of(path).items():
        first, around = (pixels(records_of(dataset.tfrecords()[0])[x].image(size)) for size in (None, "32um"))
        assert (pixels(record.image()) == normalizer.normalize(first).image).all()
        assert (pixels(record.image("32um")) == normalizer.normalize(around, like=first).image).all()
        assert (pixels(record.image("32um")) != normalizer.normalize(around).image).any()


def test_tfrecord_gives_all_images(dataset: Dataset) -> None:
    path = dataset.tfrecords()[0]

    with TFRecord(path) as plain, TFRecord(path, decode_images=True) as decoded:
        raw, images = plain[1], decoded[1]

    assert raw["image_raw_32um"] == records_of(path)[raw["loc_x"]].image("32um")
    assert (images["image_32um"] == pixels(raw["image_raw_32um"])).all()
