"""Training to a good Dice, going on after a stop, and ending early."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from slidekit.errors import MissingExtraError, SpecError
from slidekit.segment.training.checkpoint import CHECKPOINT
from slidekit.segment.training.loop import HISTORY, fit
from slidekit.slide.segmentation.config import SegmentConfig
from slidekit.slide.segmentation.predict import MODEL
from tests.segment.disks import Disks, draw_disks

pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

import keras

pytestmark = [
    pytest.mark.tensorflow,
    # Keras' own, of numpy 2.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:keras"),
]

TINY = SegmentConfig(size=32, depth=1, filters=2, epochs=3, patience=9)


class StopError(Exception):
    """A kill, as far as a test can have one."""


def stop_after(epoch: int):
    def on_epoch(result) -> None:
        if result.epoch == epoch:
            raise StopError

    return on_epoch


@pytest.mark.long
def test_learns_disks(tmp_path: Path) -> None:
    # Arrange
    config = SegmentConfig(size=64, depth=2, filters=8, epochs=2, lr=5e-3)
    data = Disks(size=64, steps=15)
    told = []

    # Act
    history = fit(config, data, tmp_path, on_batch=lambda *place: told.append(place))

    # Assert
    assert history[-1].dice >= 0.9
    assert history[-1].loss < history[0].loss
    assert told == [(epoch, step, 15) for epoch in (1, 2) for step in range(1, 16)]
    network = keras.saving.load_model(tmp_path / MODEL, compile=False, safe_mode=True)
    picture, truth = draw_disks(np.random.default_rng(99), 128)
    found = keras.ops.convert_to_numpy(network(picture[None].astype(np.float32), training=False))[0] > 0
    assert 2 * (found & (truth > 0)).sum() / (found.sum() + truth.sum()) >= 0.85
    with (tmp_path / HISTORY).open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["epoch", "loss", "val_loss", "dice", "lr", "dice_tissue"]
    assert [float(row["dice"]) for row in rows] == [pytest.approx(item.dice, abs=1e-5) for item in history]


@pytest.mark.long
@pytest.mark.parametrize(("mode", "loss"), [("multiclass", "ce"), ("multiclass", "dice"), ("multilabel", "bce")])
def test_learns_several_classes(mode: str, loss: str, tmp_path: Path) -> None:
    config = SegmentConfig(size=64, depth=2, filters=8, epochs=4, lr=5e-3, mode=mode, labels=("a", "b"), loss=loss)
    history = fit(config, Disks(size=64, steps=25, colours=2, mode=mode), tmp_path)
    assert min(history[-1].dice_by_class.values()) >= 0.9


@pytest.mark.long
def test_goes_on_where_it_was_stopped_and_comes_to_the_same(tmp_path: Path) -> None:
    # Arrange
    whole, again = tmp_path / "whole", tmp_path / "again"
    whole.mkdir()
    again.mkdir()
    wanted = fit(TINY, Disks(size=32, steps=4), whole)

    # Act
    with pytest.raises(StopError):
        fit(TINY, Disks(size=32, steps=4), again, on_epoch=stop_after(2))
    data = Disks(size=32, steps=4)
    history = fit(TINY, data, again)

    # Assert
    assert {epoch for epoch, _ in data.asked} == {3}
    assert [item.epoch for item in history] == [1, 2, 3]
    for mine, theirs in zip(history, wanted, strict=True):
        assert mine.loss == pytest.approx(theirs.loss, rel=1e-4)
        assert mine.dice == pytest.approx(theirs.dice, abs=1e-3)


@pytest.mark.long
def test_a_finished_training_is_not_run_again(tmp_path: Path) -> None:
    # Arrange
    config = TINY.model_copy(update={"epochs": 1})
    first = fit(config, Disks(size=32, steps=1, count=2), tmp_path, num_workers=0)
    data = Disks(size=32, steps=1, count=2)

    # Act
    second = fit(config, data, tmp_path)

    # Assert
    assert (second, data.asked) == (first, [])
    with pytest.raises(SpecError, match="another config") as raised:
        fit(TINY, data, tmp_path)
    assert "overwrite" in raised.value.mend
    (tmp_path / CHECKPOINT).write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(SpecError, match="damaged"):
        fit(config, data, tmp_path)


@pytest.mark.long
def test_ends_when_no_epoch_is_better_and_keeps_the_best(tmp_path: Path) -> None:
    # Arrange
    config = TINY.model_copy(update={"epochs": 50, "patience": 2, "lr": 1e-12})
    kept = []

    # Act
    history = fit(
        config,
        Disks(size=32, steps=1),
        tmp_path,
        on_epoch=lambda item: kept.append((item.dice, (tmp_path / MODEL).read_bytes())),
    )

    # Assert
    best = max(range(len(history)), key=lambda index: history[index].dice)
    assert len(history) == best + 1 + 2
    assert (tmp_path / MODEL).read_bytes() == kept[best][1]


def test_a_loss_that_is_no_number_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.Model, "train_on_batch", lambda *arguments: float("nan"))
    with pytest.raises(SpecError, match="not a number") as raised:
        fit(TINY, Disks(size=32, steps=1, count=2), tmp_path)
    assert "lr" in raised.value.mend


def test_out_of_memory_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class ResourceExhaustedError(Exception):
        pass

    def run_out(*arguments: object) -> None:
        raise ResourceExhaustedError("OOM when allocating tensor")

    monkeypatch.setattr(keras.Model, "train_on_batch", run_out)
    with pytest.raises(SpecError, match="memory") as raised:
        fit(TINY, Disks(size=32, steps=1, count=2), tmp_path)
    assert "train_batch_size" in raised.value.mend


def test_what_else_goes_wrong_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise ValueError("something else")

    monkeypatch.setattr(keras.Model, "train_on_batch", fail)
    with pytest.raises(ValueError, match="something else"):
        fit(TINY, Disks(size=32, steps=1, count=2), tmp_path)


def test_without_keras_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "slidekit.segment.training.keras", None)
    with pytest.raises(MissingExtraError, match=r"slidekit\[tensorflow\]"):
        fit(TINY, Disks(size=32), tmp_path)


@pytest.mark.long
@pytest.mark.torch
def test_learns_on_torch_as_well(tmp_path: Path) -> None:
    # Arrange
    pytest.importorskip("torch", reason="PyTorch is not installed")
    script = textwrap.dedent(f"""
        from pathlib import Path
        import keras
        from slidekit.segment.training.loop import fit
        from slidekit.slide.segmentation.config import SegmentConfig
        from disks import Disks
        assert keras.backend.backend() == "torch"
        config = SegmentConfig(size=64, depth=2, filters=8, epochs=2, lr=5e-3)
        print(fit(config, Disks(size=64, steps=15), Path({str(tmp_path)!r}))[-1].dice)
    """)

    # Act
    root = Path(__file__).parents[3]
    environment = {
        **os.environ,
        "KERAS_BACKEND": "torch",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": f"{root}{os.pathsep}{root / 'tests' / 'segment'}",
    }
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=root, capture_output=True, text=True, check=False
    )

    # Assert
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout) >= 0.9
    # What torch has trained, TensorFlow applies.
    network = keras.saving.load_model(tmp_path / MODEL, compile=False, safe_mode=True)
    picture, truth = draw_disks(np.random.default_rng(99), 64)
    found = keras.ops.convert_to_numpy(network(picture[None].astype(np.float32), training=False))[0] > 0
    assert 2 * (found & (truth > 0)).sum() / (found.sum() + truth.sum()) >= 0.85
