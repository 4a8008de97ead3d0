"""WebDataset: read back by the library itself."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.export import ExportOptions, ExportTile, TileSource, export_tiles
from slidekit.export.webdataset import sample_key
from slidekit.io.tfrecord import TileRecord

webdataset = pytest.importorskip("webdataset")


def read(folder: Path) -> list[dict]:
    shards = [str(path) for path in sorted(folder.glob("*.tar"))]
    with warnings.catch_warnings():
        # The reader leaves files open.
        warnings.simplefilter("ignore", ResourceWarning)
        samples = list(webdataset.WebDataset(shards, shardshuffle=False, empty_check=False))
        gc.collect()
    return samples


def test_bytes_and_facts_come_back(make_source: Callable[..., TileSource], flat: list[TileRecord], tmp_path: Path):
    # Act
    result = export_tiles(make_source(labels="category", columns=["site"]), "webdataset", tmp_path / "out")

    # Assert
    samples = read(tmp_path / "out")
    facts = [json.loads(sample["json"]) for sample in samples]
    assert result.tiles == len(samples) == 10
    assert [sample.get("jpg", sample.get("png")) for sample in samples] == [record.image_raw for record in flat]
    assert ["png" in sample for sample in samples] == [False] * 8 + [True] * 2
    assert [fact["slide"] for fact in facts] == [record.slide for record in flat]
    assert [(fact["loc_x"], fact["grid_x"], fact["roi_name"], fact["roi_label"]) for fact in facts] == [
        (record.loc_x, record.grid_x, record.roi_name, record.label) for record in flat
    ]
    assert {fact["slide"]: (fact["patient"], fact["label"], fact["site"]) for fact in facts} == {
        "a.b-1": ("p1", "tumor", "Köln"),
        "c": ("p1", "benign", ""),
        "d": ("p2", "tumor", "x"),
    }
    assert [int(sample["cls"]) for sample in samples] == [1] * 5 + [0] * 3 + [1] * 2


def test_keys_are_one_a_tile_and_survive_dots(make_source: Callable[..., TileSource], tmp_path: Path):
    export_tiles(make_source(), "webdataset", tmp_path / "out")

    keys = [sample["__key__"] for sample in read(tmp_path / "out")]
    assert keys[:5] == ["a%2Eb-1-0-7", "a%2Eb-1-100-7", "a%2Eb-1-200-7", "a%2Eb-1-300-7", "a%2Eb-1-300-7_2"]
    assert len(set(keys)) == 10


NAMES = st.text("ab-1.%~_/2D", min_size=1, max_size=4)
PLACES = st.tuples(NAMES, NAMES, st.integers(-12, 12), st.integers(-12, 12))


@given(st.lists(PLACES, min_size=2, max_size=30, unique=True))
@settings(deadline=None, max_examples=200)
def test_keys_of_different_places_differ(places: list[tuple[str, str, int, int]]) -> None:
    keys = [
        sample_key(file, ExportTile(TileRecord(slide, b"", loc_x=x, loc_y=y), 0, "p", "jpg", None, {}))
        for file, slide, x, y in places
    ]

    assert len(set(keys)) == len(places)
    assert not any("." in key or "/" in key for key in keys)


def test_shards_are_of_the_size_that_was_asked_for(make_source: Callable[..., TileSource], tmp_path: Path):
    source = make_source()

    export_tiles(source, "webdataset", tmp_path / "50%d", ExportOptions(shard_mb=0.004))

    shards = sorted((tmp_path / "50%d").glob("*.tar"))
    assert [path.name for path in shards[:2]] == ["tiles-000000.tar", "tiles-000001.tar"]
    assert len(shards) >= 3
    assert len(read(tmp_path / "50%d")) == 10


def test_the_same_tiles_give_the_same_bytes(
    make_source: Callable[..., TileSource], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, time in (("one", 1e9), ("two", 2e9)):
        monkeypatch.setattr("time.time", lambda time=time: time)
        export_tiles(make_source(), "webdataset", tmp_path / name)

    assert (tmp_path / "one/tiles-000000.tar").read_bytes() == (tmp_path / "two/tiles-000000.tar").read_bytes()


def test_merged_files_keep_their_slides(tmp_path: Path, make_source: Callable[..., TileSource]):
    # Arrange: c holds the tiles of another slide
    (tmp_path / "records" / "c.tfrecords").write_bytes((tmp_path / "records" / "d.tfrecords").read_bytes())

    # Act
    export_tiles(make_source(), "webdataset", tmp_path / "out")

    # Assert
    samples = read(tmp_path / "out")[5:]
    assert [sample["__key__"] for sample in samples] == ["c~d-0-7", "c~d-100-7", "d-0-7", "d-100-7"]
    assert {json.loads(sample["json"])["patient"] for sample in samples} == {"p2"}


def test_no_torch_is_needed(tmp_path: Path, make_source: Callable[..., TileSource]):
    # Arrange
    make_source()
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path\n"
        "from slidekit.export import *\n"
        f"source = TileSource([SlideRecords(Path({str(tmp_path / 'records' / 'c.tfrecords')!r}), 3)])\n"
        f"print(export_tiles(source, 'webdataset', Path({str(tmp_path / 'out')!r})).tiles)\n"
    )

    # Act
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )

    # Assert
    assert ended.stdout == "3\n", ended.stderr
