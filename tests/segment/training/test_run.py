"""`train`: slides with regions of interest in, a folder with a network out."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from slidekit.errors import DatasetError, SpecError
from slidekit.segment import export_thumbs_and_masks, generate_rois, load_model_and_config, train
from slidekit.segment.training import run
from slidekit.segment.training.checkpoint import Checkpoint
from slidekit.segment.training.loop import training_fingerprint
from slidekit.slide.qc.segment import Segment
from slidekit.slide.roi import ROI, load_rois, write_roi_csv
from slidekit.slide.segmentation.config import SegmentConfig
from slidekit.slide.wsi import WSI

pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

pytestmark = [
    pytest.mark.tensorflow,
    # Keras' own, of numpy 2.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:keras"),
]

CONFIG = SegmentConfig(
    size=64, depth=2, filters=6, mpp=8, epochs=3, steps_per_epoch=15, train_batch_size=4, lr=5e-3, augment=False
)
ONE_STEP = CONFIG.model_copy(update={"size": 32, "depth": 1, "filters": 2, "epochs": 1, "steps_per_epoch": 1})


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.long
def test_from_slides_to_regions_on_a_slide_that_it_has_not_seen(cohort, tmp_path: Path) -> None:
    # Arrange
    whole = cohort.dataset()
    seen, unseen = whole.filter({"slide": ["s0", "s1"]}), whole.filter({"slide": ["s2"]})

    # Act
    model = train(CONFIG, seen, unseen, dest=tmp_path / "model")

    # Assert
    assert model.dice >= 0.9
    assert (model.training, model.validation) == (("s0", "s1"), ("s2",))
    assert names(model.path) == {"model.keras", "segment_config.json", "history.csv", "checkpoint.npz", "data"}
    assert load_model_and_config(model.path)[1] == model.config
    with WSI(whole.paths()["s2"], 32, 128) as wsi:
        mask = Segment(model.path)(wsi)
        found = generate_rois(wsi, model.path)
        area = sum(roi.polygon.area for roi in found.rois)
        kept = {tuple(cell) for cell in wsi.grid.cells()[wsi.fates().taken]}
    with WSI(whole.paths()["s2"], 32, 128, rois=whole.roi_files()["s2"]) as wsi:
        wanted = {tuple(cell) for cell in wsi.grid.cells()[wsi.fates().taken]}
    truth = cohort.tissue["s2"].area
    assert abs(area / truth - 1) < 0.1
    assert abs((1 - mask.mean()) * wsi.dimensions[0] * wsi.dimensions[1] / truth - 1) < 0.1
    assert len(kept ^ wanted) <= 0.2 * len(wanted)


@pytest.mark.long
def test_exported_data_serve_as_well_and_a_second_call_gives_the_result(cohort, tmp_path: Path) -> None:
    # Arrange
    export_thumbs_and_masks(cohort.dataset(), 8, tmp_path / "data")
    told, batches = [], []

    # Act
    first = train(
        ONE_STEP,
        data_source=tmp_path / "data",
        dest=tmp_path / "model",
        on_epoch=told.append,
        on_batch=lambda *place: batches.append(place),
    )
    again = train(ONE_STEP, data_source=tmp_path / "data", dest=tmp_path / "model", on_epoch=told.append)

    # Assert
    assert again == first
    assert told == list(first.history)
    assert batches == [(1, 1, 1)]
    assert len(first.validation) == 1
    assert sorted((*first.training, *first.validation)) == ["s0", "s1", "s2"]
    assert set(first.dice_by_class) == {"tissue"}
    with pytest.raises(SpecError, match="another config"):
        train(ONE_STEP.model_copy(update={"seed": 5}), data_source=tmp_path / "data", dest=tmp_path / "model")


def test_what_cannot_be_trained_on_is_told(cohort, tmp_path: Path) -> None:
    # Arrange
    export_thumbs_and_masks(cohort.dataset(), 8, tmp_path / "data")
    only = cohort.dataset().filter({"slide": ["s1"]})
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "model.keras").touch()

    # Act / Assert
    with pytest.raises(DatasetError, match="nothing to train on"):
        train(ONE_STEP, dest=tmp_path / "model")
    with pytest.raises(DatasetError, match="s1"):
        train(ONE_STEP, cohort.dataset(), only, tmp_path / "data", dest=tmp_path / "model")
    with pytest.raises(DatasetError, match="mpp is 8, not 20"):
        train(ONE_STEP.model_copy(update={"mpp": 20.0}), data_source=tmp_path / "data", dest=tmp_path / "model")
    with pytest.raises(SpecError, match="not trained here"):
        train(ONE_STEP, data_source=tmp_path / "data", dest=tmp_path / "foreign")
    assert not (tmp_path / "model").exists()


def test_data_without_what_is_to_be_found_are_told(cohort, tmp_path: Path) -> None:
    # Arrange
    import cv2

    export_thumbs_and_masks(cohort.dataset(), 8, tmp_path / "data")
    for path in (tmp_path / "data").glob("s[01].mask.png"):
        cv2.imwrite(str(path), np.zeros_like(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)))
    dataset = cohort.dataset()
    empty, full = dataset.filter({"slide": ["s0"]}), dataset.filter({"slide": ["s2"]})

    # Act / Assert
    with pytest.raises(DatasetError, match="validation data is in a region: s0"):
        train(ONE_STEP, full, empty, tmp_path / "data", dest=tmp_path / "model")
    with pytest.raises(DatasetError, match="training data is in a region"):
        train(ONE_STEP, empty, full, tmp_path / "data", dest=tmp_path / "model")


def test_keras_is_not_imported_before_it_is_used() -> None:
    script = (
        "import sys, slidekit, slidekit.cli, slidekit.segment; slidekit.segment.train; slidekit.segment.Segment;"
        "assert not {'keras', 'tensorflow', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_slides_of_an_earlier_export_are_not_trained_on(cohort, tmp_path: Path, monkeypatch) -> None:
    # Arrange: no network, only what it would be given
    monkeypatch.setattr(run, "fit", lambda config, data, folder, **options: [data.fingerprint])
    two = cohort.dataset().filter({"slide": ["s0", "s1"]})
    alone = train(ONE_STEP, two, dest=tmp_path / "alone")
    # Act
    train(ONE_STEP, cohort.dataset(), dest=tmp_path / "model")
    model = train(ONE_STEP, two, dest=tmp_path / "model")
    # Assert
    assert sorted((*model.training, *model.validation)) == ["s0", "s1"]
    # What else lies in the folder makes it no other training.
    assert model.history == alone.history


def test_a_label_may_be_missing_where_validation_is(cohort, tmp_path: Path, monkeypatch) -> None:
    # Arrange
    monkeypatch.setattr(run, "fit", lambda config, data, folder, **options: [])
    rois = tmp_path / "rois"
    rois.mkdir()
    for name in ("s0", "s1"):
        write_roi_csv(rois / f"{name}.csv", list(load_rois(cohort.folder / "rois" / f"{name}.csv").rois))
    write_roi_csv(rois / "s2.csv", [ROI("a", "tissue", cohort.tissue["s2"])])
    known, unknown = (cohort.dataset(rois).filter({"slide": names}) for names in (["s0", "s1"], ["s2"]))
    config = SegmentConfig(size=32, depth=1, mpp=8, mode="multiclass")
    # Act
    model = train(config, known, unknown, dest=tmp_path / "model")
    # Assert
    assert model.config.labels == ("tissue", "tumor")
    assert model.validation == ("s2",)


def test_a_network_stays_until_the_next_one_is_trained(cohort, tmp_path: Path, monkeypatch) -> None:
    # Arrange: what a training leaves in its folder
    def trained(config, data, folder, **options) -> list:
        (folder / "model.keras").write_text(f"seed {config.seed}")
        (folder / "history.csv").write_text("")
        config.save(folder)
        Checkpoint(training_fingerprint(config, data), (), {}, done=True).save(folder)
        return []

    def killed(config, data, folder, **options) -> None:
        (folder / "model.keras").write_text("half")
        Checkpoint(training_fingerprint(config, data), (), {}).save(folder)
        folders.append(folder)
        raise KeyboardInterrupt

    folders: list[Path] = []
    dataset, dest = cohort.dataset(), tmp_path / "model"
    monkeypatch.setattr(run, "fit", trained)
    train(ONE_STEP, dataset, dest=dest)
    before = {path.name: path.read_bytes() for path in dest.iterdir() if path.is_file()}
    other = ONE_STEP.model_copy(update={"seed": 5})
    # Act
    monkeypatch.setattr(run, "fit", killed)
    with pytest.raises(KeyboardInterrupt):
        train(other, dataset, dest=dest, overwrite=True)
    # Assert
    assert {path.name: path.read_bytes() for path in dest.iterdir() if path.is_file()} == before
    # Act, Assert: the same call goes on where it was, another one does not
    with pytest.raises(KeyboardInterrupt):
        train(other, dataset, dest=dest, overwrite=True)
    assert folders == [dest / "in_training"] * 2
    monkeypatch.setattr(run, "fit", trained)
    train(other, dataset, dest=dest, overwrite=True)
    assert names(dest) == {"model.keras", "segment_config.json", "history.csv", "checkpoint.npz", "data"}
    assert (dest / "model.keras").read_text() == "seed 5"
    assert SegmentConfig.load(dest).seed == 5


_TRAIN = """
import os, signal, sys
from pathlib import Path
from slidekit.segment import train
from slidekit.slide.segmentation.config import SegmentConfig
data, dest = sys.argv[1:]
train(SegmentConfig.load(Path(data).parent / "config.json"), data_source=data, dest=dest, overwrite=True,
      on_epoch=lambda result: os.kill(os.getpid(), signal.SIGKILL))
"""


@pytest.mark.long
def test_a_training_that_is_killed_goes_on_and_the_old_network_serves_until_then(cohort, tmp_path: Path) -> None:
    # Arrange
    data, dest = tmp_path / "data", tmp_path / "model"
    export_thumbs_and_masks(cohort.dataset(), 8, data)
    old = train(ONE_STEP, data_source=data, dest=dest)
    before = (dest / "model.keras").read_bytes()
    config = ONE_STEP.model_copy(update={"epochs": 2, "filters": 3})
    config.save(tmp_path / "config.json")
    whole = train(config, data_source=data, dest=tmp_path / "whole")
    # Act: killed after the first epoch
    child = subprocess.run([sys.executable, "-c", _TRAIN, str(data), str(dest)], check=False, capture_output=True)
    # Assert
    assert child.returncode == -signal.SIGKILL, child.stderr[-2000:]
    assert (dest / "model.keras").read_bytes() == before
    assert load_model_and_config(dest)[1] == old.config
    # Act
    epochs = []
    model = train(config, data_source=data, dest=dest, overwrite=True, on_epoch=lambda one: epochs.append(one.epoch))
    # Assert
    assert epochs == [2]
    assert [one.loss for one in model.history] == pytest.approx([one.loss for one in whole.history], rel=1e-3)
    assert load_model_and_config(dest)[1].filters == 3
    assert not (dest / "in_training").exists()
