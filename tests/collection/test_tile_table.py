"""The table of all candidates: the same however many processes make it."""

from __future__ import annotations

import importlib
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from slidekit.collection import tile_table as module
from slidekit.dataset import Dataset
from slidekit.errors import SpecError
from slidekit.io.slide_tiff import write_svs

# A QC method that ends its process on one slide; a module, so that a child can import it.
KILLS = """
import os, signal

class Kills:
    def __call__(self, wsi):
        if wsi.name == "s1":
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Four slides, the third of which is none."""
    for number, rows in enumerate((300, 200, 0, 400)):
        path = tmp_path / f"s{number}.svs"
        if rows:
            write_svs(path, [np.full((rows, 300, 3), 180, np.uint8)], mpp=0.5)
        else:
            path.write_text("no slide")
    return Dataset(slides=tmp_path, tile_px=100, tile_um=50)


def test_it_is_the_same_in_children(dataset: Dataset, caplog: pytest.LogCaptureFixture) -> None:
    # Act
    here = dataset.get_tile_dataframe(num_workers=1)
    caplog.clear()
    there = dataset.get_tile_dataframe(num_workers=2)

    # Assert
    pd.testing.assert_frame_equal(here, there)
    assert there.attrs == here.attrs
    assert list(there.attrs["failed"]) == ["s2"]
    assert there["slide"].value_counts().to_dict() == {"s0": 9, "s1": 6, "s3": 12}
    assert [record.levelno for record in caplog.records if "s2 is not in the table" in record.message] == [
        logging.WARNING
    ]


def test_a_slide_that_kills_its_process_is_named(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Arrange
    (tmp_path / "tile_table_kills.py").write_text(KILLS)
    monkeypatch.syspath_prepend(str(tmp_path))
    kills = importlib.import_module("tile_table_kills").Kills()

    # Act
    table = dataset.get_tile_dataframe(num_workers=2, qc=kills)

    # Assert
    assert "was killed by signal 9" in table.attrs["failed"]["s1"]
    assert sorted(table.attrs["failed"]) == ["s1", "s2"]
    assert len(table) == 21


@pytest.mark.parametrize("num_workers", [1, 2])
def test_an_error_of_the_users_qc_is_the_users(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_workers: int
) -> None:
    (tmp_path / "tile_table_fails.py").write_text("def fails(wsi): raise ValueError('my qc failed')")
    monkeypatch.syspath_prepend(str(tmp_path))
    fails = importlib.import_module("tile_table_fails").fails

    with pytest.raises(ValueError, match="my qc failed"):
        dataset.get_tile_dataframe(num_workers=num_workers, qc=fails)


def test_few_and_fast_slides_stay_in_this_process(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: object, **__: object) -> None:
        raise AssertionError("a child was started")

    monkeypatch.setattr(subprocess, "Popen", start)

    assert len(dataset.get_tile_dataframe()) == 27
    with pytest.raises(AssertionError, match="child"):
        dataset.get_tile_dataframe(num_workers=2)


@pytest.mark.parametrize(
    ("seconds", "left", "workers", "worth"),
    [([], 1000, 8, False), ([0.1, 0.1], 10, 8, False), ([0.1, 0.1], 100, 8, True), ([60.0], 1, 8, False)],
)
def test_children_are_worth_it_where_they_save_more_than_they_cost(
    seconds: list[float], left: int, workers: int, worth: bool
) -> None:
    assert module._is_worth_it(seconds, left, workers) == worth


def test_a_script_needs_no_main_guard(dataset: Dataset, tmp_path: Path) -> None:
    # Arrange
    script = tmp_path / "script.py"
    script.write_text(
        "from slidekit import Dataset\n"
        f"table = Dataset(slides={str(tmp_path)!r}, tile_px=100, tile_um=50).get_tile_dataframe(num_workers=2)\n"
        "print(len(table))\n"
    )

    # Act
    ended = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=60,
        check=False,
    )

    # Assert
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "27\n"


def test_no_workers_are_an_error(dataset: Dataset) -> None:
    with pytest.raises(SpecError, match="num_workers=0"):
        dataset.get_tile_dataframe(num_workers=0)
