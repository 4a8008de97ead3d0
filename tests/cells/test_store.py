"""Stores that are damaged, and places where none can be written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from slidekit.cells import Segmentation, segment_slide
from slidekit.errors import CellError
from tests.cells.drawn_slides import ArraySlide, ByColour


@pytest.fixture
def store(drawn: tuple[ArraySlide, np.ndarray], tmp_path: Path) -> Path:
    return segment_slide(drawn[0], ByColour(), window_px=60, dest=tmp_path).path


def _chunk(store: Path, name: str) -> Path:
    return next(path for path in sorted((store / name / "c").rglob("*")) if path.is_file())


def _cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def _without_table(store: Path) -> None:
    attributes = json.loads((store / "zarr.json").read_text())
    attributes["attributes"]["count"] += 1
    (store / "zarr.json").write_text(json.dumps(attributes))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda store: shutil.rmtree(store / "masks"), "2 of .* files are missing: masks"),
        (lambda store: shutil.rmtree(store / "table"), "files are missing: table/area_um2"),
        (lambda store: _chunk(store, "table/x").unlink(), "1 of .* files are missing: table/x/c/0"),
        (lambda store: (store / "outlines/counts/zarr.json").unlink(), "files are missing"),
        (lambda store: _cut_off(_chunk(store, "masks")), r"its files have \d+ bytes, and \d+ were written"),
        (lambda store: _cut_off(store / "table/x/zarr.json"), "damaged"),
        (lambda store: _cut_off(store / "zarr.json"), "damaged"),
        (_without_table, r"has the shape \(\d+,\), not"),
        (lambda store: (store / "zarr.json").unlink(), "no store of cells"),
    ],
)
def test_a_store_that_is_not_whole_is_refused_when_it_is_opened(
    store: Path, damage: Callable[[Path], None], says: str
) -> None:
    damage(store)

    with pytest.raises(CellError, match=says) as caught:
        Segmentation.open(store)

    assert str(store) in str(caught.value)
    assert caught.value.mend


def test_damage_that_only_decoding_shows_is_told_with_the_file(store: Path) -> None:
    chunk = _chunk(store, "table/x")
    chunk.write_bytes(bytes(len(chunk.read_bytes())))
    masks = _chunk(store, "masks")
    masks.write_bytes(bytes(len(masks.read_bytes())))
    cells = Segmentation.open(store)

    for ask in (cells.centroids, lambda: cells.region(0, 0, 90, 70, 9, 7), lambda: cells.save(store.parent / "x")):
        with pytest.raises(CellError, match="damaged store of cells") as caught:
            ask()
        assert str(store) in str(caught.value)


def test_a_damaged_store_can_be_replaced(drawn: tuple[ArraySlide, np.ndarray], store: Path) -> None:
    shutil.rmtree(store / "table")

    again = segment_slide(drawn[0], ByColour(), dest=store, overwrite=True)

    assert len(Segmentation.open(store)) == len(again) > 20


def test_stores_of_before_sizes_were_noted_are_read(store: Path) -> None:
    attributes = json.loads((store / "zarr.json").read_text())
    del attributes["attributes"]["bytes"]
    (store / "zarr.json").write_text(json.dumps(attributes))

    assert len(Segmentation.open(store)) > 20


def test_a_place_below_a_file_is_no_place(drawn: tuple[ArraySlide, np.ndarray], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    found = segment_slide(drawn[0], ByColour())

    for dest in ("file", "file/a.zarr", "file/b/c"):
        for write in (lambda to: segment_slide(drawn[0], ByColour(), dest=to), found.save):
            with pytest.raises(CellError, match="folder for cells") as caught:
                write(tmp_path / dest)
            assert caught.value.mend
    for write in (found.to_geojson, found.to_csv):
        with pytest.raises(CellError, match="cannot be written"):
            write(tmp_path / "nowhere" / "x")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_tilde_is_the_home_folder(
    drawn: tuple[ArraySlide, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))

    found = segment_slide(drawn[0], ByColour(), dest="~/cells")

    assert found.path == tmp_path / "cells" / "drawn.cells.zarr"
    assert found.save("~/more/x.zarr") == tmp_path / "more" / "x.zarr"
    assert len(Segmentation.open("~/more/x.zarr")) == len(found)
    assert found.to_csv("~/cells.csv") == tmp_path / "cells.csv"
