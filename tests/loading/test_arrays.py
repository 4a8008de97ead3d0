"""Batches as numpy arrays: pixels, labels, order of the work, positions; and damage, which is never silent."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from record_files import slideflow_folder
from tile_folder import COUNTS, PX, Given, TileFolder, make_folder, pixels, png

from slidekit import norm
from slidekit.augment.arrays import augment
from slidekit.errors import RecordError, SpecError
from slidekit.io.record_index import RecordIndex, index_path, read_index, write_index
from slidekit.loading.arrays import ArrayLoader
from slidekit.loading.stream import TileStream

TOTAL = sum(COUNTS.values())
NAMES = list(COUNTS)


def load(tiles: TileFolder, labels: Given | None = None, **options: Any) -> ArrayLoader:
    return ArrayLoader(tiles.stream(labels, **options))


def test_pixels_labels_slides_and_places_belong_together(tiles: TileFolder) -> None:
    labels = Given(np.array([3, 1, 4, 1]))

    seen = set()
    for images, label, slides, x, y in load(tiles, labels, batch_size=4, incl_slidenames=True, incl_loc=True):
        for row in range(len(images)):
            slide, tile = NAMES.index(slides[row]), int(x[row]) // 10
            assert np.array_equal(images[row], pixels(slide, tile))
            assert (label[row], y[row]) == (labels.values[slide], slide)
            seen.add((slide, tile))

    assert len(seen) == TOTAL
    assert label.dtype == x.dtype == np.int64


def test_without_anything_else_images_come_alone(tiles: TileFolder) -> None:
    batches = list(load(tiles, batch_size=10))
    singles = list(load(tiles))

    assert [batch.shape for batch in batches] == [(10, PX, PX, 3), (10, PX, PX, 3), (5, PX, PX, 3)]
    assert batches[0].dtype == np.uint8
    assert np.array_equal(np.stack(singles), np.concatenate(batches))
    image, label = next(iter(load(tiles, Given(np.array([1.5, 2, 3, 4], np.float32)))))
    assert image.shape == (PX, PX, 3)
    assert label.shape == ()


def test_threads_change_nothing(tiles: TileFolder) -> None:
    one, two = (ArrayLoader(tiles.stream(batch_size=4, augment="xyr"), num_threads=number) for number in (1, 2))

    assert all(np.array_equal(*pair) for pair in zip(one, two, strict=True))
    assert (len(one), one.num_tiles) == (7, TOTAL)
    for wrong in (0, 1.5):
        with pytest.raises(SpecError, match="num_threads"):
            ArrayLoader(tiles.stream(), num_threads=wrong)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_loader_that_was_used_works_in_a_forked_process(tiles: TileFolder) -> None:
    loader = ArrayLoader(tiles.stream(batch_size=8, shuffle=False), num_threads=2)
    expected = sum(int(batch.sum()) for batch in loader)
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()

    child = context.Process(target=lambda: results.put(sum(int(batch.sum()) for batch in loader)))
    child.start()
    child.join(20)

    hangs = child.is_alive()
    child.kill()
    assert not hangs
    assert results.get() == expected


def test_an_iteration_is_of_the_epoch_that_was_next_when_it_began(tiles: TileFolder) -> None:
    loader = load(tiles, batch_size=4)
    epochs = [list(loader) for _ in range(4)]
    loader.set_epoch(0)

    first = iter(loader)
    loader.set_epoch(3)
    later = iter(loader)

    for pair in (zip(first, epochs[0], strict=True), zip(later, epochs[3], strict=True)):
        assert all(np.array_equal(got, expected) for got, expected in pair)
    loader.set_epoch(1)
    for one, other, *expected in zip(loader, loader, epochs[1], epochs[2], strict=True):
        assert np.array_equal(one, expected[0])
        assert np.array_equal(other, expected[1])


def test_work_is_done_in_order(tmp_path: Path) -> None:
    # Normalised, then augmented, then scaled: worked out by hand from the parts.
    rng = np.random.default_rng(0)
    images = [rng.integers(60, 220, (32, 32, 3), np.uint8) for _ in range(4)]
    paths = slideflow_folder(tmp_path, {"s": [(png(image), n, 0) for n, image in enumerate(images)]})
    folder, normalizer = TileFolder(tmp_path, paths), norm.autoselect("reinhard_fast")
    stream = folder.stream(batch_size=4, shuffle=False, augment="xyr", normalizer=normalizer, standardize=True)

    (batch,) = ArrayLoader(stream)

    expected = augment(np.stack([normalizer.rgb_to_rgb(image) for image in images]), "xyr", stream.seeds(0, 0))
    assert batch.dtype == np.float32
    assert np.array_equal(batch, expected.astype(np.float32) / np.float32(127.5) - 1)
    assert -1 <= batch.min() < batch.max() <= 1


def test_stain_augmentation_is_seeded(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(60, 220, (16, 16, 3), np.uint8) for _ in range(3)]
    paths = slideflow_folder(tmp_path, {"s": [(png(image), n, 0) for n, image in enumerate(images)]})
    folder = TileFolder(tmp_path, paths)

    def batch(**options: Any) -> np.ndarray:
        return next(iter(load(folder, batch_size=3, shuffle=False, normalizer="reinhard_fast", **options)))

    assert np.array_equal(batch(augment="n"), batch(augment="n"))
    assert not np.array_equal(batch(augment="n"), batch())
    assert not np.array_equal(batch(augment="n"), batch(augment="n", seed=1))


@given(batch_size=st.integers(1, 9), epochs=st.integers(0, 2), steps=st.integers(0, 30), drop_last=st.booleans())
@settings(deadline=None, max_examples=15)
def test_a_loader_goes_on_where_another_stood(
    tiles: TileFolder, batch_size: int, epochs: int, steps: int, drop_last: bool
) -> None:
    options: dict[str, Any] = {"batch_size": batch_size, "drop_last": drop_last, "seed": 7, "incl_loc": True}
    first = load(tiles, infinite=True, **options)
    iterator = iter(first)
    for _ in range(epochs * len(first) + steps):
        next(iterator)
    state = first.state_dict()
    rest = [next(iterator) for _ in range(len(first) + 2)]

    second = load(tiles, infinite=True, **options)
    second.load_state_dict(state)
    resumed = iter(second)

    for batch in rest:
        assert all(np.array_equal(*pair) for pair in zip(batch, next(resumed), strict=True))


def test_a_finite_iteration_ends_with_its_epoch(tiles: TileFolder) -> None:
    loader = load(tiles, batch_size=10, incl_loc=True)
    orders = [np.concatenate([x + y for _, x, y in loader]).tolist() for _ in range(2)]
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]

    loader.load_state_dict({**loader.state_dict(), "epoch": 1, "batch": 1})
    assert np.concatenate([x + y for _, x, y in loader]).tolist() == orders[1][10:]
    loader.set_epoch(0)
    assert np.concatenate([x + y for _, x, y in loader]).tolist() == orders[0]


def test_replicas_have_each_tile_once(tiles: TileFolder) -> None:
    loaders = [load(tiles, batch_size=4, shard_index=index, num_shards=3, incl_loc=True) for index in range(3)]

    places = [(x, y) for loader in loaders for _, xs, ys in loader for x, y in zip(xs, ys, strict=True)]

    assert len(set(places)) == len(places) == TOTAL == sum(loader.num_tiles for loader in loaders)


# --- images ------------------------------------------------------------------------------------------------------


def of_images(folder: Path, *images: bytes, tile_px: int | None = None) -> TileStream:
    paths = slideflow_folder(folder, {"slide 1": [(image, 100 + n, n) for n, image in enumerate(images)]})
    return TileFolder(folder, paths).stream(batch_size=8, shuffle=False, tile_px=tile_px)


def test_jpeg_and_png_may_stand_side_by_side(tmp_path: Path) -> None:
    image = np.random.default_rng(1).integers(0, 255, (16, 16, 3), np.uint8)
    jpeg = simplejpeg.encode_jpeg(image, quality=90)

    (batch,) = ArrayLoader(of_images(tmp_path, png(image), jpeg))

    assert np.array_equal(batch[0], image)
    # libjpeg-turbo both, of different makers.
    expected = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.abs(batch[1].astype(int) - expected).max() <= 1


@pytest.mark.parametrize("name", ["jpeg", "png"])
@pytest.mark.parametrize("tile_px", [None, 16])
def test_another_size_is_an_error_that_names_slide_and_place(tmp_path: Path, name: str, tile_px: int | None) -> None:
    encode = png if name == "png" else simplejpeg.encode_jpeg
    good, other = encode(np.zeros((16, 16, 3), np.uint8)), encode(np.zeros((16, 24, 3), np.uint8))

    with pytest.raises(
        RecordError, match=r"slide 1\.tfrecords: the tile at \(101, 1\) of slide 'slide 1' has 24 × 16 px"
    ):
        list(ArrayLoader(of_images(tmp_path, good, other, tile_px=tile_px)))


@pytest.mark.parametrize("damage", ["cut off", "nothing", "text", "cut off png"])
def test_a_damaged_image_is_an_error_that_names_slide_and_place(tmp_path: Path, damage: str) -> None:
    image = np.random.default_rng(1).integers(0, 255, (16, 16, 3), np.uint8)
    jpeg = simplejpeg.encode_jpeg(image)
    bad = {"cut off": jpeg[:-60], "nothing": b"", "text": b"no image", "cut off png": png(image)[:20]}[damage]

    with pytest.raises(RecordError, match=r"the tile at \(101, 1\) of slide 'slide 1' cannot be decoded"):
        list(ArrayLoader(of_images(tmp_path, jpeg, bad)))


def test_a_damaged_first_image_is_such_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"the tile at \(100, 0\) of slide 'slide 1' cannot be decoded"):
        ArrayLoader(of_images(tmp_path, b"no image"))


def test_a_flipped_bit_is_an_error_unless_checksums_are_left_alone(tmp_path: Path) -> None:
    paths = slideflow_folder(tmp_path, {"s": [(png(pixels(0, n)), n, 0) for n in range(3)]})
    data = bytearray(paths[0].read_bytes())
    data[-1] ^= 1
    paths[0].write_bytes(data)
    folder = TileFolder(tmp_path, paths)

    with pytest.raises(RecordError, match=r"s\.tfrecords: the record at byte \d+ is damaged"):
        list(load(folder, batch_size=2))
    assert len(list(load(folder, batch_size=2, check_crc=False))) == 2


def test_an_index_that_names_other_places_never_gives_a_tile_the_label_of_another(tmp_path: Path) -> None:
    # Arrange: an index whose places are mixed up, beside records that it fits
    tiles = make_folder(tmp_path)
    path = next(path for path in tiles.paths if path.stem == "c")
    index = read_index(index_path(path))
    write_index(index_path(path), RecordIndex(index.extents, index.locations[::-1]))
    own = Given(np.arange(TOTAL), per_tile=True)

    # Act / Assert
    with pytest.raises(RecordError, match=r"c\.tfrecords: the index says .* at \(\d+, 2\).*rebuild_index"):
        list(load(tiles, own, batch_size=4, tile_px=PX))
    of_slides = load(tiles, Given(np.arange(4)), batch_size=4)
    assert sum(len(images) for images, _ in of_slides) == TOTAL
