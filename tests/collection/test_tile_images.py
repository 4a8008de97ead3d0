"""Images of TFRecords, and the fit of a normaliser to them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from slidekit import norm
from slidekit.collection.tile_images import iter_tile_images
from slidekit.dataset import Dataset
from slidekit.errors import DatasetError, RecordError
from slidekit.io.tfrecord import RecordIndex, TileRecord, frame, index_path, write_index
from slidekit.norm.tiles import TileSource

STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])


def draw(seed):
    amounts = np.random.default_rng(seed).gamma(2, 0.4, (32, 32, 2))
    return (245 * np.exp(-amounts @ STAINS)).astype(np.uint8)


def write(path, tiles, *, index=True):
    path.parent.mkdir(parents=True, exist_ok=True)
    frames, extents, place = [], [], 0
    for number, tile in enumerate(tiles):
        image = tile if isinstance(tile, bytes) else cv2.imencode(".png", tile[..., ::-1])[1].tobytes()
        data = frame(TileRecord(path.stem, image, number, 0).encode())
        frames.append(data)
        extents.append((place, len(data)))
        place += len(data)
    path.write_bytes(b"".join(frames))
    if index:
        write_index(index_path(path), RecordIndex(np.array(extents, np.int64), None))
    return path


@pytest.fixture
def files(tmp_path):
    """Three files of 5, 0 and 7 tiles, the last without an index."""
    return [
        write(tmp_path / "a.tfrecords", [draw(k) for k in range(5)]),
        write(tmp_path / "b.tfrecords", [], index=False),
        write(tmp_path / "c.tfrecords", [draw(k) for k in range(5, 12)], index=False),
    ]


def test_all_come_in_order(files):
    images = list(iter_tile_images(files))

    assert len(images) == 12
    assert all(np.array_equal(image, draw(number)) for number, image in enumerate(images))


@pytest.mark.parametrize("most", [1, 6, 12, 50])
def test_a_sample_is_seeded_without_repeats_and_in_order(files, most):
    numbers = {draw(number).tobytes(): number for number in range(12)}

    first, again, other = (
        [numbers[image.tobytes()] for image in iter_tile_images(files, max_tiles=most, seed=seed)] for seed in (1, 1, 2)
    )

    assert first == again == sorted(set(first))
    assert len(first) == len(other) == min(most, 12)


def test_every_tile_has_the_same_chance(files):
    numbers = {draw(number).tobytes(): number for number in range(12)}
    counts = np.zeros(12)

    for seed in range(300):
        for image in iter_tile_images(files, max_tiles=3, seed=seed):
            counts[numbers[image.tobytes()]] += 1

    # 900 draws over 12 tiles: 75 each, with a standard deviation of 7.5.
    assert counts.min() > 45
    assert counts.max() < 105


def test_what_is_no_image_names_file_and_tile(tmp_path):
    path = write(tmp_path / "a.tfrecords", [draw(0), b"no image"])

    with pytest.raises(RecordError, match=r"a\.tfrecords.*\(1, 0\)"):
        list(iter_tile_images([path]))


class TestDataset:
    @pytest.fixture
    def dataset(self, tmp_path):
        for name, seeds in (("a", range(3)), ("b", range(3, 8))):
            write(tmp_path / "tfrecords" / "32px_16um" / f"{name}.tfrecords", [draw(k) for k in seeds])
        return Dataset(tfrecords=tmp_path / "tfrecords", tile_px=32, tile_um=16)

    def test_it_is_what_a_normaliser_is_fitted_to(self, dataset):
        assert isinstance(dataset, TileSource)

        normalizer = norm.autoselect("macenko", dataset)

        assert normalizer.fitted_to.tiles == (8, 0)
        expected = norm.autoselect("macenko", [draw(k) for k in range(8)])
        assert normalizer.get_fit(as_list=True) == expected.get_fit(as_list=True)

    def test_a_sample_of_it(self, dataset):
        assert norm.autoselect("reinhard").fit(dataset, max_tiles=4, seed=1).fitted_to.tiles == (4, 0)

    def test_without_records_it_is_an_error(self, tmp_path):
        (tmp_path / "none").mkdir()
        dataset = Dataset(tfrecords=tmp_path / "none", tile_px=32, tile_um=16)

        with pytest.raises(DatasetError, match="no TFRecords of 32px_16um"):
            norm.autoselect("macenko", dataset)
