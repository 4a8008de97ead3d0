"""What all formats promise: whole or not at all, nothing replaced that is not an export, labels as for loaders."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from slidekit.dataset import Dataset
from slidekit.errors import AnnotationsError, DatasetError, MissingExtraError, RecordError, SpecError
from slidekit.export import FORMATS, ExportOptions, TileSource, export_tiles
from slidekit.export.folder import FACTS_NAME

LIBRARIES = {"webdataset": "webdataset", "zarr": "zarr", "parquet": "pyarrow"}


def count(folder: Path, to: str) -> int:
    """Tiles of an export, by what stands beside them."""
    if to == "zarr":
        return json.loads((folder / "zarr.json").read_text())["attributes"]["tiles"]
    return json.loads((folder / FACTS_NAME).read_text())["tiles"]


@pytest.mark.parametrize("to", FORMATS)
class TestEveryFormat:
    def test_nothing_is_left_of_an_export_that_fails(
        self, make_source: Callable[..., TileSource], tmp_path: Path, to
    ) -> None:
        # Arrange: a bit of the last file is wrong
        source = make_source()
        path = tmp_path / "records" / "d.tfrecords"
        content = bytearray(path.read_bytes())
        content[-100] ^= 1
        path.write_bytes(content)

        # Act, Assert
        with pytest.raises(RecordError, match="is damaged or cut off") as error:
            export_tiles(source, to, tmp_path / "out")
        assert error.value.path == path
        assert [found.name for found in tmp_path.iterdir()] == ["records"]

    def test_what_exists_is_replaced_only_if_it_is_an_export(
        self, make_source: Callable[..., TileSource], tmp_path: Path, to
    ) -> None:
        # Arrange
        source, dest = make_source(), tmp_path / "out"
        export_tiles(source, to, dest)
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "thesis.txt").write_text("three years")
        overwriting = ExportOptions(overwrite=True)
        fewer = replace(source, slides=source.slides[:1])

        # Act, Assert
        with pytest.raises(DatasetError, match="exists already"):
            export_tiles(fewer, to, dest)
        with pytest.raises(DatasetError, match="is no export"):
            export_tiles(fewer, to, tmp_path / "mine", overwriting)
        assert (tmp_path / "mine" / "thesis.txt").read_text() == "three years"
        assert count(dest, to) == 10
        export_tiles(fewer, to, dest, overwriting)
        assert count(dest, to) == 5
        assert sorted(found.name for found in tmp_path.iterdir()) == ["mine", "out", "records"]

    def test_an_overwrite_that_fails_leaves_the_earlier_one(
        self, make_source: Callable[..., TileSource], tmp_path: Path, to
    ) -> None:
        source = make_source()
        export_tiles(source, to, tmp_path / "out")
        (tmp_path / "records" / "d.tfrecords").write_bytes(b"damaged")

        with pytest.raises(RecordError):
            export_tiles(source, to, tmp_path / "out", ExportOptions(overwrite=True))

        assert count(tmp_path / "out", to) == 10

    def test_a_missing_library_is_named_with_the_line_that_installs_it(
        self, make_source: Callable[..., TileSource], tmp_path: Path, to, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, LIBRARIES[to], None)

        with pytest.raises(MissingExtraError, match=r'pip install "slidekit\[export\]"'):
            export_tiles(make_source(), to, tmp_path / "out")
        assert [found.name for found in tmp_path.iterdir()] == ["records"]

    def test_facts_stand_beside_the_tiles(self, make_source: Callable[..., TileSource], tmp_path: Path, to) -> None:
        (tmp_path / "records").mkdir(exist_ok=True)
        (tmp_path / "records" / "extraction.json").write_text('{"spec": {"tile_px": 16}}')

        export_tiles(make_source(labels="category", facts={"tile_px": 16}), to, tmp_path / "out")

        content = json.loads((tmp_path / "out" / ("zarr.json" if to == "zarr" else FACTS_NAME)).read_text())
        facts = content.get("attributes", content)
        assert facts["extraction"] == {"spec": {"tile_px": 16}}
        assert facts["classes"] == ["benign", "tumor"]
        assert (facts["tile_px"], facts["tiles"], facts["format"]) == (16, 10, to)


def test_progress_ends_at_the_total(make_source: Callable[..., TileSource], tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []

    export_tiles(make_source(), "parquet", tmp_path / "out", on_progress=lambda *step: seen.append(step))

    assert seen == [("a.b-1", 5, 10), ("c", 8, 10), ("d", 10, 10), ("", 10, 10)]


def test_labels_of_tiles_leave_the_others_out(make_source: Callable[..., TileSource], tmp_path: Path) -> None:
    frame = pd.DataFrame({"slide": ["a.b-1", "d"], "loc_x": [100, 0], "loc_y": [7, 7], "label": ["stroma", "tumor"]})

    result = export_tiles(make_source(labels=frame), "parquet", tmp_path / "out")

    rows = pd.read_parquet(tmp_path / "out")
    assert rows[["slide", "loc_x", "label"]].values.tolist() == [["a.b-1", 100, "stroma"], ["d", 0, "tumor"]]
    assert (result.tiles, result.unlabeled) == (2, 8)


def test_a_file_that_holds_more_than_was_counted_is_an_error(
    make_source: Callable[..., TileSource], tmp_path: Path
) -> None:
    source = make_source()
    path = tmp_path / "records" / "c.tfrecords"
    path.write_bytes(path.read_bytes() * 2)

    with pytest.raises(RecordError, match="has more records, and its index 3"):
        export_tiles(source, "parquet", tmp_path / "out")


def test_wrong_use_is_said_before_any_work(make_source: Callable[..., TileSource], tmp_path: Path) -> None:
    source = make_source()

    with pytest.raises(SpecError, match=r"'hdf5' is no format.*webdataset, zarr, parquet"):
        export_tiles(source, "hdf5", tmp_path / "out")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="shard_mb=-1"):
        export_tiles(source, "zarr", tmp_path / "out", ExportOptions(shard_mb=-1))
    with pytest.raises(DatasetError, match="no tiles to export"):
        export_tiles(replace(source, slides=()), "zarr", tmp_path / "out")
    with pytest.raises(DatasetError, match="is of the same slide as"):
        export_tiles(replace(source, slides=[*source.slides, source.slides[0]]), "zarr", tmp_path / "out")
    with pytest.raises(DatasetError, match="no folder to export into"):
        export_tiles(source, "zarr", tmp_path / "nowhere" / "out")
    with pytest.raises(DatasetError, match="An export has one outcome"):
        make_source(labels=["category", "patient"])
    with pytest.raises(AnnotationsError, match="There is no column 'stage'"):
        make_source(columns="stage")


def test_a_dataset_exports_what_its_filters_leave(records, annotations, tmp_path: Path) -> None:
    # Arrange
    (tmp_path / "sizes").mkdir()
    (tmp_path / "records").rename(tmp_path / "sizes" / "16px_32um")
    dataset = Dataset(tfrecords=tmp_path / "sizes", tile_px=16, tile_um=32, annotations=annotations)

    # Act
    result = dataset.filter({"category": "tumor"}).export("parquet", tmp_path / "out", labels="category")

    # Assert
    rows = pd.read_parquet(tmp_path / "out")
    facts = json.loads((tmp_path / "out" / FACTS_NAME).read_text())
    assert sorted(set(rows["slide"])) == ["a.b-1", "d"]
    assert result.tiles == len(rows) == 7
    assert (facts["tile_px"], facts["tile_um"]) == (16, 32)
    with pytest.raises(DatasetError, match="no TFRecords of 8px"):
        Dataset(tfrecords=tmp_path / "sizes", tile_px=8, tile_um=32, annotations=annotations).export(
            "zarr", tmp_path / "other"
        )
