"""Loaders of concentric tiles: tuples of images in one order, changed alike."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from slidekit.dataset import Dataset
from slidekit.errors import DatasetError, RecordError, SpecError
from slidekit.io.tfrecord import FurtherImage, TileRecord
from slidekit.norm import autoselect
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


def test_images_by_themselves_cannot_be_taken_for_images_and_labels(dataset: Dataset) -> None:
    (first,) = next(iter(dataset.numpy(shuffle=False)))

    assert isinstance(first, tuple)
    for size, image in enumerate(first):
        assert (image == pixels(0, size)).all()


def test_all_sizes_are_turned_and_changed_alike(dataset: Dataset) -> None:
    """Red and green are the same at all sizes, so that they stay so only if all are turned alike."""
    (images,) = next(iter(dataset.numpy(batch_size=9, augment="xyr", standardize=True)))
    (plain,) = next(iter(dataset.numpy(batch_size=9)))

    assert all(one.dtype == np.float32 and one.min() >= -1 and one.max() <= 1 for one in images)
    assert (images[0][..., :2] == images[1][..., :2]).all()
    assert (images[0][..., :2] == images[2][..., :2]).all()
    assert ((images[0] + 1) * 127.5 != plain[0]).any()


@pytest.fixture
def twins(tmp_path: Path) -> Dataset:
    """Tiles whose sizes hold one picture each, so that what is drawn alike for all leaves them equal."""
    folder = tmp_path / f"{PX}px_8um+32um"
    folder.mkdir()
    with RecordWriter(folder / "a.tfrecords") as writer:
        for tile in range(5):
            image = png(pixels(tile, 0))
            record = TileRecord("a", image, 10 * tile, 5, further=(FurtherImage("32um", image),))
            writer.append(record.encode(), (10 * tile, 5))
    return Dataset(tfrecords=tmp_path, tile_px=PX, tile_um=[8, 32])


CHANCES = [
    {"augment": "xyrjbdspc"},
    {"augment": "xn", "normalizer": "macenko"},
    {"normalizer": "augment"},
    {"augment": "n", "normalizer": "augment"},
]


@pytest.mark.parametrize("options", CHANCES)
def test_all_that_is_left_to_chance_is_drawn_once_for_all_sizes(twins: Dataset, options: dict[str, str]) -> None:
    plain = next(iter(twins.numpy(batch_size=5)))[0][0]

    ((first, second),) = next(iter(twins.numpy(batch_size=5, **options)))

    assert (first == second).all()
    assert (first != plain).any()


def test_a_normaliser_that_draws_goes_by_the_first_size(dataset: Dataset) -> None:
    """The pictures of the sizes differ, in the blue channel alone: drawn by their own pixels, hues part."""
    normalizer = autoselect("augment")

    ((first, second, _),) = next(iter(dataset.numpy(batch_size=9, normalizer=normalizer)))
    ((raw, other, _),) = next(iter(dataset.numpy(batch_size=9)))

    for k in range(9):
        assert (first[k] == normalizer.transform(raw[k])).all()
        assert (second[k] == normalizer.normalize(other[k], like=raw[k]).image).all()
        assert (second[k] != normalizer.transform(other[k])).any()


@pytest.mark.torch
@pytest.mark.parametrize("options", CHANCES)
def test_torch_draws_once_for_all_sizes(twins: Dataset, options: dict[str, str]) -> None:
    pytest.importorskip("torch")
    ((first, second),) = next(iter(twins.torch(batch_size=5, **options)))

    assert (first == second).all()


@pytest.mark.tensorflow
@pytest.mark.parametrize("options", CHANCES[1:])
def test_tensorflow_draws_once_for_all_sizes(twins: Dataset, options: dict[str, str]) -> None:
    pytest.importorskip("tensorflow")
    ((first, second),) = next(iter(twins.tensorflow(batch_size=5, **options)))

    assert (first.numpy() == second.numpy()).all()
    if options == {"normalizer": "augment"}:
        expected = next(iter(twins.numpy(batch_size=5, **options)))[0][0]
        assert (first.numpy() == expected).all()


@pytest.fixture
def pair(tmp_path: Path) -> Dataset:
    folder = tmp_path / f"{PX}px_8um+32um"
    folder.mkdir()
    write(folder, {"a": 4, "b": 2}, sizes=("32um",))
    return Dataset(tfrecords=tmp_path, tile_px=PX, tile_um=[8, 32])


def means_of(pair: Dataset) -> np.ndarray:
    ((first, second),) = next(iter(pair.numpy(batch_size=6, shuffle=False)))
    return np.concatenate([first.mean((1, 2)), second.mean((1, 2))], 1)


def two_inputs(keras):
    """A network whose answer tells the inputs apart."""
    inputs = [keras.Input((PX, PX, 3)) for _ in range(2)]
    means = [keras.layers.Lambda(lambda image: keras.ops.mean(image, (1, 2)))(image) for image in inputs]
    return keras.Model(inputs, keras.layers.Concatenate()(means))


@pytest.mark.tensorflow
def test_a_keras_model_with_two_inputs_takes_them_as_they_come(pair: Dataset) -> None:
    pytest.importorskip("tensorflow")
    keras = pytest.importorskip("keras")
    model = two_inputs(keras)

    found = model.predict(pair.tensorflow(batch_size=3, shuffle=False), verbose=0)

    assert found == pytest.approx(means_of(pair), abs=1e-3)
    model = keras.Model(model.inputs, keras.layers.Dense(1)(model.output))
    model.compile("sgd", "mse")
    labels = {"a": 1, "b": 2}
    history = model.fit(pair.tensorflow(labels, batch_size=3), shuffle=False, verbose=0).history
    assert np.isfinite(history["loss"]).all()


@pytest.mark.torch
@pytest.mark.tensorflow
def test_a_keras_model_takes_what_torch_loads(pair: Dataset) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("tensorflow")
    keras = pytest.importorskip("keras")

    loader = pair.torch(batch_size=3, shuffle=False, transform=lambda image: image.permute(1, 2, 0))

    assert two_inputs(keras).predict(loader, verbose=0) == pytest.approx(means_of(pair), abs=1e-3)


def test_a_damaged_further_size_is_named(tmp_path: Path) -> None:
    (tmp_path / f"{PX}px_8um+32um").mkdir()
    with RecordWriter(tmp_path / f"{PX}px_8um+32um" / "a.tfrecords") as writer:
        image = png(pixels(0, 0))
        writer.append(TileRecord("a", image, 0, 5, further=(FurtherImage("32um", image[:60]),)).encode(), (0, 5))

    with pytest.raises(RecordError, match=r"slide 'a', 32um, cannot be decoded"):
        next(iter(Dataset(tfrecords=tmp_path, tile_px=PX, tile_um=[8, 32]).numpy()))


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

    ((first, second, _),) = dataset.torch(map_style=True, transform=roll).dataset[3]
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
    (single,) = next(iter(dataset.tensorflow(shuffle=False)))
    assert [tuple(image.shape) for image in single] == [(PX, PX, 3)] * 3


@pytest.mark.tensorflow
def test_tensorflow_names_a_tile_that_lacks_a_size(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    (tmp_path / LABEL).mkdir()
    write(tmp_path / LABEL, {"a": 2}, sizes=("32um",))
    dataset = Dataset(tfrecords=tmp_path, tile_px=PX, tile_um=[8, 32, 4])

    with pytest.raises(tf.errors.InvalidArgumentError, match="image_raw_4um"):
        next(iter(dataset.tensorflow(batch_size=2)))
