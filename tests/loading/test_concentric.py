"""Loaders of concentric tiles: tuples of images in one order, changed alike."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from slidekit.dataset import Dataset
from slidekit.errors import DatasetError, RecordError, SpecError
from slidekit.io.tfrecord import FurtherImage, TileRecord
from slidekit.record_tools.writing import RecordWriter

PX = 16
LABEL = f"{PX}px_8um+32um+4um"


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()


def pixels(tile: int, size: int) -> np.ndarray:
    """A picture without symmetry; the sizes differ in the blue channel alone."""
    image = np.random.default_rng(tile).integers(0, 200, (PX, PX, 3), np.uint8)
    image[..., 2] = 20 * size + tile
    return image


def write(folder: Path, slides: dict[str, int], sizes: tuple[str, ...] = ("32um", "4um")) -> None:
    for name, count in slides.items():
        with RecordWriter(folder / f"{name}.tfrecords") as writer:
            for tile in range(count):
                further = tuple(FurtherImage(one, png(pixels(tile, k))) for k, one in enumerate(sizes, 1))
                record = TileRecord(name, png(pixels(tile, 0)), 10 * tile, 5, further=further)
                writer.append(record.encode(), (10 * tile, 5))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("records")
    (home / LABEL).mkdir()
    write(home / LABEL, {"a": 5, "b": 4})
    return home


@pytest.fixture
def dataset(home: Path) -> Dataset:
    return Dataset(tfrecords=home, tile_px=PX, tile_um=[8, 32, 4])


def blue(images: np.ndarray) -> list[int]:
    return np.asarray(images)[:, 0, 0, 2].tolist()


def test_arrays_come_as_a_tuple_in_the_order_of_the_sizes(dataset: Dataset) -> None:
    # Act
    images, labels, x, _ = next(iter(dataset.numpy({"a": 0, "b": 1}, batch_size=9, incl_loc=True)))

    # Assert
    assert isinstance(images, tuple)
    assert [one.shape for one in images] == [(9, PX, PX, 3)] * 3
    assert labels.tolist() != sorted(labels.tolist())
    tiles = (x // 10).tolist()
    for size, one in enumerate(images):
        assert blue(one) == [20 * size + tile for tile in tiles]


def test_single_tiles_without_labels_are_a_tuple_of_images(dataset: Dataset) -> None:
    first = next(iter(dataset.numpy(shuffle=False)))

    assert isinstance(first, tuple)
    for size, image in enumerate(first):
        assert (image == pixels(0, size)).all()


def test_all_sizes_are_turned_and_changed_alike(dataset: Dataset) -> None:
    """Red and green are the same at all sizes, so that they stay so only if all are turned alike."""
    images = next(iter(dataset.numpy(batch_size=9, augment="xyr", standardize=True)))
    plain = next(iter(dataset.numpy(batch_size=9)))

    assert all(one.dtype == np.float32 and one.min() >= -1 and one.max() <= 1 for one in images)
    assert (images[0][..., :2] == images[1][..., :2]).all()
    assert (images[0][..., :2] == images[2][..., :2]).all()
    assert ((images[0] + 1) * 127.5 != plain[0]).any()


def test_an_older_reader_finds_the_first_size(home: Path, tmp_path: Path) -> None:
    """A dataset of one size reads the same records, once their folder is called so."""
    (tmp_path / f"{PX}px_8um").symlink_to(home / LABEL)
    dataset = Dataset(tfrecords=tmp_path, tile_px=PX, tile_um=8)

    batch = next(iter(dataset.numpy(batch_size=4, shuffle=False)))

    assert (batch == np.stack([pixels(tile, 0) for tile in range(4)])).all()


def test_a_size_that_records_lack_is_named(tmp_path: Path) -> None:
    (tmp_path / LABEL).mkdir()
    write(tmp_path / LABEL, {"a": 2}, sizes=("32um",))
    dataset = Dataset(tfrecords=tmp_path, tile_px=PX, tile_um=[8, 32, 4])

    with pytest.raises(RecordError, match="has no image of 4um"):
        next(iter(dataset.numpy(batch_size=2)))


def test_sizes_name_the_folder_in_their_order(home: Path) -> None:
    other = Dataset(tfrecords=home, tile_px=PX, tile_um=[8, 4, 32])

    assert other.label == f"{PX}px_8um+4um+32um"
    with pytest.raises(DatasetError, match="no TFRecords"):
        other.numpy()
    with pytest.raises(SpecError, match="twice"):
        Dataset(tfrecords=home, tile_px=PX, tile_um=[8, 8])


def test_tiles_from_slides_are_of_one_size(dataset: Dataset) -> None:
    with pytest.raises(SpecError, match="one size"):
        dataset.numpy(from_wsi=True)


@pytest.mark.torch
@pytest.mark.parametrize("workers", [0, 1])
def test_torch_gives_what_numpy_gives(dataset: Dataset, workers: int) -> None:
    torch = pytest.importorskip("torch")
    options = {"labels": {"a": 0, "b": 1}, "batch_size": 9, "augment": "xyr"}

    images, labels = next(iter(dataset.torch(**options, num_workers=workers)))
    expected, _ = next(iter(dataset.numpy(**options)))

    assert len(images) == 3
    assert isinstance(labels, torch.Tensor)
    for one, other in zip(images, expected, strict=True):
        assert (one.permute(0, 2, 3, 1).numpy() == other).all()


@pytest.mark.torch
def test_torch_transforms_each_size_with_the_same_chance(dataset: Dataset) -> None:
    torch = pytest.importorskip("torch")

    def roll(image):
        return torch.roll(image, int(torch.randint(0, PX, ())), dims=2)

    first, second, _ = dataset.torch(map_style=True, transform=roll).dataset[3]
    assert (first[:2] == second[:2]).all()
    assert (first[2] != second[2]).all()


@pytest.mark.tensorflow
def test_tensorflow_gives_what_numpy_gives(dataset: Dataset) -> None:
    pytest.importorskip("tensorflow")
    options = {"labels": {"a": 0, "b": 1}, "batch_size": 4, "augment": "xyr"}

    batches = dataset.tensorflow(**options)
    structure, _ = batches.element_spec
    assert [tuple(spec.shape) for spec in structure] == [(None, PX, PX, 3)] * 3
    for (images, labels), (expected, wanted) in zip(batches, dataset.numpy(**options), strict=True):
        assert labels.numpy().tolist() == wanted.tolist()
        for one, other in zip(images, expected, strict=True):
            assert (one.numpy() == other).all()
    single = next(iter(dataset.tensorflow(shuffle=False)))
    assert [tuple(image.shape) for image in single] == [(PX, PX, 3)] * 3


@pytest.mark.tensorflow
def test_tensorflow_names_a_tile_that_lacks_a_size(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    (tmp_path / LABEL).mkdir()
    write(tmp_path / LABEL, {"a": 2}, sizes=("32um",))
    dataset = Dataset(tfrecords=tmp_path, tile_px=PX, tile_um=[8, 32, 4])

    with pytest.raises(tf.errors.InvalidArgumentError, match="image_raw_4um"):
        next(iter(dataset.tensorflow(batch_size=2)))
