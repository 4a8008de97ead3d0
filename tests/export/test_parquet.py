"""Parquet: read back by pyarrow and pandas."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from slidekit.errors import SpecError
from slidekit.export import ExportOptions, TileSource, export_tiles
from slidekit.io.tfrecord import TileRecord

parquet = pytest.importorskip("pyarrow.parquet")


def test_bytes_and_columns_come_back(make_source: Callable[..., TileSource], flat: list[TileRecord], tmp_path: Path):
    # Act
    export_tiles(make_source(labels="category", columns="site"), "parquet", tmp_path / "out")

    # Assert
    table = parquet.read_table(tmp_path / "out")
    frame = table.to_pandas()
    assert [image["bytes"] for image in frame["image"]] == [record.image_raw for record in flat]
    assert frame["image"][0]["path"] == "a.b-1-0-7.jpg"
    assert frame["image"][9]["path"] == "d-100-7.png"
    assert frame["slide"].tolist() == [record.slide for record in flat]
    assert frame["loc_x"].tolist() == [record.loc_x for record in flat]
    assert [None if pd.isna(x) else x for x in frame["grid_x"]] == [record.grid_x for record in flat]
    assert [None if pd.isna(x) else x for x in frame["roi_name"]] == [record.roi_name for record in flat]
    assert frame.groupby("slide")["label"].first().to_dict() == {"a.b-1": "tumor", "c": "benign", "d": "tumor"}
    assert frame.groupby("slide")["patient"].first().to_dict() == {"a.b-1": "p1", "c": "p1", "d": "p2"}
    assert frame.groupby("slide")["site"].first().to_dict() == {"a.b-1": "Köln", "c": "", "d": "x"}


def test_images_are_declared_as_hugging_face_does(make_source: Callable[..., TileSource], tmp_path: Path):
    export_tiles(make_source(labels="grade"), "parquet", tmp_path / "out")

    schema = parquet.read_schema(tmp_path / "out" / "tiles-00000.parquet")
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == {"_type": "Image"}
    assert features["label"] == {"dtype": "float64", "_type": "Value"}
    assert list(features) == schema.names
    assert str(schema.field("image").type) == "struct<bytes: binary, path: string>"


def test_numbers_keep_their_digits(make_source: Callable[..., TileSource], tmp_path: Path):
    export_tiles(make_source(labels="grade"), "parquet", tmp_path / "out")

    labels = parquet.read_table(tmp_path / "out")["label"].to_pylist()
    assert labels == [0.1] * 5 + [2.0] * 3 + [3.5] * 2


def test_files_and_row_groups_are_bounded(make_source: Callable[..., TileSource], tmp_path: Path):
    export_tiles(make_source(), "parquet", tmp_path / "out", ExportOptions(shard_mb=0.002))

    files = sorted((tmp_path / "out").glob("*.parquet"))
    assert len(files) >= 2
    assert files[1].name == "tiles-00001.parquet"
    assert sum(parquet.read_metadata(path).num_rows for path in files) == 10
    assert parquet.read_metadata(files[0]).num_rows < 10


def test_jpegs_are_not_compressed_again(make_source: Callable[..., TileSource], tmp_path: Path):
    export_tiles(make_source(), "parquet", tmp_path / "out")

    group = parquet.read_metadata(tmp_path / "out" / "tiles-00000.parquet").row_group(0)
    columns = {group.column(number).path_in_schema: group.column(number) for number in range(group.num_columns)}
    assert columns["image.bytes"].compression == "UNCOMPRESSED"
    assert columns["slide"].compression == "ZSTD"
    assert "PLAIN_DICTIONARY" in columns["slide"].encodings or "RLE_DICTIONARY" in columns["slide"].encodings


def test_images_can_be_opened(make_source: Callable[..., TileSource], tmp_path: Path):
    export_tiles(make_source(), "parquet", tmp_path / "out")

    image = pd.read_parquet(tmp_path / "out", columns=["image"])["image"][9]
    drawn = np.random.default_rng(1).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(image["bytes"]))), drawn)


def test_columns_cannot_take_the_names_of_others(make_source: Callable[..., TileSource], tmp_path: Path):
    with pytest.raises(SpecError, match="under the names patient"):
        export_tiles(make_source(columns=["patient"]), "parquet", tmp_path / "out")
