"""`Dataset.tensorflow`, against `Dataset.numpy`: the same batches."""

from __future__ import annotations

import io
import json
from itertools import islice

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from slidekit import Dataset
from slidekit.errors import DatasetError, NormalizerError, SpecError
from slidekit.io.tfrecord import RecordIndex, TileRecord, frame, index_path, read_index, write_index

tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

pytestmark = pytest.mark.tensorflow

TILES = {"a": 7, "b": 4, "c": 9}
LABELS = {"a": "stroma", "b": "tumour", "c": "stroma"}
PX = 24


def write_slide(folder, name, tiles, *, px=PX, kind="JPEG"):
    """TFRecords of smooth random tiles, with their index; returns the offsets."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(len(name) + tiles)
    extents, locations, content = [], [], b""
    for number in range(tiles):
        colours = generator.integers(60, 255, (4, 4, 3)).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(colours).resize((px, px), Image.Resampling.BICUBIC).save(file, kind, quality=90)
        record = frame(TileRecord(name, file.getvalue(), 100 * number, ord(name[0])).encode())
        extents.append((len(content), len(record)))
        locations.append((100 * number, ord(name[0])))
        content += record
    path = folder / f"{name}.tfrecords"
    path.write_bytes(content)
    write_index(index_path(path), RecordIndex(np.array(extents), np.array(locations)))
    return path, [offset for offset, _ in extents]


def dataset_of(folder, px=PX):
    return Dataset(tfrecords=folder, tile_px=px, tile_um=12)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    for name, tiles in TILES.items():
        write_slide(folder / "24px_12um", name, tiles)
    return dataset_of(folder)


def as_numpy(element):
    """Every part as an array; slides as str."""
    parts = element if isinstance(element, tuple) else (element,)
    arrays = [np.asarray(part) for part in parts]
    return [array.astype(str) if array.dtype == object else array for array in arrays]


def decoded(element):
    parts = element if isinstance(element, tuple) else (element,)
    arrays = [np.asarray(part.numpy()) for part in parts]
    return [np.char.decode(array.astype(bytes)) if array.dtype.kind in "OS" else array for array in arrays]


def assert_equal(batches, expected):
    batches, expected = list(batches), list(expected)
    assert len(batches) == len(expected)
    for batch, one in zip(map(decoded, batches), map(as_numpy, expected), strict=True):
        assert len(batch) == len(one)
        for part, other in zip(batch, one, strict=True):
            assert part.shape == other.shape
            assert np.array_equal(part, other)
            assert part.dtype.kind == other.dtype.kind
            assert part.dtype == other.dtype or part.dtype.kind == "U"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"labels": LABELS, "batch_size": 6},
        {"labels": LABELS, "batch_size": 6, "onehot": True, "drop_last": True, "standardize": True},
        {"labels": {"a": 0.5, "c": 2.0}, "batch_size": 5, "incl_slidenames": True, "incl_loc": True},
        {"labels": LABELS, "incl_slidenames": True, "incl_loc": True, "shuffle": False, "check_crc": False},
        {"batch_size": 3, "num_shards": 3, "shard_index": 1, "even_shards": True, "seed": 4},
        {"batch_size": 8, "augment": True, "seed": 5},
    ],
)
def test_two_epochs_are_those_of_numpy(dataset, options):
    # Arrange
    expected, loaded = dataset.numpy(**options), dataset.tensorflow(**options)

    # Act, assert
    for _ in range(2):
        assert_equal(loaded, expected)
    assert loaded.num_tiles == expected.num_tiles
    assert loaded.cardinality() == len(expected)


@pytest.mark.parametrize("options", [{"batch_size": 6}, {"batch_size": 6, "drop_last": True}, {}])
def test_an_infinite_one_fills_no_batch_from_the_next_epoch(dataset, options):
    options = {**options, "labels": LABELS, "infinite": True}
    loaded = dataset.tensorflow(**options)
    assert_equal(loaded.take(45), islice(dataset.numpy(**options), 45))
    assert loaded.cardinality() == tf.data.INFINITE_CARDINALITY


def test_shapes_are_known(dataset):
    images, labels = dataset.tensorflow(LABELS, 6, drop_last=True, onehot=True, augment="x").element_spec
    assert (images.shape, images.dtype) == ((6, PX, PX, 3), tf.uint8)
    assert (labels.shape, labels.dtype) == ((6, 2), tf.float32)
    assert dataset.tensorflow(batch_size=6, standardize=True).element_spec == tf.TensorSpec(
        (None, PX, PX, 3), tf.float32
    )


def test_balanced_as_numpy(dataset):
    balanced = dataset.balance(strategy="slide")
    assert_equal(balanced.tensorflow(batch_size=7, incl_slidenames=True), balanced.numpy(None, 7, incl_slidenames=True))


def test_labels_of_tiles_and_several_outcomes(dataset):
    import pandas as pd

    tiles = [f"{name}-{100 * tile}-{ord(name)}" for name, number in TILES.items() for tile in range(1, number)]
    by_tile = pd.DataFrame({"label": ["in" if len(tile) % 2 else "out" for tile in tiles]}, index=tiles)
    by_slide = pd.DataFrame({"slide": list(TILES), "age": [50.5, 61.0, 72.0], "size": [1.0, 2.0, 3.5]})
    for labels in (by_tile, by_slide):
        assert_equal(dataset.tensorflow(labels, 6), dataset.numpy(labels, 6))


def test_shards_have_each_tile_once(dataset):
    seen = []
    for shard in range(3):
        for _, slide, x, _ in dataset.tensorflow(num_shards=3, shard_idx=shard, incl_slidenames=True, incl_loc=True):
            seen.append((slide.numpy().decode(), int(x)))
    assert sorted(seen) == sorted((name, 100 * tile) for name, tiles in TILES.items() for tile in range(tiles))


@pytest.mark.parametrize(
    ("steps", "infinite"),
    [
        (3, False),
        (9, True),
        *(pytest.param(*case, marks=pytest.mark.long) for case in ((4, False), (9, False), (3, True))),
    ],
)
def test_what_remains_after_a_stop(dataset, infinite, steps):
    # Arrange: batches 0 to 3 are an epoch
    options = {"labels": LABELS, "batch_size": 6, "infinite": infinite, "augment": "xr"}
    whole = dataset.tensorflow(**options)
    batches = list(whole.take(16)) if infinite else [batch for _ in range(4) for batch in whole]

    # Act
    state = whole.state_dict(steps)
    resumed = dataset.tensorflow(**options, state=state)
    remaining = list(resumed.take(16 - steps)) if infinite else [batch for _ in range(4) for batch in resumed]

    # Assert
    expected = [tuple(part.numpy() for part in batch) for batch in batches[steps:]]
    assert_equal(remaining[: len(expected)], expected)
    # A state counts on, and is the same for numpy.
    assert resumed.state_dict(1) == whole.state_dict(steps + 1)
    first = next(iter(dataset.numpy(**options, state=state)))
    assert_equal(remaining[:1], [first])


def test_a_state_of_other_settings(dataset):
    state = dataset.tensorflow(batch_size=6).state_dict(1)
    with pytest.raises(DatasetError, match="batch_size was 6"):
        dataset.tensorflow(batch_size=7, state=state)


@pytest.mark.parametrize("method", ["macenko", pytest.param("reinhard_fast", marks=pytest.mark.long)])
def test_normalised_as_by_numpy(dataset, method):
    pairs = zip(
        dataset.tensorflow(None, 10, normalizer=method), dataset.numpy(None, 10, normalizer=method), strict=True
    )
    for batch, expected in pairs:
        difference = np.abs(batch.numpy().astype(int) - expected)
        assert difference.max() <= 3
        assert difference.mean() <= 1


def test_a_method_of_numpy_alone(dataset):
    options = {"batch_size": 10, "normalizer": "vahadane", "augment": "xy"}
    assert_equal(dataset.tensorflow(**options), dataset.numpy(**options))


@pytest.mark.long
def test_stain_augmentation_is_seeded(dataset):
    def make(seed):
        augmented = dataset.tensorflow(None, 20, shuffle=False, normalizer="reinhard", augment="n", seed=seed)
        return [batch.numpy() for _ in range(2) for batch in augmented]

    first, second = make(1)
    assert np.array_equal(first, make(1)[0])
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, make(2)[0])
    with pytest.raises(NormalizerError, match="set_augment"):
        dataset.tensorflow(None, 20, normalizer="vahadane", augment="n")


def test_in_any_order_all_tiles_come(dataset):
    loaded = dataset.tensorflow(incl_slidenames=True, incl_loc=True, deterministic=False)
    assert len({(slide.numpy(), int(x)) for _, slide, x, _ in loaded}) == sum(TILES.values())


def test_png(tmp_path):
    write_slide(tmp_path / "24px_12um", "p", 5, kind="PNG")
    dataset = dataset_of(tmp_path)
    assert_equal(dataset.tensorflow(batch_size=3), dataset.numpy(batch_size=3))


def test_a_damaged_record_is_named(tmp_path):
    # Arrange
    path, offsets = write_slide(tmp_path / "24px_12um", "d", 5)
    content = bytearray(path.read_bytes())
    content[offsets[3] + 60] ^= 4
    path.write_bytes(content)

    # Act, assert
    with pytest.raises(tf.errors.OpError, match=rf"RecordError: .*d\.tfrecords: the record at byte {offsets[3]} is"):
        list(dataset_of(tmp_path).tensorflow(batch_size=2))


def test_a_tile_of_another_size_is_named(tmp_path):
    write_slide(tmp_path / "24px_12um", "e", 3)
    write_slide(tmp_path / "24px_12um", "f", 3, px=20)
    with pytest.raises(tf.errors.OpError, match=r"(?s)tile of slide.*f.*20 20 3.*24 24 3"):
        list(dataset_of(tmp_path).tensorflow(batch_size=2))


def test_an_index_that_names_other_places_is_an_error_where_labels_go_by_place(tmp_path):
    # Arrange
    path, _ = write_slide(tmp_path / "24px_12um", "g", 4)
    index = read_index(index_path(path))
    write_index(index_path(path), RecordIndex(index.extents, index.locations[::-1]))
    labels = pd.DataFrame({"label": [0, 1, 2, 3]}, index=[f"g-{x}-{y}" for x, y in index.locations])

    # Act, assert
    with pytest.raises(tf.errors.OpError, match=r"(?s)tile of slide.*g.*lies at.*rebuild_index"):
        list(dataset_of(tmp_path).tensorflow(labels, batch_size=2))


def test_labels_of_slides_are_given_to_no_other_slide(tmp_path):
    # Arrange
    path, _ = write_slide(tmp_path / "24px_12um", "g", 4)
    path.rename(path.with_name("h.tfrecords"))
    index_path(path).unlink()
    places = pd.DataFrame({"label": [0, 1, 2, 3]}, index=[f"h-{100 * n}-{ord('g')}" for n in range(4)])

    # Act, assert
    with pytest.raises(tf.errors.OpError, match=r"(?s)tile of slide.*g.*label of slide.*h.*roi_labels"):
        list(dataset_of(tmp_path).tensorflow({"h": 1}, batch_size=2))
    assert len(list(dataset_of(tmp_path).tensorflow(places, batch_size=2))) == 2


def test_steps_may_be_a_variable(dataset):
    loaded = dataset.tensorflow(batch_size=6)

    for steps in (tf.Variable(3, dtype=tf.int64), np.int64(3), tf.constant(3)):
        assert json.loads(json.dumps(loaded.state_dict(steps))) == loaded.state_dict(3)
    for wrong in (-3, 1.5):
        with pytest.raises(SpecError, match="steps="):
            loaded.state_dict(wrong)


def test_wrong_options(dataset):
    with pytest.raises(SpecError, match=r"'shard_id'.*shard_idx"):
        dataset.tensorflow(shard_id=2)
    with pytest.raises(SpecError, match="xyrjbndspc"):
        dataset.tensorflow(augment="z")
    with pytest.raises(SpecError, match="shard_index=3"):
        dataset.tensorflow(num_shards=3, shard_idx=3)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")  # Keras's own
@pytest.mark.parametrize("infinite", [False, True])
def test_keras_learns_from_it(dataset, infinite):
    # Arrange
    keras = tf.keras
    options = {"labels": LABELS, "batch_size": 6, "standardize": True, "infinite": infinite}
    loaded = dataset.tensorflow(**options)
    model = keras.Sequential([keras.Input((PX, PX, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)])
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), optimizer="sgd")

    # Act
    history = model.fit(loaded, epochs=3, steps_per_epoch=4 if infinite else None, verbose=0)

    # Assert: epochs 0 to 2 were used, and 3 comes next
    assert len(history.history["loss"]) == 3
    if not infinite:
        expected = dataset.numpy(**options)
        expected.set_epoch(3)
        assert_equal(loaded, expected)
