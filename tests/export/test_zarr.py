"""Zarr: read back by zarr."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from slidekit.errors import RecordError
from slidekit.export import ExportOptions, SlideRecords, TileSource, export_tiles
from slidekit.export import zarr as module
from slidekit.io.tfrecord import TileRecord, frame

zarr = pytest.importorskip("zarr")


def test_pixels_and_numbers_come_back(make_source: Callable[..., TileSource], flat: list[TileRecord], tmp_path: Path):
    # Act
    export_tiles(make_source(labels="category", columns="site"), "zarr", tmp_path / "out.zarr")

    # Assert
    group = zarr.open(tmp_path / "out.zarr", mode="r")
    attributes = dict(group.attrs)
    assert group["images"].shape == (10, 16, 16, 3)
    assert group["images"].dtype == np.uint8
    for image, record in zip(group["images"][:], flat, strict=True):
        decoded = np.asarray(Image.open(io.BytesIO(record.image_raw)))
        assert np.abs(image.astype(int) - decoded).max() <= 4  # two decoders of JPEG
    np.testing.assert_array_equal(group["images"][9], np.asarray(Image.open(io.BytesIO(flat[9].image_raw))))
    assert group["locations"][:].tolist() == [[record.loc_x, record.loc_y] for record in flat]
    assert group["grid"][:2].tolist() == [[0, 0], [-1, -1]]
    assert [attributes["slides"][place] for place in group["slide"][:]] == [record.slide for record in flat]
    assert [attributes["classes"][place] for place in group["labels"][:]] == (
        ["tumor"] * 5 + ["benign"] * 3 + ["tumor"] * 2
    )
    assert [attributes["roi_names"][place] if place >= 0 else None for place in group["roi"][:]] == [
        record.roi_name for record in flat
    ]
    assert group["roi_label"][1] == -1
    assert attributes["roi_labels"] == ["tumor"]
    assert attributes["patients"] == {"a.b-1": "p1", "c": "p1", "d": "p2"}
    assert attributes["annotations"]["a.b-1"] == {"site": "Köln"}


def test_shards_hold_whole_chunks(
    make_source: Callable[..., TileSource], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # Arrange: a chunk of two tiles, a shard of four
    monkeypatch.setattr(module, "_CHUNK", 2 * 16 * 16 * 3)

    # Act
    export_tiles(make_source(), "zarr", tmp_path / "out", ExportOptions(shard_mb=4 * 16 * 16 * 3 / 1e6))

    # Assert
    images = zarr.open(tmp_path / "out", mode="r")["images"]
    assert images.chunks == (2, 16, 16, 3)
    assert images.shards == (4, 16, 16, 3)
    assert len(list((tmp_path / "out" / "images" / "c").iterdir())) == 3
    assert images[:].std(axis=(1, 2, 3)).min() > 10


def test_tiles_without_labels_are_left_out(make_source: Callable[..., TileSource], tmp_path: Path):
    result = export_tiles(make_source(labels={"a.b-1": 3, "d": 4}), "zarr", tmp_path / "out")

    group = zarr.open(tmp_path / "out", mode="r")
    assert group["images"].shape[0] == group["slide"].shape[0] == 7
    assert group["labels"][:].tolist() == [3] * 5 + [4] * 2
    assert (result.tiles, result.unlabeled, result.slides) == (7, 3, 2)


def test_tiles_of_two_sizes_are_refused(make_source: Callable[..., TileSource], write_slide, tmp_path: Path):
    write_slide(tmp_path / "records" / "c.tfrecords", "c", 3, size=8)

    with pytest.raises(RecordError, match="is 8 × 8 px, and others 16 × 16"):
        export_tiles(make_source(), "zarr", tmp_path / "out")
    assert not list(tmp_path.glob("out*"))


def test_pixels_are_those_of_the_record_whatever_a_camera_says(tmp_path: Path) -> None:
    # Arrange: a JPEG that is to be shown turned, and as many rows as columns
    image = np.zeros((16, 16, 3), np.uint8)
    image[:, :8] = 200
    exif, file = Image.Exif(), io.BytesIO()
    exif[274] = 6
    Image.fromarray(image).save(file, "JPEG", exif=exif)
    path = tmp_path / "s.tfrecords"
    path.write_bytes(frame(TileRecord("s", file.getvalue(), 1, 2).encode()))

    # Act
    export_tiles(TileSource([SlideRecords(path, 1)]), "zarr", tmp_path / "out")

    # Assert
    (found,) = zarr.open(tmp_path / "out", mode="r")["images"][:]
    assert np.abs(found.astype(int) - image).max() < 3
