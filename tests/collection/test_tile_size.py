"""Sizes of a dataset's tiles: checked when they are given, and named where there are others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from slidekit.collection.tile_size import settle_sizes
from slidekit.dataset import Dataset
from slidekit.errors import DatasetError, SpecError
from slidekit.io.tfrecord import TileRecord
from slidekit.record_tools.writing import RecordWriter


@pytest.mark.parametrize(
    ("tile_um", "expected"),
    [
        (128, (128,)),
        ([128, "5x"], (128, "5x")),
        ((512, 128), (512, 128)),
        (np.array([128, 512]), (128, 512)),
        ([np.float32(128), np.int64(512)], (128, 512)),
        (range(128, 130), (128, 129)),
        (None, ()),
    ],
)
def test_sizes_are_a_tuple_of_plain_values_in_their_order(tile_um, expected) -> None:
    sizes = settle_sizes(256, tile_um, None)

    assert sizes == expected
    assert all(type(size) in (int, float, str) for size in sizes)


def test_several_resolutions_are_several_sizes() -> None:
    assert settle_sizes(128, None, np.array([0.5, 2])) == (64.0, 256.0)


@pytest.mark.parametrize(
    ("tile_px", "tile_um", "tile_mpp", "what"),
    [
        (128, [], None, "no size"),
        (128, [128, 128.0], None, "twice"),
        (None, [128, 128.0], None, "twice"),
        (128, [128, 1e6], None, "no slide can give"),
        (128, [128, 0.3], None, "no slide can give"),
        (128, "128,512", None, "is not a tile size"),
        (128, {128, 512}, None, "is not a tile size"),
        (128, [128, True], None, "is not a tile size"),
        (128, b"128", None, "is not a tile size"),
        (1, 128, None, "tile_px"),
        (128, 128, 1.0, "say the same"),
        (None, None, [0.5, 2], "without tile_px"),
        (128, None, [0.5, 0.5], "twice"),
        (128, None, True, "above 0"),
    ],
)
def test_what_is_no_size_is_refused_when_the_dataset_is_made(tmp_path: Path, tile_px, tile_um, tile_mpp, what) -> None:
    with pytest.raises(SpecError, match=what) as caught:
        Dataset(tfrecords=tmp_path, tile_px=tile_px, tile_um=tile_um, tile_mpp=tile_mpp)

    assert "extract --help" not in (caught.value.mend or "extract --help")


def test_records_of_other_sizes_are_named(tmp_path: Path) -> None:
    # Arrange
    for label in ("64px_32um+128um", "64px_5x"):
        (tmp_path / label).mkdir()
        with RecordWriter(tmp_path / label / "a.tfrecords") as writer:
            writer.append(TileRecord("a", b"image", 0, 0).encode(), (0, 0))
    (tmp_path / "reports").mkdir()

    # Act
    with pytest.raises(DatasetError) as caught:
        Dataset(tfrecords=tmp_path, tile_px=64, tile_um=[128, 32]).numpy()
    with pytest.raises(DatasetError) as none:
        Dataset(tfrecords=tmp_path / "reports", tile_px=64, tile_um=32).numpy()

    # Assert
    assert caught.value.message == "There are no TFRecords of 64px_128um+32um."
    assert "There are 64px_32um+128um, 64px_5x: give one of these" in (caught.value.mend or "")
    assert "give one of these" not in (none.value.mend or "")
